// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Probe: the program's part in proving that frames come in by it and leave by it; see DrProbe.
// Off the path of what is forwarded: an answer to ARP or ND is no TCP or UDP.
#pragma once

#include "pkg/dataplane/dr/bpf/rewrite.bpf.h"

// Behind Ethernet's header, in units of two bytes (RFC 826; RFC 4861 §4.4 behind an IPv6 header).
enum {
  kArpOperation = 3,
  kArpSender = 7,  // protocol address
  kNdNextHeader = 3,
  kNdType = 20,
  kNdTarget = 24,
  kArpFrameBytes = 42,
  kNdFrameBytes = 78,
};

INLINE int IsProbesAnswer(const struct Ethernet* ethernet, const void* end,
                          const struct DrProbe* probe) {
  const __u16* payload = (const void*)(ethernet + 1);
  if (!EqualMacs(ethernet->source, probe->neighbour_mac)) return 0;
  if (!probe->is_ipv6) {
    if ((const void*)ethernet + kArpFrameBytes > end) return 0;
    return ethernet->protocol == bpf_htons(ETH_P_ARP) && payload[kArpOperation] == bpf_htons(2) &&
           payload[kArpSender] == probe->neighbour[0] &&
           payload[kArpSender + 1] == probe->neighbour[1];
  }
  if ((const void*)ethernet + kNdFrameBytes > end) return 0;
  __u16 difference = 0;
#pragma unroll
  for (int i = 0; i < 8; ++i) difference |= payload[kNdTarget + i] ^ probe->neighbour[i];
  return ethernet->protocol == bpf_htons(ETH_P_IPV6) && !difference &&
         *(const __u8*)(payload + kNdNextHeader) == IPPROTO_ICMPV6 &&
         *(const __u8*)(payload + kNdType) == 136;
}

INLINE void WriteSecondRequest(struct Ethernet* ethernet, const void* end,
                               const struct DrProbe* probe) {
  __u16* to = (__u16*)ethernet;
  if ((const void*)ethernet + kArpFrameBytes > end) return;
#pragma unroll
  for (int i = 0; i < kArpFrameBytes / 2; ++i) to[i] = probe->request[i];
  if (!probe->is_ipv6 || (const void*)ethernet + kNdFrameBytes > end) return;
#pragma unroll
  for (int i = kArpFrameBytes / 2; i < kNdFrameBytes / 2; ++i) to[i] = probe->request[i];
}

// The verdict for what the probe's neighbour answered; 0 = the frame is no such answer.
INLINE int AnswerProbe(void* context, enum Hook hook) {
  struct Ethernet* ethernet = DataOf(context, hook);
  const void* end = EndOf(context, hook);
  const __u32 ifindex = ArrivalOf(context, hook);
  const __u32 place = ifindex % kDrInterfaces;
  struct DrProbe* probe = bpf_map_lookup_elem(&probes, &place);
  if (!probe || (const void*)(ethernet + 1) > end) return 0;
  const __u32 stage = *(const volatile __u32*)&probe->stage;
  if (stage != kDrProbeArmed && stage != kDrProbeAnswered) return 0;
  if (!IsProbesAnswer(ethernet, end, probe)) return 0;
  if (stage == kDrProbeAnswered) {
    __sync_val_compare_and_swap(&probe->stage, kDrProbeAnswered, kDrProbeProved);
    return 0;
  }
  if (__sync_val_compare_and_swap(&probe->stage, kDrProbeArmed, kDrProbeAnswered) !=
      kDrProbeArmed) {
    return 0;
  }
  WriteSecondRequest(ethernet, end, probe);
  return Leave(hook, ifindex, place);
}
