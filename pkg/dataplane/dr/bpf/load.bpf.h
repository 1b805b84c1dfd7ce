// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Load: how many flows servers and VIPs have, their limits, and the server that has the fewest.
#pragma once

#include "pkg/dataplane/dr/bpf/lookup.bpf.h"

// The server, or null. Index 0 is never usable.
INLINE const struct DrServer* UsableServer(__u32 server_index) {
  const struct DrServer* server = &tables.servers[server_index % kDrServers];
  return server->flags & kDrServerUsable ? server : 0;
}

INLINE int IsHeld(__u32 server_index) {
  return tables.servers[server_index % kDrServers].flags & kDrServerHeld;
}

INLINE struct DrServerLoad* LoadOf(__u32 server_index) {
  return &tables.loads[server_index % kDrServers];
}

// So many flows more on the server and its VIP, whatever their limits.
INLINE void AddFlows(__u32 server_index, __s32 flows) {
  struct DrServerLoad* load = LoadOf(server_index);
  __sync_fetch_and_add(&load->active, flows);
  __sync_fetch_and_add(&tables.vips[load->vip % kDrServices].active, flows);
}

// Whether a new flow may go there. The end of being full is seen here alone: before a server's
// load rises, it is asked for.
INLINE int TakesNewFlows(__u32 server_index) {
  if (!UsableServer(server_index) || IsHeld(server_index)) return 0;
  struct DrServerLoad* load = LoadOf(server_index);
  if (!load->full) return 1;
  if (*(volatile __s32*)&load->active > (__s32)load->connections_resume) return 0;
  load->full = 0;
  return 1;
}

// Adds a flow, unless there are as many as allowed; exact, also when CPUs meet. 0 = not added.
INLINE int TakePlaceOnVip(struct DrVipLoad* vip) {
  const __s32 before = __sync_fetch_and_add(&vip->active, 1);
  if (!vip->connections_max || before < (__s32)vip->connections_max) return 1;
  __sync_fetch_and_add(&vip->active, -1);
  __sync_fetch_and_add(&vip->refused, 1);
  return 0;
}

INLINE int TakePlaceOnServer(__u32 server_index) {
  struct DrServerLoad* load = LoadOf(server_index);
  const __s32 before = __sync_fetch_and_add(&load->active, 1);
  const __s32 limit = (__s32)load->connections_max;
  if (!limit || before + 1 < limit) return 1;
  load->full = 1;
  if (before < limit) return 1;
  __sync_fetch_and_add(&load->active, -1);
  return 0;
}

// A load as a fraction: flows in the high half, the weight that they are divided by in the low one.
#define NO_LIMIT (~0ULL << 32 | 1)

// Crosswise: at most 2^20 flows times 2^23.
INLINE int IsLess(__u64 left, __u64 right) {
  return (left >> 32) * (__u32)right < (right >> 32) * (__u32)left;
}

// The load that a server has with so many flows more.
INLINE __u64 LoadWith(__u32 server_index, __u32 more) {
  const struct DrServerLoad* load = LoadOf(server_index);
  return (__u64)(load->active + more) << 32 | load->weight;
}

INLINE __u32 CandidateAt(__u32 service_index, __u32 i) {
  const __u16* candidates = tables.candidates[service_index % kDrServices];
  return *(const volatile __u16*)&candidates[i % kDrCandidatesMax];
}

// Whether the candidate may have the next flow: by least flows only when its load is below the
// least that one of them would have with it; so none is ever ahead by more than one flow. How the
// SNAT data plane chooses too (pkg/scheduler/schedule.h says why).
INLINE int IsEligible(__u32 server_index, __u64 limit) {
  return IsLess(LoadWith(server_index, 0), limit) && TakesNewFlows(server_index);
}

// The lowest load that a candidate would have with the next flow; NO_LIMIT when none takes any.
GLOBAL __u64 LeastLoadWithNext(__u32 service_index, __u32 candidates_count) {
  __u64 least = NO_LIMIT;
#pragma nounroll
  for (__u32 i = 0; i < kDrCandidatesMax && i < candidates_count; ++i) {
    const __u32 server_index = CandidateAt(service_index, i);
    const __u64 load = LoadWith(server_index, 1);
    if (IsLess(load, least) && TakesNewFlows(server_index)) least = load;
  }
  return least;
}

GLOBAL __u32 SumOfWeights(__u32 service_index, __u32 candidates_count, __u64 limit) {
  __u32 weights = 0;
#pragma nounroll
  for (__u32 i = 0; i < kDrCandidatesMax && i < candidates_count; ++i) {
    const __u32 server_index = CandidateAt(service_index, i);
    if (IsEligible(server_index, limit)) weights += LoadOf(server_index)->weight;
  }
  return weights;
}

// The eligible candidate that has this place in the sum of the weights; 0 = there is none.
GLOBAL __u32 CandidateAtWeight(__u32 service_index, __u32 candidates_count, __u64 limit,
                               __u32 place) {
  __u32 last = 0;
#pragma nounroll
  for (__u32 i = 0; i < kDrCandidatesMax && i < candidates_count; ++i) {
    const __u32 server_index = CandidateAt(service_index, i);
    if (!IsEligible(server_index, limit)) continue;
    last = server_index;
    const __u32 weight = LoadOf(server_index)->weight;
    if (place < weight) break;
    place -= weight;
  }
  return last;
}

// The candidate whose turn it is, by weight; by least flows among those that these leave. 0 = none
// takes new flows. Turns are a Weyl sequence over the sum of the weights: the shares of any stretch
// of them are close to those of the weights, however short it is.
static __attribute__((noinline)) __u32 NextCandidate(__u32 service_index, __u32 candidates_count,
                                                     __u32 by_least_flows) {
  __u32* turn = bpf_map_lookup_elem(&turns, &service_index);
  if (!turn) return 0;
  const __u32 phase = (*turn)++ * 2654435769U;  // 2^32 by the golden ratio
  const __u64 limit =
      by_least_flows ? LeastLoadWithNext(service_index, candidates_count) : NO_LIMIT;
  const __u32 weights = SumOfWeights(service_index, candidates_count, limit);
  const __u32 place = ((__u64)phase * weights) >> 32;
  return CandidateAtWeight(service_index, candidates_count, limit, place);
}
