// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Choose: which real server a packet belongs to. Tracks only what changed (the idea is JET's:
// Mendelson et al., "Load Balancing with JET: Just Enough Tracking for Connection Consistency",
// CoNEXT 2021):
//
//   slot    packet              server
//   clean   any                 the ring's; no table is touched
//   dirty   SYN                 the ring's, recorded
//           else, recorded      the recorded one
//           else, TCP           the base ring's: the flow is older than the first change
//           else, UDP           the base ring's within the grace, the ring's after it; recorded
//
// A tracked service treats every slot as dirty; its base ring is the ring where a slot is clean. A
// recorded or former server that is no longer usable counts as none.
#pragma once

#include "pkg/dataplane/dr/bpf/lookup.bpf.h"

struct Choice {
  __u64 hash;
  __u32 service_index;
  __u32 slot_index;  // in the ring
  __u32 slot;        // the ring's element there
  __u32 server;      // the outcome; 0 = none
  __u8 opens;        // the packet's: SYN without ACK
  __u8 is_udp;
  __u8 quoted;    // by an ICMP error: nothing is recorded for it
  __u8 recorded;  // outcome: the flow table gave the server
  __u8 opened;    // outcome: a new flow
};

INLINE __u64 HashOf(const struct DrService* service, const struct Packet* packet) {
  if (service->flags & kDrServiceBySource) {
    if (!packet->is_ipv6) {
      return DrHashIpv4(packet->client[3] & service->client_mask_ipv4, 0, service->hash_key);
    }
    const __u32 client[4] = {packet->client[0] & service->client_mask_ipv6[0],
                             packet->client[1] & service->client_mask_ipv6[1],
                             packet->client[2] & service->client_mask_ipv6[2],
                             packet->client[3] & service->client_mask_ipv6[3]};
    return DrHashIpv6(client, 0, service->hash_key);
  }
  if (!packet->is_ipv6) return DrHashIpv4(packet->client[3], packet->ports, service->hash_key);
  return DrHashIpv6(packet->client, packet->ports, service->hash_key);
}

// The element of a service's ring (or base ring); 0 when there is none.
INLINE __u32 RingSlotOf(void* ring_of_service, __u32 service_index, __u32 slot_index) {
  void* ring = bpf_map_lookup_elem(ring_of_service, &service_index);
  if (!ring) return 0;
  const __u32 index = slot_index >> 2;
  const struct DrRingGroup* group = bpf_map_lookup_elem(ring, &index);
  return group ? group->slots[slot_index & 3] : 0;
}

// The server, or null. Index 0 is never usable.
INLINE const struct DrServer* UsableServer(__u32 server_index) {
  const struct DrServer* server = &tables.servers[server_index % kDrServers];
  return server->flags & kDrServerUsable ? server : 0;
}

// The server that a flow had which began before the window; the present one when that is gone.
INLINE __u32 FormerServer(const struct Choice* choice) {
  const __u32 present = choice->slot & kDrSlotServer;
  if (!(choice->slot & kDrSlotDirty)) return present;
  const __u32 former =
      RingSlotOf(&bases, choice->service_index, choice->slot_index) & kDrSlotServer;
  return UsableServer(former) ? former : present;
}

// The next slot in turn, for a new flow.
INLINE __u32 ServerInTurn(const struct DrService* service, const struct Choice* choice) {
  __u32* turn = bpf_map_lookup_elem(&turns, &choice->service_index);
  if (!turn) return choice->slot & kDrSlotServer;
  const __u32 slot_index = (*turn)++ & service->ring_mask;
  return RingSlotOf(&rings, choice->service_index, slot_index) & kDrSlotServer;
}

INLINE __u32 ServerForNewFlow(const struct DrService* service, const struct Choice* choice) {
  if (service->flags & kDrServiceByTurn) return ServerInTurn(service, choice);
  return choice->slot & kDrSlotServer;
}

// Hides from the compiler what it knows of a value: what follows stays arithmetic. As branches it
// would multiply the paths that the verifier has to walk, by two for each of the eight entries.
#define KEEP_ARITHMETIC(value) asm volatile("" : "+r"(value))

INLINE __u64 EntryAt(const struct DrFlowBucket* bucket, __u32 position) {
  return *(const volatile __u64*)&bucket->entries[position & 7];
}

// Position of the flow's entry in the bucket, or -1; `*entry` is its value then.
INLINE int FindEntry(const struct DrFlowBucket* bucket, __u64 hash, __u64* entry) {
  __u32 matches = 0;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    __u64 difference = (EntryAt(bucket, i) ^ hash) >> kDrFlowTagShift;
    KEEP_ARITHMETIC(difference);
    matches |= (__u32)((difference - 1) >> 63) << i;  // 1 for 0, as it has 40 bits
  }
  if (!matches) return -1;
  const __u32 lowest = matches & -matches;
  const __u32 position = ((lowest >> 1 | lowest >> 3 | lowest >> 5 | lowest >> 7) & 1) |
                         ((lowest >> 2 | lowest >> 3 | lowest >> 6 | lowest >> 7) & 1) << 1 |
                         ((lowest >> 4 | lowest >> 5 | lowest >> 6 | lowest >> 7) & 1) << 2;
  *entry = EntryAt(bucket, position);
  // Another CPU may have replaced it; and the tag of an empty one is 0, as one hash in 2^40 has it.
  if (((*entry ^ hash) >> kDrFlowTagShift) || !(*entry & kDrFlowServerMask)) return -1;
  return (int)position;
}

