#include "pkg/net/ip_frame.h"

#include <linux/if_ether.h>

#include <algorithm>

#include "pkg/net/packet_bytes.h"

namespace fairlead::net {
namespace {

constexpr size_t kIpv4HeaderSize = 20;
constexpr size_t kIpv6HeaderSize = 40;
constexpr uint16_t kMoreFragmentsOrOffset = 0x3fff;
constexpr uint16_t kDontFragment = 0x4000;

void PutAddresses(const IpFrame& frame, uint8_t* at) {
  const auto source = frame.source.bytes();
  std::copy(source.begin(), source.end(), at);
  const auto destination = frame.destination.bytes();
  std::copy(destination.begin(), destination.end(), at + source.size());
}

void PutIpv4Header(const IpFrame& frame, uint8_t* header) {
  header[0] = 0x45;
  Put16(header + 2, static_cast<uint16_t>(kIpv4HeaderSize + frame.payload.size()));
  Put16(header + 6, kDontFragment);
  header[8] = frame.hop_limit;
  header[9] = frame.protocol;
  PutAddresses(frame, header + 12);
  InternetChecksum checksum;
  checksum.Add(absl::MakeConstSpan(header, kIpv4HeaderSize));
  Put16(header + 10, checksum.Finish());
}

void PutIpv6Header(const IpFrame& frame, uint8_t* header) {
  header[0] = 0x60;
  Put16(header + 4, static_cast<uint16_t>(frame.payload.size()));
  header[6] = frame.protocol;
  header[7] = frame.hop_limit;
  PutAddresses(frame, header + 8);
}

bool ParseIpv4(absl::Span<const uint8_t> packet, IpFrame* frame) {
  const absl::Span<const uint8_t> rest = WithoutIpv4Header(packet);
  const size_t header_size = packet.size() - rest.size();
  if (rest.empty() || (packet[0] >> 4) != 4) return false;
  const size_t total_size = Get16(&packet[2]);
  if (total_size < header_size || total_size > packet.size()) return false;
  if ((Get16(&packet[6]) & kMoreFragmentsOrOffset) != 0) return false;
  frame->hop_limit = packet[8];
  frame->protocol = packet[9];
  frame->source = IpAddress::FromBytes(packet.subspan(12, 4));
  frame->destination = IpAddress::FromBytes(packet.subspan(16, 4));
  frame->payload = packet.subspan(header_size, total_size - header_size);
  return true;
}

bool ParseIpv6(absl::Span<const uint8_t> packet, IpFrame* frame) {
  if (packet.size() < kIpv6HeaderSize || (packet[0] >> 4) != 6) return false;
  const size_t size = Get16(&packet[4]);
  if (size > packet.size() - kIpv6HeaderSize) return false;
  frame->protocol = packet[6];
  frame->hop_limit = packet[7];
  frame->source = IpAddress::FromBytes(packet.subspan(8, 16));
  frame->destination = IpAddress::FromBytes(packet.subspan(24, 16));
  // An IPv4-mapped address on the wire (RFC 4291 §2.5.5.2) is nobody's.
  if (frame->source.is_ipv4() || frame->destination.is_ipv4()) return false;
  frame->payload = packet.subspan(kIpv6HeaderSize, size);
  return true;
}

}  // namespace

std::vector<uint8_t> BuildIpFrame(const IpFrame& frame) {
  const bool ipv4 = frame.source.is_ipv4();
  const size_t header_size = ipv4 ? kIpv4HeaderSize : kIpv6HeaderSize;
  std::vector<uint8_t> bytes(kEthernetHeaderSize + header_size);
  std::copy(frame.destination_mac.begin(), frame.destination_mac.end(), bytes.begin());
  std::copy(frame.source_mac.begin(), frame.source_mac.end(), bytes.begin() + 6);
  Put16(&bytes[12], ipv4 ? ETH_P_IP : ETH_P_IPV6);
  if (ipv4) {
    PutIpv4Header(frame, &bytes[kEthernetHeaderSize]);
  } else {
    PutIpv6Header(frame, &bytes[kEthernetHeaderSize]);
  }
  bytes.insert(bytes.end(), frame.payload.begin(), frame.payload.end());
  return bytes;
}

std::optional<IpFrame> ParseIpFrame(absl::Span<const uint8_t> bytes) {
  if (bytes.size() < kEthernetHeaderSize) return std::nullopt;
  IpFrame frame;
  std::copy_n(bytes.begin(), 6, frame.destination_mac.begin());
  std::copy_n(bytes.begin() + 6, 6, frame.source_mac.begin());
  const uint16_t type = Get16(&bytes[12]);
  const absl::Span<const uint8_t> packet = bytes.subspan(kEthernetHeaderSize);
  const bool parsed = (type == ETH_P_IP && ParseIpv4(packet, &frame)) ||
                      (type == ETH_P_IPV6 && ParseIpv6(packet, &frame));
  if (!parsed) return std::nullopt;
  return frame;
}

}  // namespace fairlead::net
