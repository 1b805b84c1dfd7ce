// The main routing tables, from /proc/net/route and /proc/net/ipv6_route.
#pragma once

#include <string>

#include "pkg/doctor/host_tree.h"
#include "pkg/net/ip_address.h"

namespace fairlead::doctor {

// The interface of the longest route to the address, lo left out; the default route counts. "" when
// there is none.
std::string InterfaceTowards(const HostTree& tree, const net::IpAddress& address);

}  // namespace fairlead::doctor
