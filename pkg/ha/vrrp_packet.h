// VRRP version 3 advertisements (RFC 9568 §5), IPv4 and IPv6. Pure.
//
//    0                   1                   2                   3
//   | version 3, type 1 | virtual router id | priority | addresses |
//   | 0, interval in centiseconds (12 bits)            | checksum  |
//   | addresses: 4 or 16 bytes each ...                            |
//
// They travel in IP protocol 112 with a time to live (hop limit) of 255, so that none comes through
// a router.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "pkg/net/ip_address.h"

namespace fairlead::ha {

inline constexpr uint8_t kVrrpProtocol = 112;
inline constexpr uint8_t kVrrpHopLimit = 255;
// RFC 9568 §5.1.1.2, §5.1.2.2.
net::IpAddress VrrpGroup(net::IpFamily family);  // 224.0.0.18, ff02::12

inline constexpr uint8_t kPriorityResign = 0;   // the Master gives up
inline constexpr uint8_t kPriorityOwner = 255;  // above all that may be configured
inline constexpr absl::Duration kVrrpTick = absl::Milliseconds(10);
inline constexpr absl::Duration kVrrpIntervalMax = absl::Milliseconds(40950);

// What one advertisement has room for in a packet of 1,280 bytes, the least that IPv6 carries.
inline constexpr size_t kAdvertAddressesMax = 76;

struct VrrpAdvert {
  uint8_t virtual_router_id = 1;
  uint8_t priority = 100;
  absl::Duration interval = absl::Seconds(1);  // 10 ms to 40.95 s, whole centiseconds
  std::vector<net::IpAddress> addresses;       // of the family that carries it
  friend bool operator==(const VrrpAdvert&, const VrrpAdvert&) = default;
};

// The checksum over IPv4: RFC 9568 §5.2.8 leaves the pseudo header out, RFC 5798 was read both ways
// and keepalived puts it in. Over IPv6 it is in.
enum class VrrpChecksum { kPseudoHeader, kPlain };

// The payload of the IP packet from `source` to `destination`, both of one family. Addresses of the
// other family, and those beyond kAdvertAddressesMax, are left out.
std::vector<uint8_t> BuildAdvert(const VrrpAdvert& advert, const net::IpAddress& source,
                                 const net::IpAddress& destination, VrrpChecksum checksum);

// Reads the payload of such a packet; either checksum will do. Error (InvalidArgument): what is
// wrong with it, without who sent it.
absl::StatusOr<VrrpAdvert> ParseAdvert(absl::Span<const uint8_t> payload,
                                       const net::IpAddress& source,
                                       const net::IpAddress& destination, int hop_limit);

}  // namespace fairlead::ha
