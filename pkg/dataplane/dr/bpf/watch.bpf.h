// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Watch: handshakes without progress tell that a server is gone before any check does: a SYN of the
// client was forwarded, but never a further packet of that flow came. (So does a flood of SYNs.)
#pragma once

#include "pkg/dataplane/dr/bpf/flows.bpf.h"

INLINE void CountHandshake(__u32 server_index, __u32 watched, __u32 progressed) {
  struct DrHandshakeCounts* counts = bpf_map_lookup_elem(&handshakes, &server_index);
  if (!counts) return;
  counts->watched += watched;
  counts->progressed += progressed;
}

INLINE int IsWatched(const struct DrService* service, __u64 hash) {
  return !(hash & kDrWatchSample) || (service->flags & kDrServiceWatchesAll);
}

INLINE __u64* WatchOf(__u64 hash) { return &tables.watches[(__u32)hash % kDrWatches]; }

INLINE int IsOfFlow(__u64 noted, __u64 hash) {
  return noted && !((noted ^ hash) >> kDrFlowTagShift);
}

// Notes a SYN. A place that another handshake holds is left to it: it has its time.
GLOBAL int WatchHandshake(__u64 hash, __u32 server_index) {
  __u64* place = WatchOf(hash);
  const __u64 noted = *(volatile __u64*)place;
  const __u64 now = bpf_ktime_get_coarse_ns() >> kDrHandshakeAgeShift;
  const __u64 age = (now - (noted >> kDrWatchAgeShift)) & kDrWatchAgeMask;
  // A SYN that is sent again comes within some dozens of seconds (tcp(7), tcp_syn_retries).
  if (noted && age < (IsOfFlow(noted, hash) ? kDrFlowAgeMask : kDrWatchUnits)) return 0;
  const __u64 wanted = (hash >> kDrFlowTagShift << kDrFlowTagShift) |
                       ((now & kDrWatchAgeMask) << kDrWatchAgeShift) |
                       (server_index & kDrFlowServerMask);
  if (__sync_val_compare_and_swap(place, noted, wanted) == noted) {
    CountHandshake(server_index, 1, 0);
  }
  return 0;
}

// Ends the watch over a handshake: its flow went on.
GLOBAL int EndWatch(__u64 hash) {
  __u64* place = WatchOf(hash);
  const __u64 noted = *(volatile __u64*)place;
  if (IsOfFlow(noted, hash) && __sync_val_compare_and_swap(place, noted, 0) == noted) {
    CountHandshake(noted & kDrFlowServerMask, 0, 1);
  }
  return 0;
}

// Of a packet whose flow the flow table does not know and that IsWatched().
INLINE void Watch(__u64 hash, __u32 server_index, __u32 opens) {
  if (opens) {
    WatchHandshake(hash, server_index);
  } else if (IsOfFlow(*(volatile __u64*)WatchOf(hash), hash)) {
    EndWatch(hash);
  }
}
