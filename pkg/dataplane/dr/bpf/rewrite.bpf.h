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

INLINE void CopyMac(__u16 to[3], const __u16 from[3]) {
  to[0] = from[0];
  to[1] = from[1];
  to[2] = from[2];
}

// Sends the frame out of the interface that it came in by, or of another one that leads to the
// server. A frame to another MAC is left alone: a bridge or a mirror port may deliver it, and a
// second balancer must not forward what the first one has to. Where both interfaces are one, our
// MAC is beside the server's.
INLINE int SendTo(struct xdp_md* context, const struct Packet* packet, const struct Choice* choice,
                  const struct DrServer* server) {
  void* data = (void*)(long)context->data;
  const void* end = (const void*)(long)context->data_end;
  struct Ethernet* ethernet = data;
  if ((const void*)(ethernet + 1) > end) return Because(kDrReasonUnparsed, XDP_PASS);
  const __u32 arrival = context->ingress_ifindex % kDrInterfaces;
  const __u32 departure = server->interface;
  const __u16* own_mac = arrival == departure ? server->source_mac : tables.interfaces[arrival].mac;
  if (!EqualMacs(ethernet->destination, own_mac)) return Because(kDrReasonOtherMac, XDP_PASS);
  CopyMac(ethernet->destination, server->mac);
  CopyMac(ethernet->source, server->source_mac);
  CountServer(packet, choice);
  if (arrival == departure) return XDP_TX;
  return (int)bpf_redirect_map(&devices, departure, XDP_DROP);
}
