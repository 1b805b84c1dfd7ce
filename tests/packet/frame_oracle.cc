#include "tests/packet/frame_oracle.h"

#include <netinet/in.h>

#include "absl/types/span.h"

namespace fairlead::dataplane::dr {
namespace {

using View = absl::Span<const uint8_t>;

constexpr size_t kExtensionHeadersRead = 5;  // and the transport header behind them

uint16_t Be16(View bytes, size_t at) {
  return static_cast<uint16_t>(bytes[at] * 256 + bytes[at + 1]);
}
uint32_t Be32(View bytes, size_t at) {
  return Be16(bytes, at) * uint32_t{65536} + Be16(bytes, at + 2);
}
net::IpAddress Address(View bytes, size_t at, size_t size) {
  return net::IpAddress::FromBytes(bytes.subspan(at, size));
}

Judgement None(const char* why) {
  Judgement judgement;
  judgement.why = why;
  return judgement;
}

bool IsBalanced(uint8_t protocol) { return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP; }

// RFC 9293 §3.1 and RFC 768: the whole fixed header.
Judgement JudgeTransport(View segment, Judgement judgement) {
  if (segment.size() < (judgement.protocol == IPPROTO_TCP ? 20u : 8u)) {
    return None("the transport header is not whole");
  }
  judgement.kind = Judgement::Kind::kFlow;
  judgement.flow.client_port = Be16(segment, 0);
  judgement.flow.vip_port = Be16(segment, 2);
  return judgement;
}

// The VIP sent what is quoted; at least 8 bytes of its payload are there (RFC 792, RFC 4443 §3).
Judgement JudgeQuotedTransport(View segment, Judgement judgement) {
  if (!IsBalanced(judgement.protocol)) return None("the quoted packet is no TCP and no UDP");
  if (segment.size() < 8) return None("less than 8 bytes of the quoted payload");
  judgement.kind = Judgement::Kind::kFlow;
  judgement.flow.vip_port = Be16(segment, 0);
  judgement.flow.client_port = Be16(segment, 2);
  return judgement;
}

Judgement JudgeIcmp4(View message, Judgement judgement) {
  if (message.size() < 8) return None("the ICMP header is not whole");
  const uint8_t type = message[0];
  if (type != 3 && type != 11 && type != 12) return None("no ICMP error of RFC 792");
  const View quoted = message.subspan(8);
  if (quoted.size() < 20) return None("the quoted header is not whole");
  const size_t header = size_t{4} * (quoted[0] % 16);
  if (quoted[0] / 16 != 4 || header < 20) return None("the quoted header is not of IPv4");
  if (Be16(quoted, 6) % 8192 != 0) return None("a later fragment is quoted: no ports");
  if (quoted.size() < header) return None("the quoted options are not whole");
  judgement.protocol = quoted[9];
  judgement.flow.vip = Address(quoted, 12, 4);
  judgement.flow.client = Address(quoted, 16, 4);
  return JudgeQuotedTransport(quoted.subspan(header), judgement);
}

Judgement JudgeIpv4(View packet, Judgement judgement) {
  if (packet.size() < 20) return None("the IPv4 header is not whole");
  const size_t header = size_t{4} * (packet[0] % 16);
  const size_t total = Be16(packet, 2);
  if (packet[0] / 16 != 4) return None("not version 4");
  if (header < 20 || total < header) return None("RFC 1812 §5.2.2 (4), (5): a length < its header");
  if (total > packet.size()) return None("RFC 1812 §5.2.2: truncated, must be discarded");
  const View payload = packet.subspan(header, total - header);
  const bool more = packet[6] & 0x20;
  const bool is_later = Be16(packet, 6) % 8192 != 0;
  judgement.protocol = packet[9];
  judgement.flow.client = Address(packet, 12, 4);
  judgement.flow.vip = Address(packet, 16, 4);
  if (judgement.protocol == IPPROTO_ICMP) {
    return more || is_later ? None("ICMP in fragments") : JudgeIcmp4(payload, judgement);
  }
  if (!IsBalanced(judgement.protocol)) return None("no TCP and no UDP");
  judgement.datagram = {judgement.flow.client, judgement.flow.vip, judgement.protocol,
                        Be16(packet, 4)};
  if (is_later) {
    judgement.kind = Judgement::Kind::kLaterFragment;
    return judgement;
  }
  judgement.is_first_fragment = more;
  return JudgeTransport(payload, judgement);
}

// Of the quoted packet's own extension headers the program reads none.
Judgement JudgeIcmp6(View message, Judgement judgement) {
  if (message.size() < 8) return None("the ICMPv6 header is not whole");
  if (message[0] < 1 || message[0] > 4) return None("no ICMPv6 error of RFC 4443");
  const View quoted = message.subspan(8);
  if (quoted.size() < 40) return None("the quoted header is not whole");
  if (quoted[0] / 16 != 6) return None("the quoted header is not of IPv6");
  judgement.protocol = quoted[6];
  judgement.flow.vip = Address(quoted, 8, 16);
  judgement.flow.client = Address(quoted, 24, 16);
  return JudgeQuotedTransport(quoted.subspan(40), judgement);
}

// RFC 8200 §4.5. `rest` begins with the fragment header. True: a later fragment.
bool ReadFragmentHeader(View rest, Judgement* judgement) {
  judgement->datagram = {judgement->flow.client, judgement->flow.vip, 0, Be32(rest, 4)};
  if (Be16(rest, 2) / 8 == 0) {  // RFC 6946: neither offset nor more: not a fragment at all
    judgement->is_first_fragment = Be16(rest, 2) % 2 != 0;
    return false;
  }
  judgement->kind = Judgement::Kind::kLaterFragment;
  // The fragmented part may begin with a further extension header.
  judgement->is_beyond = judgement->is_beyond || !IsBalanced(rest[0]);
  return true;
}

// RFC 8200 §4: from `next`, what `rest` begins with, to the transport header.
Judgement JudgeExtensions(uint8_t next, View rest, Judgement judgement) {
  bool fragment_header_seen = false;
  for (size_t count = 0;; ++count) {
    judgement.is_beyond = count > kExtensionHeadersRead;
    if (IsBalanced(next)) {
      judgement.protocol = next;
      return JudgeTransport(rest, judgement);
    }
    if (next == IPPROTO_ICMPV6) {
      if (judgement.is_first_fragment) return None("ICMPv6 in fragments");
      return JudgeIcmp6(rest, judgement);
    }
    if (next == IPPROTO_HOPOPTS && count != 0) return None("§4.1: hop-by-hop options come first");
    if (next != IPPROTO_HOPOPTS && next != IPPROTO_DSTOPTS && next != IPPROTO_ROUTING &&
        next != IPPROTO_FRAGMENT) {
      return None("no TCP and no UDP");
    }
    if (rest.size() < 8) return None("an extension header is not whole");
    size_t size = 8 + size_t{8} * rest[1];
    if (next == IPPROTO_FRAGMENT) {
      if (fragment_header_seen) return None("§4.5: fragments have one fragment header");
      fragment_header_seen = true;
      if (ReadFragmentHeader(rest, &judgement)) return judgement;
      size = 8;
    }
    if (next == IPPROTO_ROUTING && rest[3] != 0) return None("§4.4: segments are left to visit");
    if (rest.size() < size) return None("an extension header is not whole");
    next = rest[0];
    rest = rest.subspan(size);
  }
}

Judgement JudgeIpv6(View packet, Judgement judgement) {
  if (packet.size() < 40) return None("the IPv6 header is not whole");
  if (packet[0] / 16 != 6) return None("not version 6");
  const size_t payload = Be16(packet, 4);  // 0 with a jumbogram (RFC 2675), which is none of ours
  if (payload > packet.size() - 40) return None("truncated");
  judgement.flow.client = Address(packet, 8, 16);
  judgement.flow.vip = Address(packet, 24, 16);
  return JudgeExtensions(packet[6], packet.subspan(40, payload), judgement);
}

}  // namespace

Judgement Judge(const Bytes& frame) {
  View rest(frame);
  if (rest.size() < 14) return None("the Ethernet header is not whole");
  uint16_t type = Be16(rest, 12);
  rest.remove_prefix(14);
  Judgement judgement;
  if (type == kTypeVlan) {  // IEEE 802.1Q
    if (rest.size() < 4) return None("the VLAN tag is not whole");
    judgement.vlan = Be16(rest, 0) % 4096;
    type = Be16(rest, 2);
    rest.remove_prefix(4);
  }
  if (type == kTypeIpv4) return JudgeIpv4(rest, judgement);
  if (type == kTypeIpv6) return JudgeIpv6(rest, judgement);
  return None("no IP, or behind a second tag");
}

}  // namespace fairlead::dataplane::dr
