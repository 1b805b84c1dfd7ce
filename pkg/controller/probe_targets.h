// Which checks a real server of a VIP needs. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "pkg/dataplane/data_plane.h"
#include "pkg/health/health_monitor.h"
#include "pkg/model/desired_state.h"

namespace fairlead::controller {

// The targets of one server that is at `address`, each with the port that it stands for: the VIP's
// port with `port: Each`, else the port that is probed (0 for ICMP and None). The id holds the
// endpoint, so that a server that moved to another address starts without a verdict.
std::vector<std::pair<uint16_t, health::ProbeTarget>> ProbeTargetsOf(const model::Vip& vip,
                                                                     const model::VipServer& server,
                                                                     const net::IpAddress& address);

// The checks along direct routing of the same server, one for each address of the VIP of its
// family, with that address: a client may come to any of them. On the port that the plain check
// asks (with `port: Each` the first), also when the VIP itself is UDP. The id holds neither
// interface nor MAC, so that a verdict outlives their change until the next check has another one.
std::vector<std::pair<net::IpAddress, health::ProbeTarget>> PathTargetsOf(
    const model::Vip& vip, const model::VipServer& server, const net::IpAddress& address,
    const dataplane::DirectPath& path);

}  // namespace fairlead::controller
