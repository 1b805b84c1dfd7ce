// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Rewrite: the two MACs, and the way out. IP and above stay as the client sent them.
#pragma once

#include "pkg/dataplane/dr/bpf/choose.bpf.h"

INLINE void CountServer(const struct Packet* packet, const struct Choice* choice) {
  struct DrServerCounts* counts = bpf_map_lookup_elem(&server_counts, &choice->server);
  if (!counts) return;
  ++counts->packets;
  counts->bytes += packet->bytes;
  counts->flows += choice->opened;
  counts->recorded += choice->recorded;
}

// Both MACs, destination first, as they are in the frame and in DrServer. In words, although a
// frame is aligned to two bytes only: x86-64 and arm64 do not mind, and by halves it takes 1.5 ns
// more.
INLINE void WriteMacs(struct Ethernet* ethernet, const struct DrServer* server) {
  *(__u64*)ethernet = *(const __u64*)server;
  *(__u32*)&ethernet->source[1] = *(const __u32*)&server->source_mac[1];
}

INLINE __u32 ArrivalOf(const void* context, enum Hook hook) {
  return hook == kHookXdp ? ((const struct xdp_md*)context)->ingress_ifindex
                          : ((const struct __sk_buff*)context)->ifindex;
}

INLINE void* DataOf(const void* context, enum Hook hook) {
  return hook == kHookXdp ? (void*)(long)((const struct xdp_md*)context)->data
                          : (void*)(long)((const struct __sk_buff*)context)->data;
}

INLINE const void* EndOf(const void* context, enum Hook hook) {
  return hook == kHookXdp ? (const void*)(long)((const struct xdp_md*)context)->data_end
                          : (const void*)(long)((const struct __sk_buff*)context)->data_end;
}

// The verdict that sends the frame out of the interface at the place `departure`. tc has no map of
// devices, and no way back by the interface of arrival other than by its index.
INLINE int Leave(enum Hook hook, __u32 arrival, __u32 departure) {
  if (hook == kHookXdp) {
    if (arrival % kDrInterfaces == departure) return XDP_TX;
    return (int)bpf_redirect_map(&devices, departure, XDP_DROP);
  }
  if (arrival % kDrInterfaces == departure) return (int)bpf_redirect(arrival, 0);
  const __u32 ifindex = tables.interfaces[departure % kDrInterfaces].ifindex;
  if (!ifindex) return Because(kDrReasonMapMissing, XDP_DROP);
  return (int)bpf_redirect(ifindex, 0);
}

// Sends the frame out of the interface that it came in by, or of another one that leads to the
// server. A frame to another MAC is left alone: a bridge or a mirror port may deliver it, and a
// second balancer must not forward what the first one has to. Where both interfaces are one, our
// MAC is beside the server's.
INLINE int SendTo(void* context, enum Hook hook, const struct Packet* packet,
                  const struct Choice* choice, const struct DrServer* server) {
  void* data = DataOf(context, hook);
  const void* end = EndOf(context, hook);
  struct Ethernet* ethernet = data;
  if ((const void*)(ethernet + 1) > end) return Because(kDrReasonUnparsed, XDP_PASS);
  const __u32 ifindex = ArrivalOf(context, hook);
  const __u32 arrival = ifindex % kDrInterfaces;
  const __u32 departure = server->interface;
  const __u16* own_mac = arrival == departure ? server->source_mac : tables.interfaces[arrival].mac;
  if (!EqualMacs(ethernet->destination, own_mac)) return Because(kDrReasonOtherMac, XDP_PASS);
  WriteMacs(ethernet, server);
  CountServer(packet, choice);
  return Leave(hook, ifindex, departure);
}
