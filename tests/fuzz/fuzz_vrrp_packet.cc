// Packets of anybody on the network into the parser of VRRP advertisements; what it accepts is
// built again and accepted again. The first byte says which family carries it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "pkg/ha/vrrp_packet.h"

using fairlead::ha::BuildAdvert;
using fairlead::ha::ParseAdvert;
using fairlead::ha::VrrpChecksum;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const bool ipv4 = (data[0] & 1) == 0;
  const auto source = *fairlead::net::IpAddress::Parse(ipv4 ? "10.0.0.1" : "fe80::1");
  const auto group = fairlead::ha::VrrpGroup(source.family());
  const auto advert = ParseAdvert({data + 1, size - 1}, source, group, 255);
  if (!advert.ok()) return 0;
  if (advert->interval < fairlead::ha::kVrrpTick) std::abort();
  if (advert->addresses.size() > 255) std::abort();
  const auto again =
      ParseAdvert(BuildAdvert(*advert, source, group, VrrpChecksum::kPlain), source, group, 255);
  if (!again.ok() || again->priority != advert->priority || again->interval != advert->interval) {
    std::abort();
  }
  return 0;
}
