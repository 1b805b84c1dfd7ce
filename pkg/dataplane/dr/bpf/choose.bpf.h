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
//
// Whom a new flow goes to that is recorded: its client's server, in a persistent service; else by
// least flows, by turn or by the ring, from where a full server's flows go to the next one with
// room.
#pragma once

#include "pkg/dataplane/dr/bpf/watch.bpf.h"

// A new flow whose server is full looks at so many slots before it takes the least loaded server.
enum { kSlotsProbed = 32 };

struct Choice {
  __u32 service_index;
  __u32 server;   // 0 = none
  __u32 refusal;  // why none: a reason, or 0 = there is no usable one
  __u8 recorded;  // the flow table gave the server
  __u8 opened;    // a new flow
};

// What the flow table is asked with.
struct FlowState {
  const struct DrService* service;
  __u64 hash;         // of the flow, or by source of the client: gives the slot
  __u64 record_hash;  // of the flow
  __u64 now;
  __u32 service_index;
  __u32 slot_index;  // in the ring
  __u32 slot;        // the ring's element there
  __u32 packet;      // kFlow... and kTcp...
};
// What ChooseRecorded must know of the packet, beside its TCP flags.
enum { kFlowIsUdp = 0x100, kFlowIsQuoted = 0x200 };  // quoted by an ICMP error: nothing is recorded

// What ChooseRecorded says: the server, and these.
enum { kChoiceRecorded = 1 << 16, kChoiceOpened = 1 << 17, kChoiceRefusalShift = 24 };

INLINE __u64 FlowHash(const struct DrService* service, const struct Packet* packet) {
  if (!packet->is_ipv6) return DrHashIpv4(packet->client[3], packet->ports, service->hash_key);
  return DrHashIpv6(packet->client, packet->ports, service->hash_key);
}

INLINE __u64 ClientHash(const struct DrService* service, const struct Packet* packet) {
  if (!packet->is_ipv6) {
    return DrHashIpv4(packet->client[3] & service->client_mask_ipv4, 0, service->hash_key);
  }
  const __u32 client[4] = {packet->client[0] & service->client_mask_ipv6[0],
                           packet->client[1] & service->client_mask_ipv6[1],
                           packet->client[2] & service->client_mask_ipv6[2],
                           packet->client[3] & service->client_mask_ipv6[3]};
  return DrHashIpv6(client, 0, service->hash_key);
}

// The element of a service's ring (or base ring); 0 when there is none.
INLINE __u32 RingSlotOf(void* ring_of_service, __u32 service_index, __u32 slot_index) {
  void* ring = bpf_map_lookup_elem(ring_of_service, &service_index);
  if (!ring) return 0;
  const __u32 index = slot_index >> 2;
  const struct DrRingGroup* group = bpf_map_lookup_elem(ring, &index);
  return group ? group->slots[slot_index & 3] : 0;
}

// The server that a flow had which began before the window; the present one when that is gone.
INLINE __u32 FormerServer(const struct FlowState* flow) {
  const __u32 present = flow->slot & kDrSlotServer;
  if (!(flow->slot & kDrSlotDirty)) return present;
  const __u32 former = RingSlotOf(&bases, flow->service_index, flow->slot_index) & kDrSlotServer;
  return UsableServer(former) ? former : present;
}

// The next slots in turn, `count` of them at once; this CPU's.
INLINE __u32 NextInTurn(__u32 service_index, __u32 count) {
  __u32* turn = bpf_map_lookup_elem(&turns, &service_index);
  if (!turn) return 0;
  const __u32 first = *turn;
  *turn += count;
  return first;
}

// The first server from the slot on that takes new flows; 0 = within the bound there is none.
GLOBAL __u32 ServerWithRoom(__u32 service_index, __u32 slot_index, __u32 ring_mask) {
  void* ring = bpf_map_lookup_elem(&rings, &service_index);
  if (!ring) return 0;
#pragma nounroll
  for (__u32 i = 0; i < kSlotsProbed; ++i) {
    const __u32 at = (slot_index + i) & ring_mask;
    const __u32 index = at >> 2;
    const struct DrRingGroup* group = bpf_map_lookup_elem(ring, &index);
    if (!group) return 0;
    const __u32 server = group->slots[at & 3] & kDrSlotServer;
    if (TakesNewFlows(server)) return server;
  }
  return 0;
}

// The least loaded of the servers of so many slots from here on.
GLOBAL __u32 LeastOnRing(__u32 service_index, __u32 slot_index, __u32 ring_mask) {
  void* ring = bpf_map_lookup_elem(&rings, &service_index);
  if (!ring) return 0;
  __u32 least = 0;
  __u64 least_load = NO_LIMIT;
#pragma nounroll
  for (__u32 i = 0; i < kDrCandidatesMax; ++i) {
    const __u32 at = (slot_index + i) & ring_mask;
    const __u32 index = at >> 2;
    const struct DrRingGroup* group = bpf_map_lookup_elem(ring, &index);
    if (!group) break;
    const __u32 server = group->slots[at & 3] & kDrSlotServer;
    const __u64 load = LoadWith(server, 1);
    if (!IsLess(load, least_load) || !TakesNewFlows(server)) continue;
    least = server;
    least_load = load;
  }
  return least;
}

