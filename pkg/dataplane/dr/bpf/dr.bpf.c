// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Direct routing: a frame to a VIP goes on to a real server, which owns the VIP's address on its
// loopback and answers the client itself. Only the MACs of the frame change.
//
// parse -> look up -> choose -> rewrite; each step is a header of its own. Whatever is not to a VIP
// goes up the host's stack as if this program were not there. dr_maps.h has the maps.

#include "pkg/dataplane/dr/bpf/rewrite.bpf.h"

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

INLINE int Forward(struct xdp_md* context, const struct Packet* packet, const struct Choice* choice,
                   const struct DrServer* server) {
  const __u32 flags = server->flags;
  if (flags & kDrServerLocal) {
    CountServer(packet, choice);
    return Because(kDrReasonLocalServer, XDP_PASS);
  }
  if ((flags & kDrServerVlan) != packet->vlan) return Because(kDrReasonOtherVlan, XDP_DROP);
  return SendTo(context, packet, choice, server);
}

INLINE int BalanceLaterFragment(struct xdp_md* context, const struct Packet* packet) {
  const int destination = RecallFragment(DatagramHash(packet));
  if (destination == 0) return Because(kDrReasonFragmentWithoutFirst, XDP_DROP);
  if (destination == kDrFragmentPassed) return Because(kDrReasonPortNotServed, XDP_PASS);
  const struct Choice choice = {.server = destination};
  const struct DrServer* server = UsableServer(choice.server);
  if (!server) return Because(kDrReasonFragmentWithoutFirst, XDP_DROP);
  return Forward(context, packet, &choice, server);
}

// Without a server: what the VIP's fallback says.
INLINE int Refuse(const struct DrService* service, const struct Packet* packet, __u32 refusal) {
  if (service->flags & kDrServiceDropUnserved) {
    return Because(refusal ? refusal : kDrReasonUnservedDropped, XDP_DROP);
  }
  NoteFirstFragment(packet, kDrFragmentPassed);
  return Because(refusal ? refusal : kDrReasonUnserved, XDP_PASS);
}

INLINE int Balance(struct xdp_md* context, const struct Packet* packet,
                   const struct DrVipSlot* vip) {
  if (packet->later_fragment) return BalanceLaterFragment(context, packet);
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
  if (!server) return Refuse(service, packet, choice.refusal);
  NoteFirstFragment(packet, choice.server);
  return Forward(context, packet, &choice, server);
}

INLINE int LookUpAndBalance(struct xdp_md* context, const struct Packet* packet) {
  const struct DrVipSlot* vip = FindVip(packet);
  if (!vip) return Because(kDrReasonNotOurs, XDP_PASS);
  return Balance(context, packet, vip);
}

// Everything but the common packets. A function of its own, so that their path stays short.
static __attribute__((noinline)) int BalanceUncommon(struct xdp_md* context) {
  const void* data = (const void*)(long)context->data;
  const void* end = (const void*)(long)context->data_end;
  struct Packet packet = {};
  const int result = Parse(data, end, &packet);
  if (result == kUnparsed) return Because(kDrReasonUnparsed, XDP_PASS);
  if (result == kNotOurs) return Because(kDrReasonNotOurs, XDP_PASS);
  return LookUpAndBalance(context, &packet);
}

SEC("xdp")
int fairlead_dr(struct xdp_md* context) {
  const void* data = (const void*)(long)context->data;
  const void* end = (const void*)(long)context->data_end;
  struct Packet packet = {};
  if (!ParseCommon(data, end, &packet)) return BalanceUncommon(context);
  return LookUpAndBalance(context, &packet);
}

char _license[] SEC("license") = "Dual BSD/GPL";
