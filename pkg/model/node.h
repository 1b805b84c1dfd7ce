// Node: node-local settings, read from files only and never replicated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "pkg/model/object.h"
#include "pkg/net/endpoint.h"
#include "pkg/net/ip_address.h"

namespace fairlead::model {

// Where the admin API listens when neither the command line nor a Node says: loopback, for it has
// no login.
inline constexpr char kDefaultAdminHttp[] = "127.0.0.1:9080";

// Two hosts of which one owns the VIPs' addresses (VRRP version 3, RFC 9568).
struct Pair {
  enum class Transport { kUnicast, kMulticast };
  // Of the IPv4 advertisements. RFC 9568 leaves the pseudo header out of it, keepalived puts it in;
  // both are understood.
  enum class Checksum { kPseudoHeader, kPlain };

  std::optional<net::IpAddress> peer;  // Unicast: there; Multicast: absent
  Transport transport = Transport::kUnicast;
  uint8_t virtual_router_id = 51;  // 1..255, alike on both
  uint8_t priority = 100;          // 2..254
  bool preempt = false;            // from a Master of lower priority
  absl::Duration advertisement_interval = absl::Milliseconds(100);  // 10 ms..40.95 s
  Checksum checksum = Checksum::kPseudoHeader;
  friend bool operator==(const Pair&, const Pair&) = default;
};

struct Node {
  ObjectId id;
  SourceLocation location;
  std::string interface;                              // of VIPs that name none; empty: by subnet
  std::optional<net::Endpoint> admin_http;            // default 127.0.0.1:9080
  std::optional<net::Endpoint> admin_https;           // the web page; default 0.0.0.0:9443
  std::optional<Pair> pair;                           // absent: this host is alone
  std::string state_directory = "/var/lib/fairlead";  // absolute path
  friend bool operator==(const Node&, const Node&) = default;
};

// Where the admin API listens: `flag` (--admin) wins over the Node, which wins over the default.
net::Endpoint AdminHttpEndpoint(const std::optional<net::Endpoint>& flag,
                                const std::optional<Node>& node);

}  // namespace fairlead::model
