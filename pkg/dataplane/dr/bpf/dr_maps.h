// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The layouts of every map of the direct-routing program: the one header that the BPF program (C)
// and user space (C++) share. What is on the wire stays in network order: addresses, ports, MACs.
//
//   frame -> vip_slots[hash(address, protocol)] -> port_groups[table, port / 4] -> services[id]
//         -> rings[id][hash(client) & mask] -> servers[index] -> MAC
//       dirty slot or tracked service only: -> flows[hash(client)], else bases[id][same slot]
//
// The small tables are one value, DrTables, that the program addresses directly (10 ns a packet
// less than as maps) and user space writes through memory. What changes under packets changes by
// one aligned word, or in a part that no packet is led to yet.
#pragma once

#include <linux/types.h>

#ifdef __cplusplus
namespace fairlead::dataplane::dr::bpf {
#define DR_CONSTANT(name, value) inline constexpr __u32 name = (value)
#else
#define DR_CONSTANT(name, value) enum { name = (value) }
#define static_assert _Static_assert
#endif

// Of everything below; another version's maps are not adopted.
DR_CONSTANT(kDrLayoutVersion, 2);

// Two halves of 1,024: user space fills the idle one, then `DrConfig.vip_half` names it. 64 pairs
// of address and protocol find a collision-free seed in 8 tries at the mean (e^-2).
DR_CONSTANT(kDrVipSlotBits, 10);
DR_CONSTANT(kDrVipSlots, 1 << kDrVipSlotBits);
DR_CONSTANT(kDrPortTables, 64);  // pairs of address and protocol; 128 KiB each
DR_CONSTANT(kDrPortGroupsPerTable, 65536 / 4);

DR_CONSTANT(kDrServices, 256);  // index 0 is none
DR_CONSTANT(kDrServers, 4096);  // index 0 is none
DR_CONSTANT(kDrRingSlotsMin, 4096);
DR_CONSTANT(kDrRingSlotsMax, 65536);
// A new flow by least flows or by turn looks at so many servers at most.
DR_CONSTANT(kDrCandidatesMax, 256);

DR_CONSTANT(kDrFlowBucketBits, 17);  // of 8 flows in 64 bytes: 1 M flows in 8 MiB
DR_CONSTANT(kDrFlowBuckets, 1 << kDrFlowBucketBits);
DR_CONSTANT(kDrFragments, 4096);
// By ifindex modulo this; user space refuses a second interface on one place.
DR_CONSTANT(kDrInterfaces, 1024);
DR_CONSTANT(kDrExtensionHeadersMax, 6);

struct DrConfig {
  __u64 vip_seed[2][2];  // of either half of vip_slots; odd
  __u64 fragment_key[2];
  __u32 vip_half;  // the half in force: 0 or 1
  __u32 layout_version;
  // Written by the program alone: CLOCK_MONOTONIC in ns, its low bits replaced by those of the
  // kernel's tick in which it was read. Asking the kernel costs 19 ns a packet, the tick nothing.
  __u64 clock;
};
DR_CONSTANT(kDrClockTickMask, (1 << 20) - 1);  // 1 ms; and ticks repeat after 17 minutes or more

// An IPv4 address is in address[3], behind zeros.
struct DrVipSlot {
  __u32 address[4];
  __u32 kind;        // IPPROTO_TCP or IPPROTO_UDP, with kDrVipIpv6 for IPv6; 0 = nothing here
  __u32 port_table;  // below kDrPortTables
  __u32 reserved[2];
};
DR_CONSTANT(kDrVipIpv6, 0x100);

// Map "port_groups": service indexes of the ports 4n .. 4n + 3; 0 = not served. Element
// [table * kDrPortGroupsPerTable + n].
struct DrPortGroup {
  __u16 services[4];
};

// Every flow is recorded, so that the loads are known and limits hold; else only those of dirty
// slots.
DR_CONSTANT(kDrServiceTracked, 1);
// A new flow goes to the next server in turn (round robin by weight). With tracked.
DR_CONSTANT(kDrServiceByTurn, 2);
// The hash is of the client's address under its mask, without ports.
DR_CONSTANT(kDrServiceBySource, 4);
// A client is recorded too, and keeps its server for new flows. With tracked and by source.
DR_CONSTANT(kDrServicePersistent, 8);
// Forwards only before DrTables.leases[index].
DR_CONSTANT(kDrServiceLeased, 16);
// Without a usable server: drop; else the host's own stack answers (a RST, when it has the
// address).
DR_CONSTANT(kDrServiceDropUnserved, 32);
// A new flow goes to the server with the fewest flows for its weight, to within one flow. With more
// than kDrCandidatesMax servers: the least loaded of the next so many slots in turn. With tracked.
DR_CONSTANT(kDrServiceLeastFlows, 64);
// Handshakes in clean slots are watched all, not only the sample of kDrWatchSample.
DR_CONSTANT(kDrServiceWatchesAll, 128);

// One cache line.
struct DrService {
  __u64 hash_key[2];  // secret, and the same on every node that may own the VIP
  __u32 ring_mask;    // slots - 1; constant while the service has this index
  __u32 flags;
  // CLOCK_MONOTONIC; before it, a UDP flow without a record belongs to the base ring, as it may be
  // older than the change of the ring; after it, to the ring.
  __u64 udp_grace_until_ns;
  __u32 age_shift;         // a flow's age counts in units of 2^age_shift ns
  __u32 client_mask_ipv4;  // by source: applied to the client's address
  __u32 client_mask_ipv6[4];
  __u32 vip;         // index of the VIP's load
  __u32 candidates;  // servers that may take new flows: in DrTables.candidates, when they fit
};

// Maps "rings" and "bases": by service index, an inner array of these. A slot is a server index and
// the dirty bit; index 0 = no server.
struct DrRingGroup {
  __u16 slots[4];
};
DR_CONSTANT(kDrSlotDirty, 0x8000);  // the owner changed within the window: ask the flow table
DR_CONSTANT(kDrSlotServer, 0x7fff);

DR_CONSTANT(kDrServerUsable, 0x8000);
DR_CONSTANT(kDrServerLocal, 0x4000);  // this host itself: the packet goes up the stack
// Takes no new flows, of clients that are recorded with it neither, nor SYNs that are sent again.
DR_CONSTANT(kDrServerHeld, 0x1000);
DR_CONSTANT(kDrServerVlan, 0x0fff);  // 802.1Q identifier of its network; 0 = untagged

// The MAC is in one aligned word, so that it changes at once. MACs are in halves: packets are
// aligned to two bytes, and a copy by bytes costs more than all the rest of the rewriting.
struct DrServer {
  __u16 mac[3];
  __u16 source_mac[3];  // of the interface that leads to it
  __u16 flags;
  __u16 interface;  // ifindex modulo kDrInterfaces
};

// Map "server_counts": per CPU, by server index.
struct DrServerCounts {
  __u64 packets;
  __u64 bytes;     // IP length
  __u64 flows;     // SYNs; UDP: flows that were recorded
  __u64 recorded;  // packets whose server the flow table gave
};

// Map "handshakes": per CPU, by server index. Of TCP flows that were watched: all recorded ones,
// and of those in clean slots a sample (see kDrWatchSample), or all (kDrServiceWatchesAll).
struct DrHandshakeCounts {
  __u64 watched;     // SYNs
  __u64 progressed;  // of these, flows of which a further packet came
};

// Map "flows". An entry is of a flow, or in a persistent service of a client:
//
//   63              24  23           22    16  15                              11      0
//   [ tag: hash bits ][ established ][ age   ][ uncounted client handshake ended ][ server ]
//
// A server of 0: empty. A flow of a tracked service that has not ended counts in the load of its
// server: who takes the entry out, or marks it as ended, takes it off the load, and the atomic
// exchange of the entry lets one alone do that.
struct DrFlowBucket {
  __u64 entries[8];
};
DR_CONSTANT(kDrFlowTagShift, 24);
DR_CONSTANT(kDrFlowAgeShift, 16);
DR_CONSTANT(kDrFlowAgeMask, 0x7f);
DR_CONSTANT(kDrFlowServerMask, 0x0fff);
DR_CONSTANT(kDrFlowEnded, 0x1000);  // a FIN or RST of the client's came, or a SYN anew
// A SYN came, but nothing further yet. The age of such an entry counts in units of
// 2^kDrHandshakeAgeShift ns (1.07 s), so that it is forgotten soon, whatever the idle time-out is.
DR_CONSTANT(kDrFlowHandshake, 0x2000);
DR_CONSTANT(kDrFlowClient, 0x4000);     // of a client, not a flow
DR_CONSTANT(kDrFlowUncounted, 0x8000);  // the service was not tracked when the flow began
DR_CONSTANT(kDrHandshakeAgeShift, 30);
#define DR_FLOW_ESTABLISHED (1ULL << 23)

// Whether the entry is in the load of its server.
static inline int DrFlowCounts(__u64 entry) {
  return (entry & kDrFlowServerMask) &&
         !(entry & (kDrFlowEnded | kDrFlowClient | kDrFlowUncounted));
}

// How many counted flows a real server has, over all services of its VIP. `active` is changed by
// atomic additions, of the program and of user space; below 0 only while those pass each other.
struct DrServerLoad {
  __s32 active;
  __u32 connections_max;     // 0 = unlimited
  __u32 connections_resume;  // once full, it takes new flows again at this many
  __u32 full;    // reached connections_max, and has not been at connections_resume since
  __u32 weight;  // times kDrWeightUnit
  __u32 vip;     // index of its VIP's load
  __u64 reserved;
};
// So that those of kDrCandidatesMax servers of the weight 65,535 fit into 32 bits together.
DR_CONSTANT(kDrWeightUnit, 128);

struct DrVipLoad {
  __s32 active;
  __u32 connections_max;  // 0 = unlimited
  __u64 refused;          // new flows, because of it
};

// Watched handshakes of clean slots: {tag: 40 hash bits, age: 12 in units as kDrFlowHandshake's,
// server: 12}, direct mapped. The sample is those flows whose hash has none of these bits, so that
// the packets of all others meet no table.
DR_CONSTANT(kDrWatches, 4096);
DR_CONSTANT(kDrWatchSample, 0xf << 17);  // neither bucket nor tag; 1 of 16
DR_CONSTANT(kDrWatchAgeShift, 12);
DR_CONSTANT(kDrWatchAgeMask, 0xfff);
// For so many units of age an unfinished handshake holds its place; then it has failed.
DR_CONSTANT(kDrWatchUnits, 4);

DR_CONSTANT(kDrFragmentPassed, 0xffff);  // in place of a server: to the host's own stack

// Frames to other MACs are not ours.
struct DrInterface {
  __u16 mac[3];
  __u16 reserved;
  __u32 ifindex;
  __u32 reserved_too;
};

// Map "probes", by ifindex modulo kDrInterfaces: whether frames come in by the program and leave by
// it, seen on a real frame. User space asks a neighbour who it is (ARP, or ND). The program sends
// the second request in the place of the first answer; the second answer proves both ways.
//
//   kDrProbeIdle -> kDrProbeArmed      user space, before it sends the first request
//                -> kDrProbeAnswered   the program, as it sends the second request
//                -> kDrProbeProved     the program; the answer goes up the stack
struct DrProbe {
  __u32 stage;
  __u32 is_ipv6;
  __u16 neighbour[8];      // the address that answers; an IPv4 address in the first two
  __u16 neighbour_mac[3];  // and where from
  __u16 request[39];       // the second request: 42 bytes of ARP, or 78 of neighbour solicitation
  // User space's notes for its next process: the proof is of this interface and mode of attaching.
  __u32 proved_ifindex;
  __u32 proved_mode;  // 0 = none
  __u32 reserved[3];
};
DR_CONSTANT(kDrProbeIdle, 0);
DR_CONSTANT(kDrProbeArmed, 1);
DR_CONSTANT(kDrProbeAnswered, 2);
DR_CONSTANT(kDrProbeProved, 3);

// What user space notes of an index, so that its next process finds its own: hashes of names, 0 =
// the index is free. The program does not read it.
struct DrNotes {
  __u64 secret[2];  // every hash key is derived from it
  __u64 service_names[kDrServices];
  // CLOCK_MONOTONIC; the base ring is kept until then. 0 = no window.
  __u64 window_until_ns[kDrServices];
  __u64 server_names[kDrServers];
  __u64 vip_names[kDrServices];
};

// The global variable "tables".
struct DrTables {
  struct DrConfig config;
  struct DrInterface interfaces[kDrInterfaces];  // by ifindex modulo kDrInterfaces
  struct DrService services[kDrServices];        // by service index
  struct DrServer servers[kDrServers];           // by server index
  struct DrVipSlot vip_slots[2 * kDrVipSlots];   // by half and DrVipIndex
  __u64 leases[kDrServices];  // end of the lease, ns of CLOCK_BOOTTIME, by service index
  // Where the first fragment of a datagram went, for the later ones, which carry no ports:
  // {tag: 48 bits of the hash, server: 16}, direct mapped. Written by the program alone.
  __u64 fragments[kDrFragments];
  struct DrNotes notes;
  struct DrServerLoad loads[kDrServers];  // by server index
  struct DrVipLoad vips[kDrServices];     // by DrService.vip; index 0 is none
  // By service index: servers that may take new flows.
  __u16 candidates[kDrServices][kDrCandidatesMax];
  __u64 watches[kDrWatches];  // written by the program alone
};

// What became of a packet to a VIP that was not forwarded, and of what was none: map "reasons",
// per CPU. X(identifier, metric label, meaning)
#define DR_REASONS(X)                                                                           \
  X(NotOurs, "not_ours", "passed: not to a VIP")                                                \
  X(Unparsed, "unparsed", "passed: IP invalid, truncated, or more extensions than are read")    \
  X(OtherMac, "other_mac", "passed: to a VIP, but the frame is to another host's MAC")          \
  X(PortNotServed, "port_not_served", "passed: to a VIP's address, but no VIP has this port")   \
  X(LocalServer, "local_server", "passed: the real server is this host")                        \
  X(Unserved, "unserved", "passed: the VIP has no usable real server; the host answers")        \
  X(UnservedDropped, "unserved_dropped", "dropped: the VIP has no usable real server")          \
  X(VipLimit, "vip_limit", "new flow, passed or dropped as unserved: the VIP's maxConnections") \
  X(ServersFull, "servers_full",                                                                \
    "new flow, passed or dropped as unserved: every real server is at its maxConnections")      \
  X(Malformed, "malformed", "dropped: to a VIP, transport header truncated")                    \
  X(FragmentWithoutFirst, "fragment_without_first", "dropped: its first fragment was not seen") \
  X(LeaseExpired, "lease_expired", "dropped: this node's lease of the VIP has ended")           \
  X(OtherVlan, "other_vlan", "dropped: the real server is in another VLAN than the frame")      \
  X(MapMissing, "map_missing", "dropped: a map that user space writes lacks an entry")          \
  X(TableContended, "table_contended", "forwarded, but not recorded: other CPUs took the bucket")

enum {
#define DR_REASON_IDENTIFIER(identifier, label, meaning) kDrReason##identifier,
  DR_REASONS(DR_REASON_IDENTIFIER)
#undef DR_REASON_IDENTIFIER
      kDrReasons
};

static_assert(sizeof(struct DrConfig) == 64, "map layout");
static_assert(sizeof(struct DrVipSlot) == 32, "map layout");
static_assert(sizeof(struct DrPortGroup) == 8, "map layout");
static_assert(sizeof(struct DrService) == 64, "one cache line");
static_assert(sizeof(struct DrRingGroup) == 8, "map layout");
static_assert(sizeof(struct DrServer) == 16, "four in a cache line");
static_assert(sizeof(struct DrServerCounts) == 32, "two in a cache line");
static_assert(sizeof(struct DrHandshakeCounts) == 16, "map layout");
static_assert(sizeof(struct DrFlowBucket) == 64, "one cache line");
static_assert(sizeof(struct DrServerLoad) == 32, "two in a cache line");
static_assert(sizeof(struct DrVipLoad) == 16, "map layout");
static_assert(sizeof(struct DrInterface) == 16, "map layout");
static_assert(sizeof(struct DrProbe) == 128, "two cache lines");
static_assert(sizeof(struct DrTables) < 640 * 1024, "one value of an array map");
static_assert(kDrServers <= kDrSlotServer, "a slot holds a server index and the dirty bit");
static_assert(kDrServers <= kDrFlowServerMask + 1, "an entry holds a server index and marks");
// A ring's slot is taken from the tag, so that a record alone tells which slot its flow is in.
static_assert(kDrFlowBucketBits <= kDrFlowTagShift, "bucket and tag share no bit");

// The place of an address and kind in a half of "vip_slots": multiply-shift hashing
// (Dietzfelbinger et al., "A reliable randomized algorithm for the closest-pair problem", 1997).
static inline __u32 DrVipIndex(const __u32 address[4], __u32 kind, const __u64 seed[2]) {
  const __u64 high = (((__u64)address[0] << 32) | address[1]) + kind;
  const __u64 low = ((__u64)address[2] << 32) | address[3];
  return (__u32)((high * seed[0] + low * seed[1]) >> (64 - kDrVipSlotBits));
}

// One round of a keyed mix: the key goes in before and between the multiplications, so that who
// does not know it cannot choose clients that meet in one slot. The multiplier is murmur3's.
static inline __u64 DrMix(__u64 value, const __u64 key[2]) {
  value ^= key[0];
  value ^= value >> 32;
  value *= 0xff51afd7ed558ccdULL;
  value ^= key[1] ^ (value >> 29);
  value *= 0xc4ceb9fe1a85ec53ULL;
  return value ^ (value >> 32);
}

// `ports`: the first four bytes of the transport header as they are in memory; 0 by source.
static inline __u64 DrHashIpv4(__u32 client, __u32 ports, const __u64 key[2]) {
  return DrMix(((__u64)client << 32) | ports, key);
}

// Two clients meet before the mix only when their difference solves an equation in the key: by
// chance of about 2^-60.
static inline __u64 DrHashIpv6(const __u32 client[4], __u32 ports, const __u64 key[2]) {
  const __u64 high = ((__u64)client[0] << 32) | client[1];
  const __u64 low = ((__u64)client[2] << 32) | client[3];
  return DrMix((high * (key[1] | 1) + low * (key[0] | 1)) ^ ports, key);
}

static inline __u32 DrRingSlot(__u64 hash, __u32 ring_mask) {
  return (__u32)(hash >> kDrFlowTagShift) & ring_mask;
}

// The key of a flow's record where the ring's slot is by the client alone: the bits of the slot are
// the client's, the others the flow's.
static inline __u64 DrRecordHash(__u64 client_hash, __u64 flow_hash) {
  const __u64 slot_bits = (__u64)(kDrRingSlotsMax - 1) << kDrFlowTagShift;
  return (client_hash & slot_bits) | (flow_hash & ~slot_bits);
}

static inline __u32 DrFlowBucketIndex(__u64 hash) { return (__u32)hash & (kDrFlowBuckets - 1); }

#ifdef __cplusplus
}  // namespace fairlead::dataplane::dr::bpf
#endif
