// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The maps, and what every part of the program uses. Kernel 5.12 or later (cmpxchg; inner arrays of
// different sizes are of 5.10, bpf_ktime_get_coarse_ns of 5.11).
#pragma once

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>

#include "pkg/dataplane/dr/bpf/dr_maps.h"

#define INLINE static __always_inline
// Out of the way of the packets that matter for the pace.
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)
// Of numbers alone, so that the verifier walks it once by itself (global functions, Linux 5.6), not
// in every path that leads to it.
#define GLOBAL __attribute__((noinline))

// In section .bss, that is an array map of one element.
struct DrTables tables;

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, kDrPortTables* kDrPortGroupsPerTable);
  __type(key, __u32);
  __type(value, struct DrPortGroup);
} port_groups SEC(".maps");

// BPF_F_INNER_MAP: rings of different services have different sizes.
struct Ring {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_INNER_MAP);
  __uint(max_entries, kDrRingSlotsMin / 4);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(struct DrRingGroup));
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, kDrServices);
  __type(key, __u32);
  __array(values, struct Ring);
} rings SEC(".maps");

// The rings as they were before the first change of the window.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, kDrServices);
  __type(key, __u32);
  __array(values, struct Ring);
} bases SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, kDrServers);
  __type(key, __u32);
  __type(value, struct DrServerCounts);
} server_counts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, kDrServers);
  __type(key, __u32);
  __type(value, struct DrHandshakeCounts);
} handshakes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, kDrFlowBuckets);
  __type(key, __u32);
  __type(value, struct DrFlowBucket);
} flows SEC(".maps");

// By service index: turns that were taken on this CPU.
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, kDrServices);
  __type(key, __u32);
  __type(value, __u32);
} turns SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_DEVMAP);
  __uint(max_entries, kDrInterfaces);
  __type(key, __u32);
  __type(value, __u32);
} devices SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, kDrReasons);
  __type(key, __u32);
  __type(value, __u64);
} reasons SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, kDrInterfaces);
  __type(key, __u32);
  __type(value, struct DrProbe);
} probes SEC(".maps");

// Where the program hangs: XDP, before a packet has a socket buffer, or the ingress of tc. What is
// common to both gets the context without its type and this, a constant after inlining.
enum Hook { kHookXdp, kHookTc };

// Counts why a packet was not forwarded and returns the verdict for it.
INLINE int Because(__u32 reason, int verdict) {
  __u64* count = bpf_map_lookup_elem(&reasons, &reason);
  if (count) ++*count;
  return verdict;
}
