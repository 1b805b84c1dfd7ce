// The frames of a check along direct routing: what is sent to the VIP by the real server's MAC, and
// what comes back. Pure.
//
// Each check has a token of 32 bits, which comes back in its answer: the sequence number of the SYN
// (acknowledged as token + 1), or identifier and sequence number of the ICMP echo. Its upper half
// is common to all checks of the process, so that one comparison in the kernel tells their answers
// from all other packets.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "pkg/net/endpoint.h"
#include "pkg/net/mac_address.h"

namespace fairlead::health {

// Who asks whom. Ports are 0 for ICMP.
struct DirectQuestion {
  net::MacAddress mac{};         // the real server's
  net::MacAddress source_mac{};  // ours
  net::Endpoint source;
  net::Endpoint vip;
  uint32_t token = 0;
};

std::vector<uint8_t> BuildDirectSyn(const DirectQuestion& question);
std::vector<uint8_t> BuildDirectEcho(const DirectQuestion& question);

struct DirectAnswer {
  enum class Kind { kSynAck, kReset, kEchoReply };
  Kind kind = Kind::kSynAck;
  net::MacAddress mac{};      // that it came from
  net::MacAddress own_mac{};  // that it came to
  net::Endpoint vip;          // that it came from
  net::Endpoint own;          // that it came to
  uint32_t token = 0;         // of the check that it answers, if it answers one
};

// Nothing for frames that can be no answer.
std::optional<DirectAnswer> ParseDirectAnswer(absl::Span<const uint8_t> frame);

// The RST that ends the handshake which a SYN-ACK offers, to the host that sent it.
std::vector<uint8_t> BuildDirectReset(const DirectAnswer& syn_ack);

}  // namespace fairlead::health