// The server that the scheduler gives a new flow; 0 = none takes any. Services with more servers
// than the list of candidates holds take turns on the ring.
INLINE __u32 ScheduledServer(const struct FlowState* flow) {
  const struct DrService* service = flow->service;
  const __u32 service_index = flow->service_index;
  const __u32 candidates = service->candidates;
  const __u32 by_least_flows = service->flags & kDrServiceLeastFlows;
  const __u32 by_turn = service->flags & kDrServiceByTurn;
  if ((by_least_flows || by_turn) && candidates <= kDrCandidatesMax) {
    return NextCandidate(service_index, candidates, by_least_flows);
  }
  if (by_least_flows) {
    const __u32 slot_index = NextInTurn(service_index, kDrCandidatesMax);
    return LeastOnRing(service_index, slot_index, service->ring_mask);
  }
  const __u32 owner = flow->slot & kDrSlotServer;
  if (!by_turn && TakesNewFlows(owner)) return owner;
  const __u32 slot_index = by_turn ? NextInTurn(service_index, 1) : flow->slot_index;
  const __u32 server = ServerWithRoom(service_index, slot_index, service->ring_mask);
  return server ? server : NextCandidate(service_index, candidates, 1);
}

// The server that the flow's client is recorded with, when it takes new flows; else 0.
GLOBAL __u32 ClientsServer(__u64 client_hash) {
  struct DrFlowBucket* bucket = BucketOf(client_hash);
  __u64 entry = 0;
  if (!bucket || FindEntry(bucket, client_hash, &entry) < 0) return 0;
  const __u32 server = entry & kDrFlowServerMask;
  return TakesNewFlows(server) ? server : 0;
}

INLINE __u64 FlowAge(const struct FlowState* flow) {
  return (flow->now >> (flow->service->age_shift & 63)) & kDrFlowAgeMask;
}

// Records the flow, or its client. What counts is on its server's load already; 0 = no place.
INLINE int RecordFlow(const struct FlowState* flow, __u64 hash, __u64 low_bits) {
  return Record(hash, FlowAge(flow), (flow->now >> kDrHandshakeAgeShift) & kDrFlowAgeMask,
                low_bits);
}

// A place for a new flow: in a tracked service on its VIP, then on a server; then in the table.
// Without one in the table the flow goes on while the ring says the same, but it is not counted.
INLINE __u32 PlaceNewFlow(const struct FlowState* flow) {
  const struct DrService* service = flow->service;
  const __u32 is_counted = service->flags & kDrServiceTracked;
  struct DrVipLoad* vip = &tables.vips[service->vip % kDrServices];
  if (is_counted && !TakePlaceOnVip(vip)) return kDrReasonVipLimit << kChoiceRefusalShift;
  __u32 server = service->flags & kDrServicePersistent ? ClientsServer(flow->hash) : 0;
  if (!server) server = ScheduledServer(flow);
  if (!server || (is_counted && !TakePlaceOnServer(server))) {
    if (is_counted) __sync_fetch_and_add(&vip->active, -1);
    const int is_full = UsableServer(flow->slot & kDrSlotServer) != 0;
    return is_full ? kDrReasonServersFull << kChoiceRefusalShift : 0;
  }
  const __u32 handshake = flow->packet & kFlowIsUdp ? 0 : kDrFlowHandshake;
  const __u32 marks = handshake | (is_counted ? 0 : kDrFlowUncounted);
  if (!RecordFlow(flow, flow->record_hash, server | marks)) {
    if (is_counted) AddFlows(server, -1);
  } else if (handshake) {
    CountHandshake(server, 1, 0);
  }
  if (service->flags & kDrServicePersistent) {
    RecordFlow(flow, flow->hash, server | kDrFlowClient);
  }
  return server | kChoiceOpened;
}

// The entry of a flow, or of a client, of which a packet came that is no SYN.
INLINE __u64 RefreshedEntry(__u64 entry, __u64 age, __u32 ends) {
  const __u64 clear = (__u64)kDrFlowAgeMask << kDrFlowAgeShift | kDrFlowHandshake;
  return (entry & ~clear) | (age << kDrFlowAgeShift) | DR_FLOW_ESTABLISHED |
         (ends ? kDrFlowEnded : 0);
}

// Notes that it lives, that it got past its SYN, or that it ends: at most once per unit of age,
// beside that. Another CPU may change the entry first: then once more, lest an end is missed.
GLOBAL int Refresh(__u64 hash, __u64 age, __u32 ends) {
  struct DrFlowBucket* bucket = BucketOf(hash);
  if (!bucket) return 0;
#pragma nounroll
  for (int attempt = 0; attempt < 3; ++attempt) {
    __u64 entry = 0;
    const int position = FindEntry(bucket, hash, &entry);
    if (position < 0) return 0;
    if (!Exchange(bucket, position, entry, RefreshedEntry(entry, age, ends))) continue;
    if (entry & kDrFlowHandshake) CountHandshake(entry & kDrFlowServerMask, 0, 1);
    if (ends && DrFlowCounts(entry)) AddFlows(entry & kDrFlowServerMask, -1);
    return 0;
  }
  return 0;
}

