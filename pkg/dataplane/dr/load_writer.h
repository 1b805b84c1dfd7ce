// The limits and weights by which the program places new flows, beside the loads that it counts.
// Words that it reads at once are written at once. Pure but for the tables.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "pkg/dataplane/dr/bpf/dr_maps.h"
#include "pkg/dataplane/dr/service_entry.h"

namespace fairlead::dataplane::dr {

// `vip`: index of the load of the server's VIP.
void WriteLimits(const ServerEntry& server, uint32_t vip, bpf::DrServerLoad* load);
void WriteVipLimit(uint32_t connections_max, bpf::DrVipLoad* load);
void WriteWeight(double weight, bpf::DrServerLoad* load);

// Those of `servers` that may take new flows, in place of the former ones of `service`: the first
// kDrCandidatesMax. Returns how many there are, for DrService.candidates.
uint32_t WriteCandidates(absl::Span<const ServerEntry> servers, absl::Span<const uint32_t> indexes,
                         uint32_t service, bpf::DrTables* tables);

// Whether a load takes no new flows, as the program sees it.
bool IsFull(const bpf::DrServerLoad& load);
// Not below 0.
uint64_t ActiveFlows(const int32_t& active);

}  // namespace fairlead::dataplane::dr
