// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Flows: the table of recorded flows and clients, lock-free and shared by all CPUs.
#pragma once

#include "pkg/dataplane/dr/bpf/load.bpf.h"

// Now, in the units that entries have their age in.
struct Ages {
  __u64 flow;
  __u64 handshake;
};

// Hides from the compiler what it knows of a value: what follows stays arithmetic. As branches it
// would multiply the paths that the verifier has to walk, by two for each of the eight entries.
#define KEEP_ARITHMETIC(value) asm volatile("" : "+r"(value))

INLINE struct DrFlowBucket* BucketOf(__u64 hash) {
  const __u32 index = DrFlowBucketIndex(hash);
  return bpf_map_lookup_elem(&flows, &index);
}

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

// What an entry is worth giving up for: an empty one before those that have ended, these before
// those that never got past a SYN, those before the others, the longest unused first. So a flood of
// SYNs evicts its own kind and what is over.
INLINE __s64 EvictionScore(__u64 entry, const struct Ages* ages) {
  __u64 is_empty = (entry & kDrFlowServerMask) - 1;  // the sign bit
  KEEP_ARITHMETIC(is_empty);
  const __u64 has_ended = entry >> 12 & 1;
  const __u64 is_handshake = entry >> 13 & 1;
  const __u64 unestablished = ~entry >> 23 & 1;
  const __u64 age = ages->flow ^ ((ages->flow ^ ages->handshake) & (0 - is_handshake));
  return (__s64)((is_empty >> 63 << 9) | (has_ended << 8) | (unestablished << 7) |
                 ((age - (entry >> kDrFlowAgeShift)) & kDrFlowAgeMask));
}
static_assert(kDrFlowEnded == 1 << 12 && kDrFlowHandshake == 1 << 13, "the shifts above");

// Position of the entry to give up, whose value is `*entry`; -1 when another CPU changed it
// meanwhile.
INLINE int FindVictim(const struct DrFlowBucket* bucket, const struct Ages* ages, __u64* entry) {
  __s64 best = 0;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const __s64 score = EvictionScore(EntryAt(bucket, i), ages) << 3 | i;
    const __s64 lead = best - score;
    __s64 is_behind = lead >> 63;  // all ones when `score` is the higher one
    KEEP_ARITHMETIC(is_behind);
    best -= lead & is_behind;
  }
  const __u32 position = best & 7;
  *entry = EntryAt(bucket, position);
  return EvictionScore(*entry, ages) == best >> 3 ? (int)position : -1;
}

INLINE int Exchange(struct DrFlowBucket* bucket, int position, __u64 before, __u64 after) {
  return __sync_val_compare_and_swap(&bucket->entries[position & 7], before, after) == before;
}

// `low_bits`: server and marks. A SYN's age is that of a handshake.
INLINE __u64 MakeEntry(__u64 hash, const struct Ages* ages, __u64 low_bits) {
  const __u64 age = low_bits & kDrFlowHandshake ? ages->handshake : ages->flow;
  return (hash >> kDrFlowTagShift << kDrFlowTagShift) |
         ((age & kDrFlowAgeMask) << kDrFlowAgeShift) | low_bits;
}

// Writes a record over its own former entry, or over the one that is given up, which goes off its
// server's load; what is written is on its load already. Another CPU may take that entry first:
// then once more. 0 = it stays unrecorded.
GLOBAL int Record(__u64 hash, __u64 flow_age, __u64 handshake_age, __u64 low_bits) {
  struct DrFlowBucket* bucket = BucketOf(hash);
  if (!bucket) return 0;
  const struct Ages ages = {flow_age, handshake_age};
  const __u64 wanted = MakeEntry(hash, &ages, low_bits);
#pragma nounroll
  for (int attempt = 0; attempt < 2; ++attempt) {
    __u64 before = 0;
    int position = FindEntry(bucket, hash, &before);
    if (position < 0) position = FindVictim(bucket, &ages, &before);
    if (position < 0 || !Exchange(bucket, position, before, wanted)) continue;
    if (DrFlowCounts(before)) AddFlows(before & kDrFlowServerMask, -1);
    return 1;
  }
  Because(kDrReasonTableContended, 0);
  return 0;
}