// Whether a SYN begins a new flow of a recorded one's addresses and ports. One that is sent again
// stays with its first server, unless that is held: it was the one that did not answer.
INLINE int BeginsAnew(const struct FlowState* flow, __u64 entry) {
  return OpensFlow(flow->packet) && (entry & DR_FLOW_ESTABLISHED);
}

// The server that the flow is recorded with; 0 = with none that could.
INLINE __u32 FollowRecord(const struct FlowState* flow) {
  struct DrFlowBucket* bucket = BucketOf(flow->record_hash);
  if (!bucket) return 0;
  __u64 entry = 0;
  if (FindEntry(bucket, flow->record_hash, &entry) < 0) return 0;
  const int anew = BeginsAnew(flow, entry);
  const __u32 recorded = entry & kDrFlowServerMask;
  const int opens = OpensFlow(flow->packet);
  const int stays = !anew && UsableServer(recorded) && !(opens && IsHeld(recorded));
  const __u32 server = stays ? recorded : 0;
  if ((flow->packet & kFlowIsQuoted) || (opens && !anew)) return server;
  const __u32 ends = anew || (flow->packet & (kTcpFin | kTcpReset));
  const __u64 age = FlowAge(flow);
  if (RefreshedEntry(entry, age, ends) == entry || !(server || ends)) return server;
  Refresh(flow->record_hash, age, ends);
  if (flow->service->flags & kDrServicePersistent) Refresh(flow->hash, age, 0);
  return server;
}

// A flow that goes where it went before the window, as far as is known.
INLINE __u32 FollowBase(const struct FlowState* flow) {
  const __u32 server = FormerServer(flow);
  if (!(flow->packet & kFlowIsUdp)) {
    // Its SYN may have found the slot clean.
    if (IsWatched(flow->service, flow->record_hash)) Watch(flow->record_hash, 0, 0);
    return server;
  }
  if (!server || (flow->packet & kFlowIsQuoted)) return server;
  const __u32 is_counted = flow->service->flags & kDrServiceTracked;
  if (is_counted) AddFlows(server, 1);
  const __u32 marks = is_counted ? 0 : kDrFlowUncounted;
  if (!RecordFlow(flow, flow->record_hash, server | marks) && is_counted) AddFlows(server, -1);
  return server;
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

// The rows of the table above in which the flow table has a say; a clean slot never comes here.
// `place`: the slot's index, and the slot above it. Returns server and kChoice...
GLOBAL __u32 ChooseRecorded(__u32 service_index, __u64 hash, __u64 record_hash, __u32 place,
                            __u32 packet) {
  const struct FlowState flow = {.service = &tables.services[service_index % kDrServices],
                                 .hash = hash,
                                 .record_hash = record_hash,
                                 .now = CoarseNow(),
                                 .service_index = service_index,
                                 .slot_index = place & 0xffff,
                                 .slot = place >> 16,
                                 .packet = packet};
  const __u32 recorded = FollowRecord(&flow);
  if (recorded) return recorded | kChoiceRecorded;
  const int in_grace = (flow.slot & kDrSlotDirty) && flow.now < flow.service->udp_grace_until_ns;
  const int is_new = OpensFlow(packet) || ((packet & kFlowIsUdp) && !in_grace);
  if (!is_new) return FollowBase(&flow);
  return packet & kFlowIsQuoted ? flow.slot & kDrSlotServer : PlaceNewFlow(&flow);
}

INLINE void Choose(const struct DrService* service, const struct Packet* packet,
                   struct Choice* choice) {
  const __u64 flow_hash = FlowHash(service, packet);
  __u64 hash = flow_hash;
  __u64 record_hash = flow_hash;
  if (service->flags & kDrServiceBySource) {
    hash = ClientHash(service, packet);
    record_hash = DrRecordHash(hash, flow_hash);
  }
  const __u32 slot_index = DrRingSlot(hash, service->ring_mask);
  const __u32 slot = RingSlotOf(&rings, choice->service_index, slot_index);
  const int asks_table = (slot & kDrSlotDirty) || (service->flags & kDrServiceTracked);
  if (UNLIKELY(asks_table)) {
    const __u32 what = packet->tcp_flags | (packet->protocol == IPPROTO_UDP ? kFlowIsUdp : 0) |
                       (packet->quoted ? kFlowIsQuoted : 0);
    const __u32 said =
        ChooseRecorded(choice->service_index, hash, record_hash, slot_index | slot << 16, what);
    choice->server = said & kDrSlotServer;
    choice->refusal = said >> kChoiceRefusalShift;
    choice->recorded = (said & kChoiceRecorded) != 0;
    choice->opened = (said & kChoiceOpened) != 0;
    return;
  }
  choice->server = slot & kDrSlotServer;
  choice->opened = OpensFlow(packet->tcp_flags);
  if (UNLIKELY(IsWatched(service, record_hash))) Watch(record_hash, choice->server, choice->opened);
}
