// The answer to "which server would this client get, and why": the same choice that a shard makes,
// without taking anything.
#pragma once

#include "absl/status/statusor.h"
#include "pkg/dataplane/data_plane.h"
#include "pkg/dataplane/snat/snat_plan.h"
#include "pkg/net/endpoint.h"
#include "pkg/scheduler/persistence_table.h"

namespace fairlead::dataplane::snat {

// NotFound when no service of the plan has `vip`. With several shards and a scheduler that counts
// turns the answer is that of the first shard.
absl::StatusOr<Explanation> ExplainChoice(const SnatPlan& plan, const net::Endpoint& client,
                                          const net::Endpoint& vip,
                                          const scheduler::PersistenceTable& persistence,
                                          uint32_t now_seconds);

}  // namespace fairlead::dataplane::snat
