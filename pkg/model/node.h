// Node: node-local settings, read from files only and never replicated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "pkg/model/object.h"
#include "pkg/net/endpoint.h"

namespace fairlead::model {

struct Node {
  ObjectId id;
  SourceLocation location;
  std::string interface;                              // empty: chosen by subnet
  std::optional<net::Endpoint> admin_http;            // default 127.0.0.1:9080
  std::string state_directory = "/var/lib/fairlead";  // absolute path
  friend bool operator==(const Node&, const Node&) = default;
};

}  // namespace fairlead::model
