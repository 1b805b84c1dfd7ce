// What packets that are built and read by hand need: byte order, the Internet checksum (RFC 1071),
// the end of an IPv4 header. Pure.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "pkg/net/ip_address.h"

namespace fairlead::net {

// Sums of 16-bit words in network order; an odd last byte is padded with zero.
class InternetChecksum {
 public:
  void Add(absl::Span<const uint8_t> bytes);
  // The pseudo header of RFC 9293 §3.1 and RFC 8200 §8.1: addresses, length, protocol.
  void AddPseudoHeader(const IpAddress& source, const IpAddress& destination, uint8_t protocol,
                       uint16_t length);
  // Host order; 0 when the bytes held a right checksum.
  uint16_t Finish() const;

 private:
  uint64_t sum_ = 0;  // at most 65,535 x 2^48 words fit
};

// Network order.
inline void Put16(uint8_t* at, uint16_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}
inline void Put32(uint8_t* at, uint32_t value) {
  Put16(at, static_cast<uint16_t>(value >> 16));
  Put16(at + 2, static_cast<uint16_t>(value));
}
inline uint16_t Get16(const uint8_t* at) { return static_cast<uint16_t>(at[0] << 8 | at[1]); }
inline uint32_t Get32(const uint8_t* at) { return uint32_t{Get16(at)} << 16 | Get16(at + 2); }

// An IPv4 packet without its IP header, as raw sockets deliver it with one (raw(7)); empty when the
// packet is shorter than its header says.
absl::Span<const uint8_t> WithoutIpv4Header(absl::Span<const uint8_t> packet);

}  // namespace fairlead::net
