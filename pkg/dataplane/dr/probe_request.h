// The question to a neighbour by which PathVerifier proves an interface: an ARP request (RFC 826)
// or a neighbour solicitation (RFC 4861 §4.3), to the neighbour's own MAC, so that nobody else
// answers. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "pkg/dataplane/dr/bpf/dr_maps.h"
#include "pkg/dataplane/dr/service_entry.h"
#include "pkg/net/ip_address.h"

namespace fairlead::dataplane::dr {

struct ProbeTarget {
  net::IpAddress neighbour;
  MacAddress neighbour_mac{};
  net::IpAddress source;  // an address of this host, of the same family
  MacAddress source_mac{};
  friend bool operator==(const ProbeTarget&, const ProbeTarget&) = default;
};

// The whole frame: 42 bytes for IPv4, 78 for IPv6.
std::string ProbeRequest(const ProbeTarget& target);

// What the program needs to know of the probe; idle, without a proof.
bpf::DrProbe MakeProbe(const ProbeTarget& target);

}  // namespace fairlead::dataplane::dr
