#include "pkg/controller/server_ways.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"

namespace fairlead::controller {
namespace {

using dataplane::PlanServer;
using dataplane::PlanService;
using dataplane::Way;

const PlanServer* FindServer(const PlanService& service, uint32_t id) {
  const auto found = std::find_if(service.servers.begin(), service.servers.end(),
                                  [id](const PlanServer& server) { return server.id == id; });
  return found == service.servers.end() ? nullptr : &*found;
}

Event WayEvent(const PlanService& service, const PlanServer& server) {
  Event event;
  event.kind = "vip";
  event.subject = service.name;
  event.server = server.name;
  switch (server.way) {
    case Way::kDirect:
      event.message = "real server is reached directly (DR) now";
      event.reason = "the check along the direct path passes; proxied connections stay proxied";
      break;
    case Way::kProxy:
      event.level = base::LogLevel::kWarning;
      event.message = "real server is proxied (SNAT) now";
      event.reason = server.way_reason;
      break;
  }
  return event;
}

}  // namespace

std::vector<std::pair<ServerKey, std::string>> WayProblems(
    const dataplane::ForwardingPlan& plan, const dataplane::PlaneObservation& observation) {
  absl::flat_hash_map<uint32_t, const PlanService*> services;
  for (const auto& service : plan.services) {
    if (service->mode != model::Mode::kSnat) services.emplace(service->id, service.get());
  }
  std::vector<std::pair<ServerKey, std::string>> problems;
  for (const dataplane::ServiceObservation& observed : observation.services) {
    const auto service = services.find(observed.service_id);
    if (service == services.end()) continue;
    for (const dataplane::ServerObservation& server : observed.servers) {
      const PlanServer* planned = FindServer(*service->second, server.server_id);
      if (planned == nullptr || !server.way_problem.has_value()) continue;
      problems.push_back({{service->second->name, planned->name}, *server.way_problem});
    }
  }
  return problems;
}

std::vector<Event> DescribeWayChanges(const dataplane::ForwardingPlan* before,
                                      const dataplane::ForwardingPlan& after) {
  std::vector<Event> events;
  if (before == nullptr) return events;
  absl::flat_hash_map<uint32_t, const PlanService*> former;
  for (const auto& service : before->services) {
    if (service->mode == model::Mode::kAuto) former.emplace(service->id, service.get());
  }
  for (const auto& service : after.services) {
    const auto known = former.find(service->id);
    if (known == former.end() || service->mode != model::Mode::kAuto) continue;
    if (known->second == service.get()) continue;
    for (const PlanServer& server : service->servers) {
      const PlanServer* was = FindServer(*known->second, server.id);
      if (was != nullptr && was->way != server.way) events.push_back(WayEvent(*service, server));
    }
  }
  return events;
}

}  // namespace fairlead::controller
