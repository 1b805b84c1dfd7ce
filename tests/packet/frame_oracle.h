// An oracle for the packet tests: what a frame is, judged from the RFCs alone and without a look at
// the program. It shares nothing with the program's parser.
//
// Judged is what names the flow, and what RFC 1812 §5.2.2 has a router check before it believes a
// header, but for the header's checksum: like the checksums, flags and options of the transport, it
// is the real server's to judge, which gets the packet as it is.
#pragma once

#include <compare>
#include <cstdint>

#include "pkg/net/ip_address.h"
#include "tests/packet/frames.h"

namespace fairlead::dataplane::dr {

// What all fragments of a datagram have in common (RFC 791 §3.2, RFC 8200 §4.5).
struct Datagram {
  net::IpAddress source;
  net::IpAddress destination;
  uint8_t protocol = 0;  // IPv4 only
  uint32_t id = 0;
  friend auto operator<=>(const Datagram&, const Datagram&) = default;
};

struct Judgement {
  enum class Kind {
    kNone,           // belongs to no flow of TCP or UDP, or is not whole: never to be forwarded
    kFlow,           // a packet of `flow`, or an ICMP error that quotes one of its server
    kLaterFragment,  // without ports: goes where the first fragment of `datagram` went
  };
  Kind kind = Kind::kNone;
  const char* why = "";    // kNone: the rule
  bool is_beyond = false;  // beyond what the program reads, so that it may leave it to the host
  uint16_t vlan = 0;
  uint8_t protocol = 0;  // kFlow: IPPROTO_TCP or IPPROTO_UDP
  Flow flow;             // client to VIP
  bool is_first_fragment = false;
  Datagram datagram;  // of fragments
};

Judgement Judge(const Bytes& frame);

}  // namespace fairlead::dataplane::dr
