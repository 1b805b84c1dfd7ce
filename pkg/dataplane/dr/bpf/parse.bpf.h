// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Parse: from a frame to the flow that it belongs to. Reads only; every byte is behind a check
// against the end of the (first) buffer.
#pragma once

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "pkg/dataplane/dr/bpf/maps.bpf.h"

// What is known of a packet. For an ICMP error it is the flow of the packet that the error quotes,
// turned round: the VIP is the quoted source.
struct Packet {
  __u32 client[4];  // IPv4: in [3], behind zeros
  __u32 vip[4];
  __u32 ports;  // as in memory: the client's in the low half, the VIP's in the high half
  __u32 fragment_id;
  __u32 bytes;  // IP length
  __u16 vlan;   // 802.1Q identifier; 0 = untagged
  __u8 protocol;
  __u8 is_ipv6;
  __u8 tcp_flags;       // kTcp...; 0 of others
  __u8 quoted;          // an ICMP error
  __u8 first_fragment;  // more follow
  __u8 later_fragment;  // has no ports
  __u8 truncated;       // the transport header is not all there
};

// RFC 9293 §3.1: the fourteenth byte of the header.
enum { kTcpFlagsOffset = 13, kTcpFin = 1, kTcpSyn = 2, kTcpReset = 4, kTcpAck = 16 };

// Whether the packet, whose header is at `network`, reaches up to `behind`. What follows its length
// is padding, however much the frame holds.
INLINE int Holds(const struct Packet* packet, const void* network, const void* behind) {
  return (__u64)(behind - network) <= packet->bytes;
}

// kNotOurs: no TCP, UDP or ICMP error of IP; the host's.
enum ParseResult { kParsed, kNotOurs, kUnparsed };

INLINE void SetIpv4(__u32 address[4], __u32 ipv4) {
  address[0] = 0;
  address[1] = 0;
  address[2] = 0;
  address[3] = ipv4;
}

INLINE void SetIpv6(__u32 address[4], const struct in6_addr* ipv6) {
  address[0] = ipv6->in6_u.u6_addr32[0];
  address[1] = ipv6->in6_u.u6_addr32[1];
  address[2] = ipv6->in6_u.u6_addr32[2];
  address[3] = ipv6->in6_u.u6_addr32[3];
}

INLINE int OpensFlow(__u32 tcp_flags) { return (tcp_flags & (kTcpSyn | kTcpAck)) == kTcpSyn; }

// The first four bytes of either header are the ports (RFC 9293 §3.1, RFC 768).
INLINE void ParseTransport(const void* network, const void* transport, const void* end,
                           struct Packet* packet) {
  if (packet->protocol == IPPROTO_TCP) {
    const struct tcphdr* tcp = transport;
    if ((const void*)(tcp + 1) > end || !Holds(packet, network, tcp + 1)) {
      packet->truncated = 1;
      return;
    }
    packet->ports = *(const __u32*)transport;
    packet->tcp_flags = ((const __u8*)transport)[kTcpFlagsOffset];
    return;
  }
  const struct udphdr* udp = transport;
  if ((const void*)(udp + 1) > end || !Holds(packet, network, udp + 1)) {
    packet->truncated = 1;
    return;
  }
  packet->ports = *(const __u32*)transport;
}

// The ports of a quoted packet, which came from the VIP. RFC 792 and RFC 4443 §3 let an error quote
// 8 bytes of the transport header at least, so no whole TCP header may be asked for.
INLINE int ParseQuotedPorts(const void* network, const void* transport, const void* end,
                            struct Packet* packet) {
  if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP) return kNotOurs;
  if (transport + 8 > end || !Holds(packet, network, transport + 8)) return kUnparsed;
  const __u16* ports = transport;
  packet->ports = ((__u32)ports[0] << 16) | ports[1];
  packet->quoted = 1;
  return kParsed;
}

// RFC 792 and RFC 4443 §2.1; <linux/icmp.h> needs the C library.
struct IcmpHeader {
  __u8 type;
  __u8 code;
  __u16 checksum;
  __u32 rest;
};
enum {
  kIcmpUnreachable = 3,  // with "fragmentation needed"
  kIcmpTimeExceeded = 11,
  kIcmpParameterProblem = 12,
  kIcmpv6Unreachable = 1,  // 2: packet too big, 3: time exceeded
  kIcmpv6ParameterProblem = 4,
};

