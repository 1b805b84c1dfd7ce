// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Direct routing: a frame to a VIP goes on to a real server, which owns the VIP's address on its
// loopback and answers the client itself. Only the MACs of the frame change.
//
// parse -> look up -> choose -> rewrite; each step is a header of its own. Whatever is not to a VIP
// goes up the host's stack as if this program were not there. dr_maps.h has the maps.

#include <linux/pkt_cls.h>

#include "pkg/dataplane/dr/bpf/probe.bpf.h"

// Names a datagram among all that are in pieces at a time (RFC 791 §3.2, RFC 8200 §4.5).
INLINE __u64 DatagramHash(const struct Packet* packet) {
  const __u32 what = packet->fragment_id ^ ((__u32)packet->protocol << 8);
  const __u64 hash = DrHashIpv6(packet->client, what, tables.config.fragment_key);
  return DrHashIpv6(packet->vip, (__u32)hash, tables.config.fragment_key) ^ hash;
}

// Keeps where a first fragment goes, for the later ones, which carry no ports: a server index or
// kDrFragmentPassed. Not inlined: rare.
static __attribute__((noinline)) int RememberFragment(__u64 hash, __u32 destination) {
  const __u32 index = (__u32)hash % kDrFragments;
  *(volatile __u64*)&tables.fragments[index] = (hash >> 16 << 16) | (__u16)destination;
  return 0;
}

INLINE void NoteFirstFragment(const struct Packet* packet, __u32 destination) {
  if (packet->first_fragment) RememberFragment(DatagramHash(packet), destination);
}

// What RememberFragment kept for this datagram; 0 = its first fragment was not seen.
static __attribute__((noinline)) int RecallFragment(__u64 hash) {
  const __u32 index = (__u32)hash % kDrFragments;
  const __u64 value = *(const volatile __u64*)&tables.fragments[index];
  return (value ^ hash) >> 16 ? 0 : (__u16)value;
}

INLINE int Forward(void* context, enum Hook hook, const struct Packet* packet,
                   const struct Choice* choice, const struct DrServer* server) {
  const __u32 flags = server->flags;
  if (flags & kDrServerLocal) {
    CountServer(packet, choice);
    return Because(kDrReasonLocalServer, XDP_PASS);
  }
  if ((flags & kDrServerVlan) != packet->vlan) return Because(kDrReasonOtherVlan, XDP_DROP);
  return SendTo(context, hook, packet, choice, server);
}

INLINE int BalanceLaterFragment(void* context, enum Hook hook, const struct Packet* packet) {
  const int destination = RecallFragment(DatagramHash(packet));
  if (destination == 0) return Because(kDrReasonFragmentWithoutFirst, XDP_DROP);
  if (destination == kDrFragmentPassed) return Because(kDrReasonPortNotServed, XDP_PASS);
  const struct Choice choice = {.server = destination};
  const struct DrServer* server = UsableServer(choice.server);
  if (!server) return Because(kDrReasonFragmentWithoutFirst, XDP_DROP);
  return Forward(context, hook, packet, &choice, server);
}

INLINE int Balance(void* context, enum Hook hook, const struct Packet* packet,
                   const struct DrVipSlot* vip) {
  if (packet->later_fragment) return BalanceLaterFragment(context, hook, packet);
  if (packet->truncated) return Because(kDrReasonMalformed, XDP_DROP);
  struct Choice choice = {.service_index = FindService(vip, packet)};
  if (choice.service_index == 0) {
    NoteFirstFragment(packet, kDrFragmentPassed);
    return Because(kDrReasonPortNotServed, XDP_PASS);
  }
  const struct DrService* service = &tables.services[choice.service_index % kDrServices];
  if (!HoldsLease(service, choice.service_index)) return Because(kDrReasonLeaseExpired, XDP_DROP);
  Choose(service, packet, &choice);
  const struct DrServer* server = UsableServer(choice.server);
  if (!server) {
    if (service->flags & kDrServiceDropUnserved) {
      return Because(kDrReasonUnservedDropped, XDP_DROP);
    }
    NoteFirstFragment(packet, kDrFragmentPassed);
    return Because(kDrReasonUnserved, XDP_PASS);
  }
  NoteFirstFragment(packet, choice.server);
  return Forward(context, hook, packet, &choice, server);
}

