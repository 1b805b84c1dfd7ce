// Endpoint: an IP address and a TCP/UDP port (host order), and its sockaddr form.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <compare>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pkg/net/ip_address.h"

namespace fairlead::net {

struct Endpoint {
  IpAddress address;
  uint16_t port = 0;

  // "10.0.0.1:80" or "[fd00::1]:80"; the port is 0..65535. Error: InvalidArgument naming the text.
  static absl::StatusOr<Endpoint> Parse(absl::string_view text);
  // "10.0.0.1:80", "[fd00::1]:80" (RFC 5952 §6).
  std::string ToString() const;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
  friend std::strong_ordering operator<=>(const Endpoint&, const Endpoint&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Endpoint& e) {
    return H::combine(std::move(h), e.address, e.port);
  }
};

// A socket address of either family, as bind(2), connect(2) and getpeername(2) take it.
struct SocketAddress {
  union {
    sockaddr generic;
    sockaddr_in ipv4;
    sockaddr_in6 ipv6;
  };
  socklen_t length = 0;

  SocketAddress() : ipv6{} {}
  explicit SocketAddress(const Endpoint& endpoint);
  // Error: InvalidArgument when the family is neither AF_INET nor AF_INET6.
  absl::StatusOr<Endpoint> ToEndpoint() const;
  int family() const { return generic.sa_family; }
};

}  // namespace fairlead::net
