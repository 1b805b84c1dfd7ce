// What a packet costs in the program alone: BPF_PROG_TEST_RUN of a driver program that makes the
// next packet and calls the measured program; the same with `return XDP_TX` in its place is the
// floor to subtract.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace fairlead::bench {

struct PacketCostOptions {
  uint32_t rounds = 15;
  uint32_t repeat = 500'000;  // packets of a slice; the kernel takes 1 to 2^32 - 1
};

// JSON: {"map_bytes": N, "rows": {"tcp4": {"floor": [ns per packet of each round], "swap": [...],
// "fairlead": [...]}, ...}}. Every packet is checked by the program's own counters to have been
// forwarded, and in a dirty slot to have found its record. Errors: the kernel refuses BPF
// (FailedPrecondition), bpf_stats are on, or a packet was not forwarded.
absl::StatusOr<std::string> MeasurePacketCost(const PacketCostOptions& options);

}  // namespace fairlead::bench
