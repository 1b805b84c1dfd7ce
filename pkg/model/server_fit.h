// Whether a VIP can use a real server at all.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pkg/model/vip.h"

namespace fairlead::model {

// "" when `vip` can connect to `address`:`port` (port absent or 0 = the client's destination
// port), else the reason: the family of the source address does not match, or the server is the
// VIP itself.
std::string ServerMisfit(const Vip& vip, const net::IpAddress& address,
                         std::optional<uint16_t> port);

}  // namespace fairlead::model
