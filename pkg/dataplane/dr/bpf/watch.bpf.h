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

INLINE int IsWatched(__u64 hash) { return !(hash & kDrWatchSample); }

// Of a flow that the flow table does not know and that IsWatched(): notes a SYN, and that a noted
// flow went on. A place that another handshake holds is left to it: it has its time.
GLOBAL int WatchHandshake(__u64 hash, __u32 server_index, __u32 opens) {
  __u64* place = &tables.watches[(__u32)hash % kDrWatches];
  const __u64 noted = *(volatile __u64*)place;
  const int is_same = noted && !((noted ^ hash) >> kDrFlowTagShift);
  if (!opens) {
    if (is_same && __sync_val_compare_and_swap(place, noted, 0) == noted) {
      CountHandshake(noted & kDrFlowServerMask, 0, 1);
    }
    return 0;
  }
  const __u64 now = bpf_ktime_get_coarse_ns() >> kDrHandshakeAgeShift;
  const __u64 age = (now - (noted >> kDrWatchAgeShift)) & kDrWatchAgeMask;
  // A SYN that is sent again comes within some dozens of seconds (tcp(7), tcp_syn_retries).
  if (noted && age < (is_same ? kDrFlowAgeMask : kDrWatchUnits)) return 0;
  const __u64 wanted = (hash >> kDrFlowTagShift << kDrFlowTagShift) |
                       ((now & kDrWatchAgeMask) << kDrWatchAgeShift) |
                       (server_index & kDrFlowServerMask);
  if (__sync_val_compare_and_swap(place, noted, wanted) == noted) {
    CountHandshake(server_index, 1, 0);
  }
  return 0;
}
