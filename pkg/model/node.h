// Node: node-local settings, read from files only and never replicated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "pkg/model/object.h"
#include "pkg/net/endpoint.h"

namespace fairlead::model {

// Where the admin API listens when neither the command line nor a Node says: loopback, for it has
// no login.
inline constexpr char kDefaultAdminHttp[] = "127.0.0.1:9080";

struct Node {
  ObjectId id;
  SourceLocation location;
  std::string interface;                              // of VIPs that name none; empty: by subnet
  std::optional<net::Endpoint> admin_http;            // default 127.0.0.1:9080
  std::string state_directory = "/var/lib/fairlead";  // absolute path
  friend bool operator==(const Node&, const Node&) = default;
};

// Where the admin API listens: `flag` (--admin) wins over the Node, which wins over the default.
net::Endpoint AdminHttpEndpoint(const std::optional<net::Endpoint>& flag,
                                const std::optional<Node>& node);

}  // namespace fairlead::model
