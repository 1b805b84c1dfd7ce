// Which address of this host a check along direct routing comes from. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <set>

#include "pkg/dataplane/dr/rtnetlink.h"
#include "pkg/net/ip_address.h"

namespace fairlead::dataplane::dr {

// An address of the interface and of the real server's family which is none of `vips`: the server
// has those itself, and would answer to itself. Best is the one with the longest prefix that holds
// the server, so that the answer comes straight back; then one that is not deprecated and no host
// route (an address with a prefix of its full length is most often an additional one); then the
// first.
std::optional<net::IpAddress> ChooseSource(const HostAddresses& addresses, uint32_t ifindex,
                                           const net::IpAddress& server,
                                           const std::set<net::IpAddress>& vips);

}  // namespace fairlead::dataplane::dr
