// IpFrame: an Ethernet frame with one whole IP packet, as a packet socket sends and receives it
// (packet(7), SOCK_RAW). Pure.
//
//   0                 6            12     14                 34 (IPv4 without options)
//   | destination MAC | source MAC | type | IPv4 header      | payload            RFC 791 §3.1
//                                         | IPv6 header, 40 bytes | payload       RFC 8200 §3
//                                         14                      54
//
// Neither a VLAN tag (the kernel takes it off and puts it on for an interface of a VLAN) nor IPv6
// extension headers: answers to what is sent here have none.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "pkg/net/ip_address.h"
#include "pkg/net/mac_address.h"

namespace fairlead::net {

inline constexpr size_t kEthernetHeaderSize = 14;

struct IpFrame {
  MacAddress destination_mac{};
  MacAddress source_mac{};
  IpAddress source;  // both of one family
  IpAddress destination;
  uint8_t protocol = 0;               // IPPROTO_TCP, ...; the IPv6 next header
  uint8_t hop_limit = 64;             // time to live
  absl::Span<const uint8_t> payload;  // after the IP header; not owned
};

// The frame's bytes, with the checksum of the IPv4 header; the payload's own is the caller's.
// `frame.payload` holds at most 65,515 bytes.
std::vector<uint8_t> BuildIpFrame(const IpFrame& frame);

// Nothing for what is no whole IP packet: another type, a length that does not fit, a fragment.
// Padding behind the packet is left out. `payload` points into `bytes`. Checksums are not looked
// at: of a frame from a neighbour on the same machine they may not be filled in yet.
std::optional<IpFrame> ParseIpFrame(absl::Span<const uint8_t> bytes);

}  // namespace fairlead::net
