// Which real server the program would choose for a client, and why: the rows of bpf/choose.bpf.h in
// words, from the same maps.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/types/span.h"
#include "pkg/dataplane/data_plane.h"
#include "pkg/dataplane/dr/bpf/dr_maps.h"
#include "pkg/dataplane/dr/map_writer.h"
#include "pkg/dataplane/forwarding_plan.h"
#include "pkg/net/endpoint.h"

namespace fairlead::dataplane::dr {

struct FlowQuestion {
  const PlanService& service;
  net::Endpoint client;  // port 0 = any: then only a choice by source is certain
  net::Endpoint vip;
  const std::map<uint32_t, std::string>& problems;  // as ServerLinks
  bpf::DrTables& tables;
  absl::Span<const bpf::DrFlowBucket> flows;
  const MapWriter& writer;
};

Explanation ExplainFlow(const FlowQuestion& question);

}  // namespace fairlead::dataplane::dr
