#include "pkg/health/tcp_segment.h"

#include <netinet/in.h>

#include "pkg/net/packet_bytes.h"

namespace fairlead::health {
namespace {

constexpr uint8_t kSyn = 0x02;
constexpr uint8_t kRst = 0x04;
constexpr uint8_t kAck = 0x10;
constexpr size_t kTcpHeaderSize = 20;
constexpr uint16_t kWindow = 64240;  // what Linux offers in a SYN: 44 x 1,460
constexpr uint16_t kMssIpv4 = 1460;  // 1,500 - 20 - 20
constexpr uint16_t kMssIpv6 = 1440;  // 1,500 - 40 - 20

}  // namespace

std::array<uint8_t, kSynSize> BuildSyn(const net::Endpoint& source,
                                       const net::Endpoint& destination, uint32_t sequence) {
  std::array<uint8_t, kSynSize> segment{};
  net::Put16(&segment[0], source.port);
  net::Put16(&segment[2], destination.port);
  net::Put32(&segment[4], sequence);
  segment[12] = (kSynSize / 4) << 4;
  segment[13] = kSyn;
  net::Put16(&segment[14], kWindow);
  segment[20] = 2;  // option: maximum segment size, RFC 9293 §3.7.1
  segment[21] = 4;
  net::Put16(&segment[22], destination.address.is_ipv4() ? kMssIpv4 : kMssIpv6);
  net::InternetChecksum checksum;
  checksum.AddPseudoHeader(source.address, destination.address, IPPROTO_TCP, kSynSize);
  checksum.Add(segment);
  net::Put16(&segment[16], checksum.Finish());
  return segment;
}

std::array<uint8_t, kResetSize> BuildReset(const net::Endpoint& source,
                                           const net::Endpoint& destination, uint32_t sequence) {
  std::array<uint8_t, kResetSize> segment{};
  net::Put16(&segment[0], source.port);
  net::Put16(&segment[2], destination.port);
  net::Put32(&segment[4], sequence);
  segment[12] = (kResetSize / 4) << 4;
  segment[13] = kRst;
  net::InternetChecksum checksum;
  checksum.AddPseudoHeader(source.address, destination.address, IPPROTO_TCP, kResetSize);
  checksum.Add(segment);
  net::Put16(&segment[16], checksum.Finish());
  return segment;
}

std::optional<TcpSegment> ParseTcpSegment(absl::Span<const uint8_t> bytes) {
  if (bytes.size() < kTcpHeaderSize) return std::nullopt;
  TcpSegment segment;
  segment.source_port = net::Get16(&bytes[0]);
  segment.destination_port = net::Get16(&bytes[2]);
  segment.acknowledged = net::Get32(&bytes[8]);
  segment.syn = (bytes[13] & kSyn) != 0;
  segment.ack = (bytes[13] & kAck) != 0;
  segment.rst = (bytes[13] & kRst) != 0;
  return segment;
}

}  // namespace fairlead::health
