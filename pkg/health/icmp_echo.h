// ICMP echo messages of both families (RFC 792, RFC 4443 §4). Pure.
//
//   0      1      2        4            6          8                24
//   | type | code | sum    | identifier | sequence | token, 16 bytes |
#pragma once

#include <array>
#include <cstdint>

#include "absl/types/span.h"
#include "pkg/net/ip_address.h"

namespace fairlead::health {

// Random; tells the reply to this probe from any other, whatever the kernel does to the identifier.
using EchoToken = std::array<uint8_t, 16>;
using EchoMessage = std::array<uint8_t, 24>;

// With the checksum for IPv4; for IPv6 the kernel fills it in (RFC 3542 §3.1).
EchoMessage BuildEchoRequest(net::IpFamily family, uint16_t identifier, const EchoToken& token);

// `message` begins with the ICMP header.
bool IsEchoReply(net::IpFamily family, absl::Span<const uint8_t> message, const EchoToken& token);

}  // namespace fairlead::health
