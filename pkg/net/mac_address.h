// MacAddress: the 48-bit address of an Ethernet station (IEEE 802, EUI-48), in the order of the
// wire.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairlead::net {

using MacAddress = std::array<uint8_t, 6>;

inline constexpr MacAddress kBroadcastMac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

// "02:00:5e:10:00:01", as ip(8) prints it.
std::string MacText(const MacAddress& mac);
// Six pairs of hexadecimal digits, either case, with colons or hyphens between. Error:
// InvalidArgument naming the text.
absl::StatusOr<MacAddress> ParseMac(absl::string_view text);

}  // namespace fairlead::net
