// Whether a VIP can use a real server at all, and whether two real servers are the same place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "pkg/model/vip.h"

namespace fairlead::model {

// "" when a VIP or a real server can have this address, else why not.
std::string AddressProblem(const net::IpAddress& address);

// "" when `vip` can connect to `address`:`port` (port absent or 0 = the client's destination
// port), else the reason: the family of the source address does not match, the server is the VIP
// itself, or mode DR cannot reach it so.
std::string ServerMisfit(const Vip& vip, const net::IpAddress& address,
                         std::optional<uint16_t> port);

// The same for a server as it is declared. Of one with a host name only the mode is known yet: its
// addresses are looked at when they have been resolved.
std::string ServerMisfit(const Vip& vip, const ServerSpec& spec);

// "" when, by what is declared, clients' packets can go to the server as they are (mode Auto), else
// why it has to be proxied.
std::string DirectMisfit(const Vip& vip, const ServerSpec& spec);

// What no two servers of one VIP may have in common: the host name or the address, and the port.
struct ServerPlace {
  std::string host_name;
  net::IpAddress address;  // 0.0.0.0 with a host name
  uint16_t port = 0;       // 0 = the client's destination port

  // "10.0.0.2", "[fd00::2]:80", "print1.example.com:9100".
  std::string ToString() const;
  friend bool operator==(const ServerPlace&, const ServerPlace&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const ServerPlace& place) {
    return H::combine(std::move(h), place.host_name, place.address, place.port);
  }
};
ServerPlace PlaceOf(const ServerSpec& spec);

}  // namespace fairlead::model
