// The files of the web page, which are built into the binary. They are made from web/ by web/build
// and kept beside this file, so that a build of the daemon needs neither Node nor the network.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace fairlead::web {

struct Asset {
  absl::string_view path;  // "/app.js"
  absl::string_view content_type;
  absl::string_view body;
  std::string etag;  // of the bytes (RFC 9110 §8.8.3)
};

// The file that is served at `path` ("/" is the page itself); null when there is none.
const Asset* FindAsset(absl::string_view path);

}  // namespace fairlead::web
