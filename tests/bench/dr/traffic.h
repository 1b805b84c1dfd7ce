// What the benchmark's BPF programs (C) and user space (C++) share: how a frame becomes the next
// packet.
#pragma once

#include <linux/types.h>

enum { kBenchPorts = 16 };  // a power of two

// The global variable "traffic". Packet n belongs to flow n & flows_mask: 256 ports of each client.
struct BenchTraffic {
  __u32 macs[3];                 // the frame's first 12 bytes
  __u32 client_offset;           // in the frame, of the last 4 bytes of the client's address; < 64
  __u32 ports_offset;            // of the transport header; < 64
  __u32 first_client;            // those 4 bytes of the first client, in host order
  __u32 flows_mask;              // flows - 1
  __u32 header_sum;              // IPv4: of the header's 16-bit words without checksum and client
  __u16 vip_ports[kBenchPorts];  // in network order, taken in turn
};
