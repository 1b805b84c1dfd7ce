#include "pkg/web/assets.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "pkg/web/asset_bodies.h"

namespace fairlead::web {
namespace {

std::string TagOf(absl::string_view body) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  if (EVP_Digest(body.data(), body.size(), digest, &length, EVP_sha256(), nullptr) != 1) return "";
  const absl::string_view bytes(reinterpret_cast<const char*>(digest), length);
  return absl::StrCat("\"", absl::BytesToHexString(bytes.substr(0, 12)), "\"");
}

Asset Make(absl::string_view path, absl::string_view content_type, absl::string_view body) {
  return {path, content_type, body, TagOf(body)};
}

const auto& Assets() {
  static const auto& assets = *new std::array{
      Make("/", "text/html; charset=utf-8", kIndexHtml),
      Make("/app.js", "text/javascript; charset=utf-8", kAppJs),
      Make("/app.css", "text/css; charset=utf-8", kAppCss),
      Make("/icon.svg", "image/svg+xml", kIconSvg),
  };
  return assets;
}

}  // namespace

const Asset* FindAsset(absl::string_view path) {
  const auto& assets = Assets();
  const auto found = std::find_if(assets.begin(), assets.end(),
                                  [path](const Asset& asset) { return asset.path == path; });
  return found == assets.end() ? nullptr : found;
}

}  // namespace fairlead::web
