// The interfaces of this host, as asking for addresses needs them (getifaddrs(3)).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pkg/net/ip_address.h"
#include "pkg/net/mac_address.h"

namespace fairlead::arp {

struct InterfaceAddress {
  net::IpAddress address;
  int prefix_length = 0;
};

struct Interface {
  uint32_t ifindex = 0;
  std::string name;
  net::MacAddress mac{};
  bool asks = false;     // it is up, and has MACs to ask for (Ethernet, not loopback)
  bool carrier = false;  // its link is there too: a cable, a switch at the other end
  std::vector<InterfaceAddress> addresses;

  bool Has(const net::IpAddress& address) const;
  // The network of one of its addresses holds it.
  bool Reaches(const net::IpAddress& address) const;
};

using Interfaces = std::map<uint32_t, Interface>;  // by ifindex

// Empty when they cannot be read.
Interfaces ReadInterfaces();

// Where a neighbour solicitation comes from: a link-local address (every interface with IPv6 has
// one), else any other of IPv6 but `target`. Nothing: it has none.
std::optional<net::IpAddress> SolicitationSource(const Interface& interface,
                                                 const net::IpAddress& target);

}  // namespace fairlead::arp
