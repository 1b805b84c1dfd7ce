#include "pkg/arp/claim_frame.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "pkg/net/ip_frame.h"
#include "pkg/net/packet_bytes.h"

namespace fairlead::arp {
namespace {

constexpr size_t kArpSize = 28;  // for Ethernet and IPv4, RFC 826
constexpr uint8_t kSolicitation = 135;
constexpr uint8_t kAdvertisement = 136;
constexpr size_t kAdvertisementSize = 24;  // RFC 4861 §4.4, without options
constexpr uint8_t kSourceLinkLayer = 1;    // RFC 4861 §4.6.1
constexpr uint8_t kTargetLinkLayer = 2;
constexpr uint8_t kHopLimit = 255;  // RFC 4861 §7.1: what came through a router is none

constexpr uint8_t kRouterFlag = 0x80;
constexpr uint8_t kOverrideFlag = 0x20;
using Ipv6Bytes = std::array<uint8_t, 16>;
constexpr Ipv6Bytes kAllNodes = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

// RFC 4291 §2.7.1: ff02::1:ff and the last 24 bits.
Ipv6Bytes SolicitedNodeGroup(const net::IpAddress& target) {
  Ipv6Bytes group = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
  std::copy_n(target.bytes().end() - 3, 3, group.end() - 3);
  return group;
}

// A solicitation or an advertisement, with room for one option (RFC 4861 §4.3, §4.4).
std::array<uint8_t, 32> NeighbourMessage(uint8_t type, const net::IpAddress& target) {
  std::array<uint8_t, 32> message{};
  message[0] = type;
  std::copy(target.bytes().begin(), target.bytes().end(), message.begin() + 8);
  return message;
}

void PutLinkLayerOption(uint8_t type, const net::MacAddress& mac, uint8_t* at) {
  at[0] = type;
  at[1] = 1;  // eight bytes
  std::copy(mac.begin(), mac.end(), at + 2);
}

// To a multicast group, whose MAC is 33:33 and its last 32 bits (RFC 2464 §7).
std::vector<uint8_t> BuildNeighbourFrame(const net::MacAddress& own_mac,
                                         const net::IpAddress& source, const Ipv6Bytes& group,
                                         absl::Span<uint8_t> message) {
  net::IpFrame frame = {.destination_mac = {0x33, 0x33, group[12], group[13], group[14], group[15]},
                        .source_mac = own_mac,
                        .source = source,
                        .destination = net::IpAddress::FromBytes(group),
                        .protocol = IPPROTO_ICMPV6,
                        .hop_limit = kHopLimit,
                        .payload = message};
  net::InternetChecksum checksum;
  checksum.AddPseudoHeader(frame.source, frame.destination, IPPROTO_ICMPV6,
                           static_cast<uint16_t>(message.size()));
  checksum.Add(message);
  net::Put16(&message[2], checksum.Finish());
  return net::BuildIpFrame(frame);
}

std::optional<Claim> ParseArp(absl::Span<const uint8_t> arp) {
  constexpr uint8_t kEthernetAndIpv4[] = {0, 1, 8, 0, 6, 4};
  if (arp.size() < kArpSize ||
      !std::equal(std::begin(kEthernetAndIpv4), std::end(kEthernetAndIpv4), arp.begin())) {
    return std::nullopt;
  }
  const uint16_t operation = net::Get16(&arp[6]);
  if (operation != 1 && operation != 2) return std::nullopt;
  Claim claim;
  std::copy_n(arp.begin() + 8, claim.mac.size(), claim.mac.begin());
  claim.address = net::IpAddress::FromBytes(arp.subspan(14, 4));
  if (claim.address.is_unspecified()) return std::nullopt;
  return claim;
}

std::optional<Claim> ParseAdvertisement(const net::IpFrame& frame) {
  const absl::Span<const uint8_t> message = frame.payload;
  if (frame.protocol != IPPROTO_ICMPV6 || frame.hop_limit != kHopLimit ||
      message.size() < kAdvertisementSize || message[0] != kAdvertisement || message[1] != 0) {
    return std::nullopt;
  }
  Claim claim;
  claim.address = net::IpAddress::FromBytes(message.subspan(8, 16));
  if (claim.address.is_ipv4() || claim.address.is_multicast()) return std::nullopt;
  claim.mac = frame.source_mac;  // when it does not say (RFC 4861 §4.4)
  size_t at = kAdvertisementSize;
  while (at + 2 <= message.size()) {
    const size_t size = size_t{message[at + 1]} * 8;
    if (size == 0 || at + size > message.size()) return std::nullopt;  // RFC 4861 §7.1.2
    if (message[at] == kTargetLinkLayer && size == 8) {
      std::copy_n(message.begin() + static_cast<ptrdiff_t>(at) + 2, claim.mac.size(),
                  claim.mac.begin());
    }
    at += size;
  }
  return claim;
}

}  // namespace

std::vector<uint8_t> BuildArpProbe(const net::MacAddress& own_mac, const net::IpAddress& target) {
  std::vector<uint8_t> frame(net::kEthernetHeaderSize + kArpSize);
  std::copy(net::kBroadcastMac.begin(), net::kBroadcastMac.end(), frame.begin());
  std::copy(own_mac.begin(), own_mac.end(), frame.begin() + 6);
  net::Put16(&frame[12], ETH_P_ARP);
  uint8_t* arp = &frame[net::kEthernetHeaderSize];
  net::Put16(arp, 1);             // Ethernet
  net::Put16(arp + 2, ETH_P_IP);  // IPv4
  arp[4] = 6;
  arp[5] = 4;
  net::Put16(arp + 6, 1);  // request
  std::copy(own_mac.begin(), own_mac.end(), arp + 8);
  std::copy(target.bytes().begin(), target.bytes().end(), arp + 24);
  return frame;
}

std::vector<uint8_t> BuildSolicitation(const net::MacAddress& own_mac, const net::IpAddress& source,
                                       const net::IpAddress& target) {
  std::array<uint8_t, 32> message = NeighbourMessage(kSolicitation, target);
  PutLinkLayerOption(kSourceLinkLayer, own_mac, &message[24]);
  return BuildNeighbourFrame(own_mac, source, SolicitedNodeGroup(target), absl::MakeSpan(message));
}

std::vector<uint8_t> BuildDuplicateProbe(const net::MacAddress& own_mac,
                                         const net::IpAddress& target) {
  if (target.is_ipv4()) return BuildArpProbe(own_mac, target);
  std::array<uint8_t, 32> message = NeighbourMessage(kSolicitation, target);
  // RFC 4861 §4.3: without a source there is no option of its MAC either.
  return BuildNeighbourFrame(own_mac, net::IpAddress::FromBytes(Ipv6Bytes{}),
                             SolicitedNodeGroup(target), absl::MakeSpan(message).first(24));
}

std::vector<uint8_t> BuildAnnouncement(const net::MacAddress& own_mac,
                                       const net::IpAddress& address, bool router) {
  if (address.is_ipv4()) {
    std::vector<uint8_t> frame = BuildArpProbe(own_mac, address);
    std::copy(address.bytes().begin(), address.bytes().end(),
              frame.begin() + net::kEthernetHeaderSize + 14);
    return frame;
  }
  std::array<uint8_t, 32> message = NeighbourMessage(kAdvertisement, address);
  message[4] = kOverrideFlag | (router ? kRouterFlag : 0);
  PutLinkLayerOption(kTargetLinkLayer, own_mac, &message[24]);
  return BuildNeighbourFrame(own_mac, address, kAllNodes, absl::MakeSpan(message));
}

std::optional<Claim> ParseClaim(absl::Span<const uint8_t> frame) {
  if (frame.size() >= net::kEthernetHeaderSize && net::Get16(&frame[12]) == ETH_P_ARP) {
    return ParseArp(frame.subspan(net::kEthernetHeaderSize));
  }
  const std::optional<net::IpFrame> packet = net::ParseIpFrame(frame);
  return packet ? ParseAdvertisement(*packet) : std::nullopt;
}

}  // namespace fairlead::arp
