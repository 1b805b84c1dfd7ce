// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// An XDP program that lets everything pass, for the switch's end of a veth pair whose other end
// sends by XDP: without a program there, veth queues those frames and tells nobody
// (drivers/net/veth.c, veth_xdp_flush). A network card needs none.

// bpf_helpers.h needs the types of linux/bpf.h.
// clang-format off
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
// clang-format on

SEC("xdp")
int xdp_pass(struct xdp_md* context) {
  (void)context;
  return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