INLINE int LookUpAndBalance(void* context, enum Hook hook, const struct Packet* packet) {
  const struct DrVipSlot* vip = FindVip(packet);
  if (!vip) return Because(kDrReasonNotOurs, XDP_PASS);
  return Balance(context, hook, packet, vip);
}

// Whether frames may be in several buffers; set before the program is loaded.
const volatile __u32 takes_many_buffers = 0;

INLINE __u64 FrameBytes(void* context, enum Hook hook) {
  if (hook == kHookTc) return ((const struct __sk_buff*)context)->len;
  struct xdp_md* xdp = context;
  // Linux 5.18; before, the verifier never comes here.
  if (takes_many_buffers) return bpf_xdp_get_buff_len(xdp);
  return xdp->data_end - xdp->data;
}

// Everything but the common packets; `vlan` is the tag's that the kernel took out of the frame.
INLINE int BalanceUncommon(void* context, enum Hook hook, __u16 vlan) {
  const int probed = AnswerProbe(context, hook);
  if (probed) return probed;
  struct Packet packet = {};
  const int result =
      Parse(DataOf(context, hook), EndOf(context, hook), FrameBytes(context, hook), &packet);
  if (result == kUnparsed) return Because(kDrReasonUnparsed, XDP_PASS);
  if (result == kNotOurs || (vlan && packet.vlan)) return Because(kDrReasonNotOurs, XDP_PASS);
  packet.vlan |= vlan;
  return LookUpAndBalance(context, hook, &packet);
}

// Functions of their own, so that the path of the common packets stays short.
static __attribute__((noinline)) int BalanceUncommonXdp(struct xdp_md* context) {
  return BalanceUncommon(context, kHookXdp, 0);
}
static __attribute__((noinline)) int BalanceUncommonTc(struct __sk_buff* context, __u32 vlan) {
  return BalanceUncommon(context, kHookTc, vlan);
}

SEC("xdp")
int fairlead_dr(struct xdp_md* context) {
  struct Packet packet = {};
  if (!ParseCommon(DataOf(context, kHookXdp), EndOf(context, kHookXdp), &packet)) {
    return BalanceUncommonXdp(context);
  }
  return LookUpAndBalance(context, kHookXdp, &packet);
}

// So much of a packet is read at most, without long IPv6 extension headers: an ICMP error that
// quotes an IPv4 packet, each with all options, is 14 + 60 + 8 + 60 + 8 bytes.
enum { kHeaderBytesMax = 192 };

// A socket buffer may hold its headers in pages that are not read directly.
INLINE void PullHeaders(struct __sk_buff* context) {
  const __u32 linear = context->data_end - context->data;
  const __u32 wanted = context->len < kHeaderBytesMax ? context->len : kHeaderBytesMax;
  if (linear < wanted) bpf_skb_pull_data(context, wanted);
}

INLINE int BalanceTc(struct __sk_buff* context) {
  __u16 vlan = 0;
  if (context->vlan_present) {
    if (context->vlan_proto != bpf_htons(ETH_P_8021Q)) return Because(kDrReasonNotOurs, XDP_PASS);
    vlan = context->vlan_tci & kDrServerVlan;
  }
  PullHeaders(context);
  struct Packet packet = {};
  if (!ParseCommon(DataOf(context, kHookTc), EndOf(context, kHookTc), &packet)) {
    return BalanceUncommonTc(context, vlan);
  }
  packet.vlan = vlan;
  return LookUpAndBalance(context, kHookTc, &packet);
}

// The same at the ingress of tc, where XDP is refused or taken. What passes goes on to the next
// program or filter there.
SEC("tc")
int fairlead_dr_tc(struct __sk_buff* context) {
  switch (BalanceTc(context)) {
    case XDP_PASS:
      return TC_ACT_UNSPEC;
    case XDP_DROP:
      return TC_ACT_SHOT;
    default:
      return TC_ACT_REDIRECT;
  }
}

char _license[] SEC("license") = "Dual BSD/GPL";
