#include "pkg/dataplane/snat/snat_plan.h"

#include <algorithm>

namespace fairlead::dataplane::snat {
namespace {

bool NeedsClientAddress(const PlanService& spec) {
  return spec.persistence.type != model::Persistence::Type::kNone ||
         spec.client_address != model::ClientAddress::kNone ||
         spec.scheduler == model::Scheduler::kSourceHash ||
         spec.scheduler == model::Scheduler::kMaglev;
}

uint64_t Fullness(const PlanService& spec) {
  if (spec.connections_max > 0) return spec.connections_max;
  uint64_t sum = 0;
  for (const PlanServer& server : spec.servers) sum += server.connections_max;
  return sum;
}

std::shared_ptr<const SnatService> CompileService(std::shared_ptr<const PlanService> spec,
                                                  RuntimeRegistry& runtimes) {
  auto service = std::make_shared<SnatService>();
  service->runtime = runtimes.Service(spec->id, spec->name);
  std::vector<scheduler::MaglevServer> maglev_servers;
  for (const PlanServer& server : spec->servers) {
    service->servers.push_back(runtimes.Server(*service->runtime, server.id, server.name));
    // Health does not shape the table: a server that fails and comes back moves only its own keys.
    maglev_servers.push_back({service->servers.back()->name_hash, server.weight});
  }
  if (spec->scheduler == model::Scheduler::kMaglev) {
    service->maglev = scheduler::MaglevTable(maglev_servers);
  }
  service->fullness = Fullness(*spec);
  service->needs_client_address = NeedsClientAddress(*spec);
  service->clients_alike = spec->persistence.type == model::Persistence::Type::kNone &&
                           std::none_of(spec->servers.begin(), spec->servers.end(),
                                        [](const PlanServer& server) { return server.per_port; });
  service->spec = std::move(spec);
  return service;
}

// Every server that was in `last` and is not in `plan` any more, and the cuts that still wait.
void AddDepartures(const SnatPlan& last, absl::Duration now, SnatPlan* plan) {
  for (const auto& service : last.services) {
    const SnatService* successor = plan->Find(service->runtime->id);
    const absl::Duration cut_at = now + service->spec->timeouts.drain;
    if (successor == nullptr) {
      plan->cuts.push_back({service->runtime, nullptr, cut_at});
      continue;
    }
    for (const auto& server : service->servers) {
      if (successor->FindSlot(server->slot) >= 0) continue;
      plan->cuts.push_back({service->runtime, server, cut_at});
    }
  }
  for (const SessionCut& cut : last.cuts) {
    // A service or server that came back is no departure any more.
    const SnatService* service = plan->Find(cut.service->id);
    const bool returned =
        service != nullptr && (cut.server == nullptr || service->FindSlot(cut.server->slot) >= 0);
    const bool empty = cut.server != nullptr ? cut.server->connections.load() == 0
                                             : cut.service->connections.load() == 0;
    if (!returned && !empty) plan->cuts.push_back(cut);
  }
}

}  // namespace

int SnatService::FindSlot(uint16_t slot) const {
  for (size_t i = 0; i < servers.size(); ++i) {
    if (servers[i]->slot == slot) return static_cast<int>(i);
  }
  return -1;
}

std::shared_ptr<const SnatPlan> CompilePlan(const ForwardingPlan& plan, const SnatPlan* last,
                                            absl::Duration now, RuntimeRegistry& runtimes) {
  auto compiled = std::make_shared<SnatPlan>();
  compiled->revision = plan.revision;
  for (const auto& spec : plan.services) {
    std::shared_ptr<const SnatService> service;
    if (last != nullptr && spec->id < last->by_id.size()) service = last->by_id[spec->id];
    if (service != nullptr && service->spec != spec) service = nullptr;
    if (service == nullptr) service = CompileService(spec, runtimes);
    if (compiled->by_id.size() <= spec->id) compiled->by_id.resize(spec->id + 1);
    compiled->by_id[spec->id] = service;
    for (size_t i = 0; i < spec->servers.size(); ++i) {
      const absl::Duration cut_at = spec->servers[i].cut_sessions_at;
      if (cut_at == absl::InfiniteDuration()) continue;
      compiled->cuts.push_back({service->runtime, service->servers[i], cut_at});
    }
    compiled->services.push_back(std::move(service));
  }
  if (last != nullptr) AddDepartures(*last, now, compiled.get());
  return compiled;
}

}  // namespace fairlead::dataplane::snat
