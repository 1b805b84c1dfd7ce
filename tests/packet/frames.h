// Frames for the packet tests, built layer by layer: each function puts its header before
// `payload`.
//
//   Ethernet(kTypeIpv4, Ipv4(flow, IPPROTO_TCP, Tcp(flow, kSyn)))
#pragma once

#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "pkg/net/ip_address.h"

namespace fairlead::dataplane::dr {

using Bytes = std::vector<uint8_t>;
using Mac = std::array<uint8_t, 6>;

inline constexpr uint16_t kTypeIpv4 = 0x0800;
inline constexpr uint16_t kTypeIpv6 = 0x86dd;
inline constexpr uint16_t kTypeArp = 0x0806;
inline constexpr uint16_t kTypeVlan = 0x8100;
inline constexpr uint8_t kSyn = 0x02;
inline constexpr uint8_t kSynAck = 0x12;
inline constexpr uint8_t kAck = 0x10;
inline constexpr uint8_t kReset = 0x04;

inline constexpr Mac kOwnMac = {2, 0, 0, 0, 0, 1};
inline constexpr Mac kRouterMac = {2, 0, 0, 0, 0, 0xfe};
// The MAC of real server 1, 2, ...
Mac ServerMac(uint8_t index);

// Client to VIP.
struct Flow {
  net::IpAddress client;
  net::IpAddress vip;
  uint16_t client_port = 0;
  uint16_t vip_port = 0;

  Flow Reversed() const { return {vip, client, vip_port, client_port}; }
};
// Addresses as text; CHECKs that they are some.
Flow MakeFlow(const std::string& client, uint16_t client_port, const std::string& vip,
              uint16_t vip_port);

struct Ipv4Options {
  Bytes options = {};     // a multiple of 4 bytes
  uint16_t fragment = 0;  // flags and offset, host order: 0x2000 = more fragments
  uint16_t id = 0;
};

Bytes Ethernet(uint16_t type, const Bytes& payload, const Mac& destination = kOwnMac);
// What follows Ethernet's type kTypeVlan.
Bytes VlanTag(uint16_t identifier, uint16_t type, const Bytes& payload);
Bytes Ipv4(const Flow& flow, uint8_t protocol, const Bytes& payload, Ipv4Options options = {});
Bytes Ipv6(const Flow& flow, uint8_t next_header, const Bytes& payload);
// An IPv6 extension header of 8 * (1 + `units`) bytes; `fill` in its third to eighth byte.
Bytes Extension(uint8_t next_header, uint8_t units, const Bytes& payload, uint8_t fill = 0);
// RFC 8200 §4.5; `offset` in units of 8 bytes.
Bytes Fragment(uint8_t next_header, uint16_t offset, bool more, uint32_t id, const Bytes& payload);
Bytes Tcp(const Flow& flow, uint8_t flags, const Bytes& payload = {});
Bytes Udp(const Flow& flow, const Bytes& payload = {1, 2, 3, 4});
// An ICMP or ICMPv6 message with 4 bytes of rest and `quoted` behind it.
Bytes Icmp(uint8_t type, uint8_t code, const Bytes& quoted);

// A whole frame of the flow, of the family of its addresses.
Bytes TcpFrame(const Flow& flow, uint8_t flags);
Bytes UdpFrame(const Flow& flow);

}  // namespace fairlead::dataplane::dr
