#include "pkg/ha/vrrp_packet.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "pkg/net/packet_bytes.h"

namespace fairlead::ha {
namespace {

constexpr size_t kHeaderSize = 8;
constexpr uint8_t kVersionAndType = 0x31;
constexpr uint16_t kIntervalMask = 0x0fff;

uint16_t Checksum(absl::Span<const uint8_t> payload, const net::IpAddress& source,
                  const net::IpAddress& destination, VrrpChecksum form) {
  net::InternetChecksum checksum;
  if (form == VrrpChecksum::kPseudoHeader || !source.is_ipv4()) {
    checksum.AddPseudoHeader(source, destination, kVrrpProtocol,
                             static_cast<uint16_t>(payload.size()));
  }
  checksum.Add(payload);
  return checksum.Finish();
}

}  // namespace

net::IpAddress VrrpGroup(net::IpFamily family) {
  constexpr std::array<uint8_t, 4> kIpv4 = {224, 0, 0, 18};
  constexpr std::array<uint8_t, 16> kIpv6 = {0xff, 0x02, 0, 0, 0, 0, 0, 0,
                                             0,    0,    0, 0, 0, 0, 0, 0x12};
  if (family == net::IpFamily::kIpv4) return net::IpAddress::FromBytes(kIpv4);
  return net::IpAddress::FromBytes(kIpv6);
}

std::vector<uint8_t> BuildAdvert(const VrrpAdvert& advert, const net::IpAddress& source,
                                 const net::IpAddress& destination, VrrpChecksum checksum) {
  std::vector<uint8_t> payload(kHeaderSize);
  uint8_t count = 0;
  for (const net::IpAddress& address : advert.addresses) {
    if (address.family() != source.family() || count >= kAdvertAddressesMax) continue;
    ++count;
    payload.insert(payload.end(), address.bytes().begin(), address.bytes().end());
  }
  payload[0] = kVersionAndType;
  payload[1] = advert.virtual_router_id;
  payload[2] = advert.priority;
  payload[3] = count;
  const absl::Duration interval = std::clamp(advert.interval, kVrrpTick, kVrrpIntervalMax);
  net::Put16(&payload[4], static_cast<uint16_t>(interval / kVrrpTick));
  net::Put16(&payload[6], Checksum(payload, source, destination, checksum));
  return payload;
}

absl::StatusOr<VrrpAdvert> ParseAdvert(absl::Span<const uint8_t> payload,
                                       const net::IpAddress& source,
                                       const net::IpAddress& destination, int hop_limit) {
  if (hop_limit != kVrrpHopLimit) {
    return absl::InvalidArgumentError(
        absl::StrCat("it came with a time to live of ", hop_limit, ", not 255: through a router",
                     source.is_ipv4() ? ""
                                      : ", or from keepalived by unicast, which wants sysctl "
                                        "net.ipv6.conf.INTERFACE.hop_limit=255 for that"));
  }
  if (payload.size() < kHeaderSize) {
    return absl::InvalidArgumentError(absl::StrCat(payload.size(), " bytes are too few"));
  }
  if (payload[0] != kVersionAndType) {
    return absl::InvalidArgumentError(
        absl::StrCat("VRRP version ", payload[0] >> 4, ", type ", payload[0] & 0xf,
                     "; it must be version 3 (keepalived: vrrp_version 3), type 1"));
  }
  const size_t width = source.bytes().size();
  const size_t count = payload[3];
  if (payload.size() < kHeaderSize + count * width) {
    return absl::InvalidArgumentError(
        absl::StrCat("it names ", count, " addresses and is too short for them"));
  }
  if (Checksum(payload, source, destination, VrrpChecksum::kPseudoHeader) != 0 &&
      (!source.is_ipv4() || Checksum(payload, source, destination, VrrpChecksum::kPlain) != 0)) {
    return absl::InvalidArgumentError("its checksum is wrong");
  }
  const uint16_t ticks = net::Get16(&payload[4]) & kIntervalMask;
  if (ticks == 0) return absl::InvalidArgumentError("its interval is 0");
  VrrpAdvert advert = {.virtual_router_id = payload[1],
                       .priority = payload[2],
                       .interval = ticks * kVrrpTick,
                       .addresses = {}};
  for (size_t i = 0; i < count; ++i) {
    advert.addresses.push_back(
        net::IpAddress::FromBytes(payload.subspan(kHeaderSize + i * width, width)));
  }
  return advert;
}

}  // namespace fairlead::ha
