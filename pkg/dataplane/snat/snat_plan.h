// SnatPlan: a ForwardingPlan compiled for the shards: runtimes resolved, tables built. Immutable,
// shared by all shards.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "pkg/dataplane/forwarding_plan.h"
#include "pkg/dataplane/snat/runtime.h"
#include "pkg/scheduler/maglev.h"

namespace fairlead::dataplane::snat {

struct SnatService {
  std::shared_ptr<const PlanService> spec;
  std::shared_ptr<ServiceRuntime> runtime;
  std::vector<std::shared_ptr<ServerRuntime>> servers;  // parallel to spec->servers
  scheduler::MaglevTable maglev{{}};                    // Scheduler::kMaglev only
  // The number of connections at which servers' soft limits reach their maximum.
  uint64_t fullness = 0;
  // Something wants to know who the client is: persistence, hashing, PROXY header, transparency.
  bool needs_client_address = false;
  // Whoever waits would be served by the same servers: no persistence, no health per port.
  bool clients_alike = true;

  // Position of the server with this slot, or -1.
  int FindSlot(uint16_t slot) const;
};

// Sessions that end by force at `at` (monotonic): those of `server`, or, when it is null, all of
// `service`.
struct SessionCut {
  std::shared_ptr<ServiceRuntime> service;
  std::shared_ptr<ServerRuntime> server;
  absl::Duration at;
};

struct SnatPlan {
  uint64_t revision = 0;
  std::vector<std::shared_ptr<const SnatService>> services;
  std::vector<std::shared_ptr<const SnatService>> by_id;  // null: the service is not in the plan
  std::vector<SessionCut> cuts;

  const SnatService* Find(uint32_t service_id) const {
    return service_id < by_id.size() ? by_id[service_id].get() : nullptr;
  }
};

// Compiles `plan`. Services whose PlanService is the same object as in `last` (may be null) are
// shared with it. What left since `last` is cut after its drain time-out: `now` + drain.
std::shared_ptr<const SnatPlan> CompilePlan(const ForwardingPlan& plan, const SnatPlan* last,
                                            absl::Duration now, RuntimeRegistry& runtimes);

}  // namespace fairlead::dataplane::snat