// What an entry is worth giving up for: an empty one before those that never got past a SYN, those
// before the others, the longest unused first. So a flood of SYNs evicts its own kind.
INLINE __s64 EvictionScore(__u64 entry, __u64 age) {
  __u64 is_empty = (entry & kDrFlowServerMask) - 1;  // the sign bit
  KEEP_ARITHMETIC(is_empty);
  const __u64 unestablished = ~entry >> 23 & 1;
  return (__s64)((is_empty >> 63 << 8) | (unestablished << 7) |
                 ((age - (entry >> kDrFlowAgeShift)) & kDrFlowAgeMask));
}

// Position of the entry to give up, whose value is `*entry`; -1 when another CPU changed it
// meanwhile.
INLINE int FindVictim(const struct DrFlowBucket* bucket, __u64 age, __u64* entry) {
  __s64 best = 0;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const __s64 score = EvictionScore(EntryAt(bucket, i), age) << 3 | i;
    const __s64 lead = best - score;
    __s64 is_behind = lead >> 63;  // all ones when `score` is the higher one
    KEEP_ARITHMETIC(is_behind);
    best -= lead & is_behind;
  }
  const __u32 position = best & 7;
  *entry = EntryAt(bucket, position);
  return EvictionScore(*entry, age) == best >> 3 ? (int)position : -1;
}

// Writes the flow's record over its own entry, or over the one that is given up. Another CPU may
// take that entry first: then once more, and the second time the flow stays unrecorded.
INLINE void Record(struct DrFlowBucket* bucket, __u64 hash, __u64 age, __u32 server) {
  const __u64 wanted = (hash >> kDrFlowTagShift << kDrFlowTagShift) | (age << kDrFlowAgeShift) |
                       (server & kDrFlowServerMask);
#pragma nounroll
  for (int attempt = 0; attempt < 2; ++attempt) {
    __u64 before = 0;
    int position = FindEntry(bucket, hash, &before);
    if (position < 0) position = FindVictim(bucket, age, &before);
    if (position < 0) continue;
    if (__sync_val_compare_and_swap(&bucket->entries[position & 7], before, wanted) == before) {
      return;
    }
  }
  Because(kDrReasonTableContended, 0);
}

// Notes that the flow lives. Written at most once per unit of age and flow.
INLINE void Refresh(struct DrFlowBucket* bucket, int position, __u64 entry, __u64 age) {
  const __u64 age_bits = (__u64)kDrFlowAgeMask << kDrFlowAgeShift;
  const __u64 wanted = (entry & ~age_bits) | (age << kDrFlowAgeShift) | DR_FLOW_ESTABLISHED;
  if (wanted == entry) return;
  __sync_val_compare_and_swap(&bucket->entries[position & 7], entry, wanted);
}

// Whether the packet begins a flow that may be placed anew, although it is recorded. A SYN that is
// sent again stays with its first server.
INLINE int PlacesAnew(const struct DrService* service, const struct Choice* choice, __u64 entry) {
  return choice->opens && (entry & DR_FLOW_ESTABLISHED) && !(service->flags & kDrServicePersistent);
}

// CLOCK_MONOTONIC in ns, to about a tick of the kernel.
INLINE __u64 CoarseNow(void) {
  const __u64 tick = bpf_jiffies64() & kDrClockTickMask;
  volatile __u64* clock = &tables.config.clock;
  const __u64 known = *clock;
  if ((known & kDrClockTickMask) == tick) return known;
  const __u64 now = (bpf_ktime_get_coarse_ns() & ~(__u64)kDrClockTickMask) | tick;
  *clock = now;
  return now;
}

// The rows of the table above in which the flow table has a say. Inlined, as the return from a
// function costs 10 ns where the kernel guards returns (AMD's SRSO).
INLINE void ChooseRecorded(const struct DrService* service, struct Choice* choice) {
  const __u32 index = DrFlowBucketIndex(choice->hash);
  struct DrFlowBucket* bucket = bpf_map_lookup_elem(&flows, &index);
  if (!bucket) return;
  const __u64 now = CoarseNow();
  const __u64 age = (now >> (service->age_shift & 63)) & kDrFlowAgeMask;
  __u64 entry = 0;
  const int position = FindEntry(bucket, choice->hash, &entry);
  if (position >= 0 && !PlacesAnew(service, choice, entry) &&
      UsableServer(entry & kDrFlowServerMask)) {
    choice->server = entry & kDrFlowServerMask;
    choice->recorded = 1;
    if (!choice->quoted && !choice->opens) Refresh(bucket, position, entry, age);
    return;
  }
  const int in_grace = (choice->slot & kDrSlotDirty) && now < service->udp_grace_until_ns;
  if (choice->opens || (choice->is_udp && !in_grace)) {
    choice->opened = !choice->quoted;
    choice->server = choice->quoted ? choice->server : ServerForNewFlow(service, choice);
  } else {
    choice->server = FormerServer(choice);
  }
  if (choice->server && !choice->quoted && (choice->opens || choice->is_udp)) {
    Record(bucket, choice->hash, age, choice->server);
  }
}

INLINE void Choose(const struct DrService* service, const struct Packet* packet,
                   struct Choice* choice) {
  choice->hash = HashOf(service, packet);
  choice->slot_index = DrRingSlot(choice->hash, service->ring_mask);
  choice->slot = RingSlotOf(&rings, choice->service_index, choice->slot_index);
  choice->server = choice->slot & kDrSlotServer;
  choice->opened = packet->opens;
  const int is_plain = !(choice->slot & kDrSlotDirty) && !(service->flags & kDrServiceTracked);
  if (__builtin_expect(!is_plain, 0)) {  // out of the way of the others
    choice->opens = packet->opens;
    choice->is_udp = packet->protocol == IPPROTO_UDP;
    choice->quoted = packet->quoted;
    ChooseRecorded(service, choice);
  }
}
