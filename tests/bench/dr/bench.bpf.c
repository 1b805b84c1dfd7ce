// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The programs around the measured one: what restores each packet before it, the floors that it is
// compared with, a generator of frames and their end.

// bpf_helpers.h needs the types of linux/bpf.h.
// clang-format off
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
// clang-format on

#include "tests/bench/dr/traffic.h"

enum { kTtl = 64, kTcp = 6 };  // as in the frame that user space makes

struct BenchTraffic traffic;
__u32 packets;  // made so far; by one CPU

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} tested SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_DEVMAP);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} wire SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} sunk SEC(".maps");

// Makes the next packet of the frame that the former one left behind. Whole words, as the tested
// program reads them: a load of what several stores wrote would wait for all of them.
static __always_inline int MakePacket(struct xdp_md* context) {
  void* data = (void*)(long)context->data;
  const void* end = (const void*)(long)context->data_end;
  __u32* macs = data;
  __u32* client = data + (traffic.client_offset & 63);
  __u32* ports = data + (traffic.ports_offset & 63);
  if ((const void*)(macs + 3) > end || (const void*)(client + 1) > end ||
      (const void*)(ports + 1) > end) {
    return 0;
  }
  const __u32 number = packets++ & traffic.flows_mask;
  macs[0] = traffic.macs[0];
  macs[1] = traffic.macs[1];
  macs[2] = traffic.macs[2];
  *client = bpf_htonl(traffic.first_client + (number >> 8));
  *ports = bpf_htons(0x8000 | (number & 0xff)) |
           (__u32)traffic.vip_ports[number & (kBenchPorts - 1)] << 16;
  return 1;
}

SEC("xdp")
int bench_drive(struct xdp_md* context) {
  if (!MakePacket(context)) return XDP_ABORTED;
  bpf_tail_call(context, &tested, 0);
  return XDP_ABORTED;
}

SEC("xdp")
int bench_return(struct xdp_md* context) {
  (void)context;
  return XDP_TX;
}

SEC("xdp")
int bench_swap_macs(struct xdp_md* context) {
  __u16* macs = (void*)(long)context->data;
  const void* end = (const void*)(long)context->data_end;
  if ((const void*)(macs + 6) > end) return XDP_DROP;
#pragma unroll
  for (int i = 0; i < 3; ++i) {
    const __u16 destination = macs[i];
    macs[i] = macs[i + 3];
    macs[i + 3] = destination;
  }
  return XDP_TX;
}

// For the kernel's own forwarding, which looks at the checksum (RFC 1071: what the client's address
// adds to the rest of the header) and leaves a lower TTL behind in the frame's memory.
static __always_inline int RestoreIpv4(struct xdp_md* context) {
  __u16* header = (void*)(long)context->data + 14;
  const void* end = (const void*)(long)context->data_end;
  if ((const void*)(header + 10) > end) return 0;
  __u32 sum = traffic.header_sum + header[6] + header[7];
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  header[4] = bpf_htons(kTtl << 8 | kTcp);
  header[5] = ~sum;
  return 1;
}

SEC("xdp")
int bench_generate(struct xdp_md* context) {
  if (!MakePacket(context) || !RestoreIpv4(context)) return XDP_ABORTED;
  return (int)bpf_redirect_map(&wire, 0, XDP_ABORTED);
}

SEC("xdp")
int bench_pass(struct xdp_md* context) {
  (void)context;
  return XDP_PASS;
}

SEC("xdp")
int bench_sink(struct xdp_md* context) {
  (void)context;
  const __u32 zero = 0;
  __u64* count = bpf_map_lookup_elem(&sunk, &zero);
  if (count) ++*count;
  return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
