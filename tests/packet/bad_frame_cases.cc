#include "tests/packet/bad_frame_cases.h"

#include <netinet/in.h>

#include <algorithm>
#include <utility>

#include "tests/packet/program_test.h"

namespace fairlead::dataplane::dr {
namespace {

// Flows of servers that are neither gone nor here nor in the VLAN: what is well formed is
// forwarded.
struct Flows {
  Flow tcp4 = MakeFlow(kClient4, 1002, kVip4, 80);
  Flow udp4 = MakeFlow(kClient4, 1000, kVip4, 53);
  Flow tcp6 = MakeFlow(kClient6, 1000, kVip6, 80);
  Flow udp6 = MakeFlow(kClient6, 1000, kVip6, 53);
};

Bytes InVlan(uint16_t identifier, const Bytes& frame) {
  const uint16_t type = static_cast<uint16_t>(frame[12] << 8 | frame[13]);
  return Ethernet(kTypeVlan, VlanTag(identifier, type, Bytes(frame.begin() + 14, frame.end())));
}

Bytes Frame4(const Flow& flow, uint8_t protocol, const Bytes& payload, Ipv4Options options = {}) {
  return Ethernet(kTypeIpv4, Ipv4(flow, protocol, payload, std::move(options)));
}
Bytes Frame6(const Flow& flow, uint8_t next_header, const Bytes& payload) {
  return Ethernet(kTypeIpv6, Ipv6(flow, next_header, payload));
}

Bytes Changed(Bytes frame, size_t at, std::initializer_list<uint8_t> bytes) {
  std::copy(bytes.begin(), bytes.end(), frame.begin() + static_cast<ptrdiff_t>(at));
  return frame;
}
Bytes Cut(Bytes frame, size_t size) {
  frame.resize(size);
  return frame;
}
Bytes Chain(int headers, Bytes payload, uint8_t next = IPPROTO_TCP) {
  for (int i = 0; i < headers; ++i) {
    payload = Extension(next, static_cast<uint8_t>(i % 3), payload, 1);
    next = IPPROTO_DSTOPTS;
  }
  return payload;
}

std::vector<FrameCase> LinkCases() {
  const Flows flows;
  const Bytes tcp4 = TcpFrame(flows.tcp4, kAck);
  const Bytes tcp6 = TcpFrame(flows.tcp6, kAck);
  const Bytes tagged = InVlan(0, tcp4);
  return {
      {"untagged", tcp4, true},
      {"priority tag", tagged, true},
      {"priority tag, IPv6", InVlan(0, tcp6), true},
      {"another VLAN than the server's", InVlan(7, tcp4), false},
      {"VLAN 4095, which is reserved", InVlan(4095, tcp4), false},
      {"two tags", InVlan(0, tagged), false},
      {"three tags", InVlan(0, InVlan(0, tagged)), false},
      {"service tag, 802.1ad", Changed(tagged, 12, {0x88, 0xa8}), false},
      {"tag without its type", Cut(tagged, 16), false},
      {"tag and nothing behind it", Cut(tagged, 18), false},
      {"tag around a type that is no IP", Changed(tagged, 16, {0x08, 0x06}), false},
      {"IPv6 said to be IPv4", Changed(tcp6, 12, {0x08, 0x00}), false},
      {"IPv4 said to be IPv6", Changed(tcp4, 12, {0x86, 0xdd}), false},
      {"802.3 length instead of a type", Changed(tcp4, 12, {0x00, 0x28}), false},
      {"broadcast", Changed(tcp4, 0, {255, 255, 255, 255, 255, 255}), false},
      {"to another MAC", Changed(tcp4, 5, {9}), false},
      {"padded to the least size of Ethernet", Cut(tcp4, 60), true},
      {"padded far", Cut(tcp4, 1514), true},
  };
}

std::vector<FrameCase> Ipv4Cases() {
  const Flows flows;
  const Bytes tcp = Tcp(flows.tcp4, kAck);
  const Bytes plain = TcpFrame(flows.tcp4, kAck);
  const Bytes udp = UdpFrame(flows.udp4);
  const Bytes options = Frame4(flows.tcp4, IPPROTO_TCP, tcp, {.options = Bytes(40, 1)});
  return {
      {"options, 40 bytes", options, true},
      {"a header of 24 bytes that ends the frame", Cut(Changed(options, 14, {0x46}), 38), false},
      {"options that are not all there", Cut(options, 14 + 50), false},
      {"options that leave no header", Changed(plain, 14, {0x4a}), false},
      {"header length 0", Changed(plain, 14, {0x40}), false},
      {"header length 16", Changed(plain, 14, {0x44}), false},
      {"version 0", Changed(plain, 14, {0x05}), false},
      {"version 6", Changed(plain, 14, {0x65}), false},
      {"total length 0", Changed(plain, 16, {0, 0}), false},
      {"total length below the header", Changed(plain, 16, {0, 19}), false},
      {"total length of the header alone", Changed(plain, 16, {0, 20}), false},
      {"total length that cuts TCP", Changed(plain, 16, {0, 39}), false},
      {"total length that cuts UDP", Changed(udp, 16, {0, 27}), false},
      {"total length that cuts UDP's payload", Changed(udp, 16, {0, 28}), true},
      {"total length beyond the frame", Changed(plain, 16, {0, 41}), false},
      {"total length 65,535", Changed(plain, 16, {255, 255}), false},
      {"total length beyond the frame, tagged", Changed(InVlan(0, plain), 20, {0, 41}), false},
      {"the reserved flag", Changed(plain, 20, {0x80, 0}), true},
      {"do not fragment", Changed(plain, 20, {0x40, 0}), true},
      {"another protocol", Changed(plain, 23, {IPPROTO_SCTP}), false},
      {"IPv6 in IPv4", Changed(plain, 23, {IPPROTO_IPV6}), false},
      {"GRE", Changed(plain, 23, {IPPROTO_GRE}), false},
      {"TTL 0, which the server judges", Changed(plain, 22, {0}), true},
      {"TCP data offset 0, which the server judges", Changed(plain, 46, {0x00}), true},
      {"TCP flags all set", Changed(plain, 47, {0xff}), true},
      {"TCP flags none set", Changed(plain, 47, {0x00}), true},
      {"UDP length 0, which the server judges", Changed(udp, 38, {0, 0}), true},
      {"UDP length beyond the frame", Changed(udp, 38, {255, 255}), true},
      {"destination port 0", Changed(plain, 36, {0, 0}), false},
      {"UDP cut within its header", Cut(udp, 14 + 27), false},
      {"TCP cut within its header", Cut(plain, 14 + 39), false},
  };
}

std::vector<FrameCase> Ipv4FragmentCases() {
  const Flows flows;
  const Bytes udp = Udp(flows.udp4, Bytes(64));
  const auto fragment = [&](uint16_t field, uint16_t id, const Bytes& payload) {
    return Frame4(flows.udp4, IPPROTO_UDP, payload, {.fragment = field, .id = id});
  };
  const Flow icmp = MakeFlow("192.0.2.1", 0, kVip4, 0);
  const Bytes quoted = Ipv4(flows.tcp4.Reversed(), IPPROTO_TCP, Tcp(flows.tcp4.Reversed(), kAck));
  return {
      {"later fragment before the first", fragment(0x2009, 1, Bytes(64)), false},
      {"first fragment", fragment(0x2000, 1, udp), true},
      {"later fragment", fragment(0x2009, 1, Bytes(64)), true},
      {"last fragment", fragment(0x0012, 1, Bytes(3)), true},
      {"last fragment again", fragment(0x0012, 1, Bytes(3)), true},
      {"empty later fragment", fragment(0x0012, 1, {}), true},
      {"a fragment that ends beyond 65,535", fragment(0x1fff, 1, Bytes(64)), true},
      {"later fragment beyond the frame", Cut(fragment(0x2009, 1, Bytes(64)), 60), false},
      {"later fragment of another datagram", fragment(0x2009, 2, Bytes(64)), false},
      {"first fragment, do not fragment", fragment(0x6000, 3, udp), true},
      {"first fragment without whole ports", fragment(0x2000, 4, {3, 232, 0}), false},
      {"later fragment of that", fragment(0x2001, 4, Bytes(8)), false},
      {"first fragment whose length cuts the ports", Changed(fragment(0x2000, 5, udp), 16, {0, 23}),
       false},
      {"later fragment of that", fragment(0x2001, 5, Bytes(8)), false},
      {"first fragment of an ICMP error",
       Frame4(icmp, IPPROTO_ICMP, Icmp(3, 4, quoted), {.fragment = 0x2000, .id = 6}), false},
      {"later fragment of an ICMP error",
       Frame4(icmp, IPPROTO_ICMP, quoted, {.fragment = 0x2001, .id = 6}), false},
  };
}

std::vector<FrameCase> Ipv6Cases() {
  const Flows flows;
  const Flow& flow = flows.tcp6;
  const Bytes tcp = Tcp(flow, kAck);
  const Bytes plain = TcpFrame(flow, kAck);
  const Bytes udp = UdpFrame(flows.udp6);
  const Bytes routed = Frame6(flow, IPPROTO_ROUTING, Extension(IPPROTO_TCP, 2, tcp));
  const Bytes hop = Extension(IPPROTO_DSTOPTS, 0, Extension(IPPROTO_TCP, 0, tcp));
  return {
      {"plain", plain, true},
      {"version 4", Changed(plain, 14, {0x40}), false},
      {"version 0", Changed(plain, 14, {0x00}), false},
      {"payload length 0: a jumbogram", Changed(plain, 18, {0, 0}), false},
      {"payload length that cuts TCP", Changed(plain, 18, {0, 19}), false},
      {"payload length that cuts UDP", Changed(udp, 18, {0, 7}), false},
      {"payload length beyond the frame", Changed(plain, 18, {0, 21}), false},
      {"payload length 65,535", Changed(plain, 18, {255, 255}), false},
      {"padded", Cut(plain, 200), true},
      {"hop limit 0, which the server judges", Changed(plain, 21, {0}), true},
      {"no next header", Changed(plain, 20, {IPPROTO_NONE}), false},
      {"ESP", Changed(plain, 20, {IPPROTO_ESP}), false},
      {"authentication header", Changed(plain, 20, {IPPROTO_AH}), false},
      {"ICMP of IPv4", Changed(plain, 20, {IPPROTO_ICMP}), false},
      {"hop-by-hop, destination options", Frame6(flow, IPPROTO_HOPOPTS, hop), true},
      {"hop-by-hop options second",
       Frame6(flow, IPPROTO_DSTOPTS, Extension(IPPROTO_HOPOPTS, 0, Extension(IPPROTO_TCP, 0, tcp))),
       false},
      {"five headers", Frame6(flow, IPPROTO_DSTOPTS, Chain(5, tcp)), true},
      {"six headers", Frame6(flow, IPPROTO_DSTOPTS, Chain(6, tcp)), false},
      {"thirty headers", Frame6(flow, IPPROTO_DSTOPTS, Chain(30, tcp)), false},
      {"a header longer than the packet",
       Changed(Frame6(flow, IPPROTO_DSTOPTS, Chain(1, tcp)), 55, {255}), false},
      {"a header that ends the packet",
       Changed(Frame6(flow, IPPROTO_DSTOPTS, Chain(1, tcp)), 18, {0, 8}), false},
      {"a header of 7 bytes", Changed(Frame6(flow, IPPROTO_DSTOPTS, Chain(1, tcp)), 18, {0, 7}),
       false},
      {"a header that names itself to the end",
       Frame6(flow, IPPROTO_DSTOPTS, Chain(4, Bytes(8, IPPROTO_DSTOPTS))), false},
      {"routing, all visited", routed, true},
      {"routing, one left", Changed(routed, 57, {1}), false},
      {"routing, 255 left", Changed(routed, 57, {255}), false},
      {"routing behind options",
       Frame6(flow, IPPROTO_DSTOPTS, Extension(IPPROTO_ROUTING, 0, Extension(IPPROTO_TCP, 0, tcp))),
       true},
      {"no transport behind the headers",
       Frame6(flow, IPPROTO_DSTOPTS, Chain(2, tcp, IPPROTO_NONE)), false},
  };
}

std::vector<FrameCase> Ipv6FragmentCases() {
  const Flows flows;
  const Flow& flow = flows.udp6;
  const Bytes udp = Udp(flow, Bytes(64));
  const auto fragment = [&](uint16_t offset, bool more, uint32_t id, const Bytes& payload) {
    return Frame6(flow, IPPROTO_FRAGMENT, Fragment(IPPROTO_UDP, offset, more, id, payload));
  };
  const Bytes inner = Fragment(IPPROTO_UDP, 0, false, 9, udp);
  return {
      {"later fragment before the first", fragment(9, true, 1, Bytes(64)), false},
      {"first fragment", fragment(0, true, 1, udp), true},
      {"later fragment", fragment(9, true, 1, Bytes(64)), true},
      {"last fragment", fragment(17, false, 1, Bytes(1)), true},
      {"later fragment of another datagram", fragment(9, true, 2, Bytes(64)), false},
      {"the only fragment", fragment(0, false, 3, udp), true},
      {"fragment header cut", Cut(fragment(0, true, 4, udp), 14 + 47), false},
      {"first fragment without whole ports", fragment(0, true, 5, {3, 232, 0}), false},
      {"later fragment of that", fragment(1, true, 5, Bytes(8)), false},
      {"first fragment with its options",
       Frame6(flow, IPPROTO_FRAGMENT,
              Fragment(IPPROTO_DSTOPTS, 0, true, 6, Extension(IPPROTO_UDP, 1, udp))),
       true},
      {"first fragment with a part of its options",
       Frame6(flow, IPPROTO_FRAGMENT, Fragment(IPPROTO_DSTOPTS, 0, true, 7, {IPPROTO_UDP, 3})),
       false},
      {"a fragment within a fragment",
       Frame6(flow, IPPROTO_FRAGMENT, Fragment(IPPROTO_FRAGMENT, 0, true, 8, inner)), false},
      {"a later fragment within one that is whole",
       Frame6(flow, IPPROTO_FRAGMENT,
              Fragment(IPPROTO_FRAGMENT, 0, false, 1, Fragment(IPPROTO_UDP, 9, true, 1, udp))),
       false},
      {"hop-by-hop options within the fragment",
       Frame6(flow, IPPROTO_FRAGMENT,
              Fragment(IPPROTO_HOPOPTS, 0, true, 10, Extension(IPPROTO_UDP, 0, udp))),
       false},
  };
}

std::vector<FrameCase> IcmpCases() {
  const Flows flows;
  const Flow outer4 = MakeFlow("192.0.2.1", 0, kVip4, 0);
  const Flow outer6 = MakeFlow("2001:db8::1", 0, kVip6, 0);
  const Flow back4 = flows.tcp4.Reversed();
  const Flow back6 = flows.tcp6.Reversed();
  const Bytes quoted4 = Ipv4(back4, IPPROTO_TCP, Tcp(back4, kAck));
  const Bytes quoted6 = Ipv6(back6, IPPROTO_TCP, Tcp(back6, kAck));
  const Bytes error4 = Frame4(outer4, IPPROTO_ICMP, Icmp(3, 4, quoted4));
  const Bytes error6 = Frame6(outer6, IPPROTO_ICMPV6, Icmp(2, 0, quoted6));
  const Bytes options = Ipv4(back4, IPPROTO_TCP, Tcp(back4, kAck), {.options = Bytes(8, 1)});
  const Bytes later = Ipv4(back4, IPPROTO_TCP, Tcp(back4, kAck), {.fragment = 0x2001});
  return {
      {"too big", error4, true},
      {"too big, IPv6", error6, true},
      {"behind options, IPv6",
       Frame6(outer6, IPPROTO_DSTOPTS, Extension(IPPROTO_ICMPV6, 0, Icmp(2, 0, quoted6))), true},
      {"echo", Frame4(outer4, IPPROTO_ICMP, Icmp(8, 0, quoted4)), false},
      {"redirect", Frame4(outer4, IPPROTO_ICMP, Icmp(5, 0, quoted4)), false},
      {"neighbour solicitation", Frame6(outer6, IPPROTO_ICMPV6, Icmp(135, 0, quoted6)), false},
      {"no header", Frame4(outer4, IPPROTO_ICMP, {3, 4, 0, 0}), false},
      {"nothing quoted", Frame4(outer4, IPPROTO_ICMP, Icmp(3, 4, {})), false},
      {"quote cut in its header", Frame4(outer4, IPPROTO_ICMP, Icmp(3, 4, Cut(quoted4, 19))),
       false},
      {"quote cut in its ports", Frame4(outer4, IPPROTO_ICMP, Icmp(3, 4, Cut(quoted4, 27))), false},
      {"quote of 8 bytes", Frame4(outer4, IPPROTO_ICMP, Icmp(3, 4, Cut(quoted4, 28))), true},
      {"quote beyond the total length", Changed(error4, 16, {0, 20 + 8 + 27}), false},
      {"quote beyond the payload length", Changed(error6, 18, {0, 8 + 47}), false},
      {"quote with options", Frame4(outer4, IPPROTO_ICMP, Icmp(3, 4, options)), true},
      {"quote with bad header length", Changed(error4, 42, {0x44}), false},
      {"quote with long header length", Changed(error4, 42, {0x4f}), false},
      {"quote of a later fragment", Frame4(outer4, IPPROTO_ICMP, Icmp(3, 4, later)), false},
      {"quote of IPv6 in ICMP", Frame4(outer4, IPPROTO_ICMP, Icmp(3, 4, quoted6)), false},
      {"quote of IPv4 in ICMPv6", Frame6(outer6, IPPROTO_ICMPV6, Icmp(2, 0, quoted4)), false},
      {"quote of another protocol",
       Frame4(outer4, IPPROTO_ICMP, Icmp(3, 4, Ipv4(back4, IPPROTO_SCTP, Bytes(20)))), false},
      {"quote of an error",
       Frame4(outer4, IPPROTO_ICMP, Icmp(3, 4, Ipv4(back4, IPPROTO_ICMP, Icmp(3, 4, quoted4)))),
       false},
      {"quote of what a client sent",
       Frame4(outer4, IPPROTO_ICMP,
              Icmp(3, 4, Ipv4(flows.tcp4, IPPROTO_TCP, Tcp(flows.tcp4, kAck)))),
       false},
  };
}

}  // namespace

std::vector<FrameCase> AllFrameCases() {
  std::vector<FrameCase> all;
  for (const auto& cases : {LinkCases(), Ipv4Cases(), Ipv4FragmentCases(), Ipv6Cases(),
                            Ipv6FragmentCases(), IcmpCases()}) {
    all.insert(all.end(), cases.begin(), cases.end());
  }
  return all;
}

}  // namespace fairlead::dataplane::dr