INLINE int ParseIcmpv4Error(const void* network, const void* transport, const void* end,
                            struct Packet* packet) {
  const struct IcmpHeader* icmp = transport;
  if ((const void*)(icmp + 1) > end) return kUnparsed;
  if (icmp->type != kIcmpUnreachable && icmp->type != kIcmpTimeExceeded &&
      icmp->type != kIcmpParameterProblem) {
    return kNotOurs;
  }
  const struct iphdr* inner = (const void*)(icmp + 1);
  if ((const void*)(inner + 1) > end) return kUnparsed;
  const __u32 header_bytes = inner->ihl * 4;
  if (inner->version != 4 || header_bytes < sizeof(*inner)) return kUnparsed;
  // A later fragment quotes no ports.
  if (inner->frag_off & bpf_htons(0x1fff)) return kNotOurs;
  packet->protocol = inner->protocol;
  SetIpv4(packet->client, inner->daddr);
  SetIpv4(packet->vip, inner->saddr);
  return ParseQuotedPorts(network, (const void*)inner + header_bytes, end, packet);
}

// `available`: bytes of the frame from `network` on. RFC 1812 §5.2.2: a packet that is longer was
// truncated and must be discarded; the host's stack does that, and counts it.
INLINE int ParseIpv4(const void* network, const void* end, __u64 available, struct Packet* packet) {
  const struct iphdr* ip = network;
  if ((const void*)(ip + 1) > end) return kUnparsed;
  const __u32 header_bytes = ip->ihl * 4;
  packet->bytes = bpf_ntohs(ip->tot_len);
  if (ip->version != 4 || header_bytes < sizeof(*ip) || packet->bytes < header_bytes ||
      packet->bytes > available) {
    return kUnparsed;
  }
  packet->protocol = ip->protocol;
  SetIpv4(packet->client, ip->saddr);
  SetIpv4(packet->vip, ip->daddr);
  const __u16 fragment = bpf_ntohs(ip->frag_off);
  const void* transport = network + header_bytes;
  if (ip->protocol == IPPROTO_ICMP) {
    return fragment & 0x3fff ? kNotOurs : ParseIcmpv4Error(network, transport, end, packet);
  }
  if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP) return kNotOurs;
  if (fragment & 0x3fff) {  // offset, or more fragments
    packet->fragment_id = ip->id;
    packet->later_fragment = (fragment & 0x1fff) != 0;
    packet->first_fragment = !packet->later_fragment;
  }
  if (!packet->later_fragment) ParseTransport(network, transport, end, packet);
  return kParsed;
}

struct Ipv6Extension {
  __u8 next_header;
  __u8 length;  // RFC 8200 §4: in units of 8 bytes, without the first 8
  __u16 fragment_offset;
  __u32 fragment_id;
};

// Walks to the transport header; `*transport` is behind the last extension header that was read.
// kParsed: `packet->protocol` is TCP, UDP or ICMPv6, or the packet is a later fragment.
INLINE int SkipExtensionHeaders(const void** transport, const void* end, struct Packet* packet) {
  const void* at = *transport;
  int fragments = 0;
  for (int i = 0; i < kDrExtensionHeadersMax; ++i) {
    const struct Ipv6Extension* header = at;
    switch (packet->protocol) {
      case IPPROTO_TCP:
      case IPPROTO_UDP:
      case IPPROTO_ICMPV6:
        return kParsed;
      case IPPROTO_HOPOPTS:
        if (i != 0) return kUnparsed;  // RFC 8200 §4.1: right behind the IPv6 header alone
        if (at + 8 > end) return kUnparsed;
        at += (header->length + 1) * 8;
        break;
      case IPPROTO_DSTOPTS:
        if (at + 8 > end) return kUnparsed;
        at += (header->length + 1) * 8;
        break;
      case IPPROTO_ROUTING:
        if (at + 8 > end) return kUnparsed;
        // Segments left (the fourth byte): this address is not the last one yet.
        if (((const __u8*)at)[3] != 0) return kNotOurs;
        at += (header->length + 1) * 8;
        break;
      case IPPROTO_FRAGMENT:
        if (at + 8 > end) return kUnparsed;
        if (fragments++) return kUnparsed;  // RFC 8200 §4.5: one per packet
        // The lowest bit says that more follow; without it and without offset it is a datagram in
        // one fragment, which is treated as none (RFC 6946).
        packet->later_fragment = (header->fragment_offset & bpf_htons(0xfff8)) != 0;
        packet->first_fragment =
            !packet->later_fragment && (header->fragment_offset & bpf_htons(1)) != 0;
        packet->fragment_id = header->fragment_id;
        at += 8;
        break;
      default:
        return kNotOurs;
    }
    packet->protocol = header->next_header;
    *transport = at;
    if (packet->later_fragment) return kParsed;
  }
  return kUnparsed;
}

INLINE int ParseIcmpv6Error(const void* network, const void* transport, const void* end,
                            struct Packet* packet) {
  const struct IcmpHeader* icmp = transport;
  if ((const void*)(icmp + 1) > end) return kUnparsed;
  if (icmp->type < kIcmpv6Unreachable || icmp->type > kIcmpv6ParameterProblem) {
    return kNotOurs;
  }
  const struct ipv6hdr* inner = (const void*)(icmp + 1);
  if ((const void*)(inner + 1) > end) return kUnparsed;
  if (inner->version != 6) return kUnparsed;
  packet->protocol = inner->nexthdr;
  SetIpv6(packet->client, &inner->daddr);
  SetIpv6(packet->vip, &inner->saddr);
  return ParseQuotedPorts(network, inner + 1, end, packet);
}

