// The TCP segments of a half-open check: the SYN, whatever comes back, the RST. Pure.
//
//   0               2               4               8               12  13    14      16   18   20
//   | source port   | dest. port    | sequence      | acknowledged  |off|flags|window |sum |urg
//   |MSS
//                                                                        RFC 9293 §3.1
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "absl/types/span.h"
#include "pkg/net/endpoint.h"

namespace fairlead::health {

inline constexpr size_t kSynSize = 24;  // header of 20 bytes and the MSS option of 4

// The SYN from `source` to `destination` (same family) with its checksum.
std::array<uint8_t, kSynSize> BuildSyn(const net::Endpoint& source,
                                       const net::Endpoint& destination, uint32_t sequence);

inline constexpr size_t kResetSize = 20;

// The RST that ends what a SYN-ACK offers: `sequence` is what it acknowledged (RFC 9293 §3.10.7.3).
std::array<uint8_t, kResetSize> BuildReset(const net::Endpoint& source,
                                           const net::Endpoint& destination, uint32_t sequence);

struct TcpSegment {
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint32_t acknowledged = 0;
  bool syn = false;
  bool ack = false;
  bool rst = false;
};

// `bytes` begins with the TCP header; nothing when it is too short.
std::optional<TcpSegment> ParseTcpSegment(absl::Span<const uint8_t> bytes);

}  // namespace fairlead::health
