// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Look up: is it for a VIP, and for which service of it.
#pragma once

#include "pkg/dataplane/dr/bpf/parse.bpf.h"

// The VIP's address with this protocol, or null.
INLINE const struct DrVipSlot* FindVip(const struct Packet* packet) {
  const __u32 half = *(const volatile __u32*)&tables.config.vip_half & 1;
  const __u32 kind = packet->protocol | (packet->is_ipv6 ? kDrVipIpv6 : 0);
  const __u32 place = DrVipIndex(packet->vip, kind, tables.config.vip_seed[half]);
  const struct DrVipSlot* slot = &tables.vip_slots[(half << kDrVipSlotBits) | place];
  __u32 difference = (slot->address[3] ^ packet->vip[3]) | (slot->kind ^ kind);
  if (packet->is_ipv6) {  // of IPv4 the others are 0
    difference |= (slot->address[0] ^ packet->vip[0]) | (slot->address[1] ^ packet->vip[1]) |
                  (slot->address[2] ^ packet->vip[2]);
  }
  return difference ? 0 : slot;
}

// The service index of the packet's destination port; 0 = none.
INLINE __u32 FindService(const struct DrVipSlot* vip, const struct Packet* packet) {
  const __u32 port = bpf_ntohs(packet->ports >> 16);
  const __u32 index = vip->port_table * kDrPortGroupsPerTable + (port >> 2);
  const struct DrPortGroup* group = bpf_map_lookup_elem(&port_groups, &index);
  return group ? group->services[port & 3] : 0;
}

INLINE int EqualMacs(const __u16 left[3], const __u16 right[3]) {
  return !((left[0] ^ right[0]) | (left[1] ^ right[1]) | (left[2] ^ right[2]));
}

// A node whose lease has ended must not forward: another one may own the VIP by now. The clock
// goes on while the host is suspended.
INLINE int HoldsLease(const struct DrService* service, __u32 service_index) {
  if (!(service->flags & kDrServiceLeased)) return 1;
  const volatile __u64* until = &tables.leases[service_index % kDrServices];
  return bpf_ktime_get_boot_ns() < *until;
}