INLINE int ParseIpv6(const void* network, const void* end, __u64 available, struct Packet* packet) {
  const struct ipv6hdr* ip = network;
  if ((const void*)(ip + 1) > end || ip->version != 6) return kUnparsed;
  packet->is_ipv6 = 1;
  packet->protocol = ip->nexthdr;
  packet->bytes = sizeof(*ip) + bpf_ntohs(ip->payload_len);
  if (packet->bytes > available) return kUnparsed;
  SetIpv6(packet->client, &ip->saddr);
  SetIpv6(packet->vip, &ip->daddr);
  const void* transport = ip + 1;
  if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP) {
    const int result = SkipExtensionHeaders(&transport, end, packet);
    if (result != kParsed) return result;
    if (!Holds(packet, network, transport)) return kUnparsed;
    if (packet->protocol == IPPROTO_ICMPV6) {
      if (packet->first_fragment || packet->later_fragment) return kNotOurs;
      return ParseIcmpv6Error(network, transport, end, packet);
    }
    if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP) return kNotOurs;
  }
  if (!packet->later_fragment) ParseTransport(network, transport, end, packet);
  return kParsed;
}

// Not <linux/if_ether.h>'s, which is packed: the compiler would read it byte by byte.
struct Ethernet {
  __u16 destination[3];
  __u16 source[3];
  __be16 protocol;
};

struct VlanTag {
  __be16 control;  // IEEE 802.1Q: the low 12 bits are the identifier
  __be16 protocol;
};

// `frame_bytes`: of all its buffers; `end` is that of the first one.
INLINE int Parse(const void* data, const void* end, __u64 frame_bytes, struct Packet* packet) {
  const struct Ethernet* ethernet = data;
  if ((const void*)(ethernet + 1) > end) return kUnparsed;
  __be16 protocol = ethernet->protocol;
  const void* network = ethernet + 1;
  if (protocol == bpf_htons(ETH_P_8021Q)) {
    const struct VlanTag* tag = network;
    if ((const void*)(tag + 1) > end) return kUnparsed;
    packet->vlan = bpf_ntohs(tag->control) & kDrServerVlan;
    protocol = tag->protocol;
    network = tag + 1;
  }
  const __u64 available = frame_bytes - (network - data);
  if (protocol == bpf_htons(ETH_P_IP)) return ParseIpv4(network, end, available, packet);
  if (protocol == bpf_htons(ETH_P_IPV6)) return ParseIpv6(network, end, available, packet);
  return kNotOurs;
}

// The packets that matter for the pace: untagged TCP and UDP without options, extension headers or
// fragments, in one buffer. 0 = something else, perhaps nothing valid: Parse() says.
INLINE int ParseCommonTransport(const void* network, const void* transport, const void* end,
                                struct Packet* packet) {
  if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP) return 0;
  if (packet->bytes > (__u64)(end - network)) return 0;
  ParseTransport(network, transport, end, packet);
  return !packet->truncated;
}

INLINE int ParseCommonIpv4(const void* data, const void* end, struct Packet* packet) {
  const struct Ethernet* ethernet = data;
  const struct iphdr* ip = (const void*)(ethernet + 1);
  if ((const void*)(ip + 1) > end || ethernet->protocol != bpf_htons(ETH_P_IP)) return 0;
  if (*(const __u8*)ip != 0x45 || ip->frag_off & bpf_htons(0x3fff)) return 0;
  packet->protocol = ip->protocol;
  packet->bytes = bpf_ntohs(ip->tot_len);
  SetIpv4(packet->client, ip->saddr);
  SetIpv4(packet->vip, ip->daddr);
  return ParseCommonTransport(ip, ip + 1, end, packet);
}

INLINE int ParseCommonIpv6(const void* data, const void* end, struct Packet* packet) {
  const struct Ethernet* ethernet = data;
  const struct ipv6hdr* ip = (const void*)(ethernet + 1);
  if ((const void*)(ip + 1) > end || ethernet->protocol != bpf_htons(ETH_P_IPV6)) return 0;
  if (ip->version != 6) return 0;
  packet->is_ipv6 = 1;
  packet->protocol = ip->nexthdr;
  packet->bytes = sizeof(*ip) + bpf_ntohs(ip->payload_len);
  SetIpv6(packet->client, &ip->saddr);
  SetIpv6(packet->vip, &ip->daddr);
  return ParseCommonTransport(ip, ip + 1, end, packet);
}
