// Which address of a host name a real server has. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pkg/model/vip.h"
#include "pkg/net/ip_address.h"
#include "pkg/resolver/name_resolver.h"

namespace fairlead::controller {

struct NameChoice {
  std::optional<net::IpAddress> address;
  std::string problem;  // why the answer gave none; "" = it did
};

// `current` stays as long as it is among the answer's addresses that `vip` can use, so that a name
// with several addresses does not move its server about; else the first of them (they are sorted).
// An answer without one (an outage, a mistake in the zone) changes nothing: the last good address
// stays, with the problem beside it.
NameChoice ChooseAddress(const model::Vip& vip, std::optional<uint16_t> port,
                         const std::optional<net::IpAddress>& current,
                         const resolver::Answer& answer);

}  // namespace fairlead::controller
