#include "pkg/net/packet_bytes.h"

#include <cstddef>

namespace fairlead::net {
namespace {

constexpr size_t kIpv4HeaderSizeMin = 20;

}  // namespace

void InternetChecksum::Add(absl::Span<const uint8_t> bytes) {
  size_t i = 0;
  for (; i + 1 < bytes.size(); i += 2) sum_ += Get16(bytes.data() + i);
  if (i < bytes.size()) sum_ += uint64_t{bytes[i]} << 8;
}

void InternetChecksum::AddPseudoHeader(const IpAddress& source, const IpAddress& destination,
                                       uint8_t protocol, uint16_t length) {
  Add(source.bytes());
  Add(destination.bytes());
  sum_ += protocol;
  sum_ += length;
}

uint16_t InternetChecksum::Finish() const {
  uint64_t sum = sum_;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

absl::Span<const uint8_t> WithoutIpv4Header(absl::Span<const uint8_t> packet) {
  if (packet.size() < kIpv4HeaderSizeMin) return {};
  const size_t header_size = size_t{packet[0] & 0x0fu} * 4;  // RFC 791 §3.1: IHL
  if (header_size < kIpv4HeaderSizeMin || packet.size() < header_size) return {};
  return packet.subspan(header_size);
}

}  // namespace fairlead::net
