// The part of DrDataPlane that tells what it does: counters, ways to the servers, and what a client
// would get.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/dataplane/dr/dr_data_plane.h"
#include "pkg/dataplane/dr/explain.h"
#include "pkg/dataplane/dr/load_writer.h"
#include "pkg/dataplane/dr/source_choice.h"

namespace fairlead::dataplane::dr {
namespace {

struct ReasonText {
  const char* label;
  const char* meaning;
};
constexpr ReasonText kReasons[] = {
#define DR_REASON_TEXT(identifier, label, meaning) {label, meaning},
    DR_REASONS(DR_REASON_TEXT)
#undef DR_REASON_TEXT
};

}  // namespace

PlaneObservation DrDataPlane::Observe() const {
  base::MutexLock lock(&mutex_);
  PlaneObservation observation;
  observation.applied_revision = plan_->revision;
  if (loader_ == nullptr) {
    for (const auto& service : plan_->services) {
      observation.services.push_back(ObserveService(*service, nullptr));
    }
    return observation;
  }
  for (const auto& [ifindex, attachment] : attachments_) {
    observation.interfaces.push_back({interfaces_.at(ifindex), AttachModeName(attachment.mode),
                                      attachment.reason, verifier_->verified(ifindex),
                                      verifier_->StateOf(ifindex)});
  }
  const auto reasons = loader_->store().Reasons();
  for (size_t i = 0; reasons.ok() && i < reasons->size(); ++i) {
    observation.packets.push_back({kReasons[i].label, kReasons[i].meaning, (*reasons)[i]});
  }
  auto servers = loader_->store().ServerCounts();
  auto handshakes = loader_->store().HandshakeCounts();
  if (!servers.ok() || !handshakes.ok()) return observation;
  const Counts counts = {*std::move(servers), *std::move(handshakes)};
  for (const auto& service : plan_->services) {
    observation.services.push_back(
        ObserveService(*service, Forwards(*service) ? &counts : nullptr));
  }
  return observation;
}

DirectPath DrDataPlane::DirectPathOf(const ServerLink& link, const net::IpAddress& server) const {
  return {.ifindex = link.own_ifindex,
          .mac = link.mac,
          .source_mac = link.source_mac,
          .vlan = link.vlan,
          .local = link.local,
          .source = ChooseSource(neighbours_->addresses(), link.own_ifindex, server, vips_)};
}

ServiceObservation DrDataPlane::ObserveService(const PlanService& service,
                                               const Counts* counts) const {
  ServiceObservation observed;
  observed.service_id = service.id;
  const auto refusal = refusals_.find(service.id);
  observed.counts_active = counts != nullptr && RecordsEveryFlow(service);
  if (observed.counts_active) {
    const bpf::DrVipLoad& load = loader_->store().tables().vips[writer_->VipIndex(service.name)];
    observed.connections_active = ActiveFlows(load.active);
    observed.rejections_total[static_cast<size_t>(Rejection::kVipLimit)] = load.refused;
  }
  for (const PlanServer& planned : service.servers) {
    ServerObservation& server = observed.servers.emplace_back();
    server.server_id = planned.id;
    const auto problem = problems_.find(planned.id);
    if (problem != problems_.end()) server.problem = problem->second;
    const auto link = links_.find(planned.id);
    if (link != links_.end()) server.direct_path = DirectPathOf(link->second, planned.address);
    server.way_problem = refusal != refusals_.end() ? refusal->second : server.problem;
    if (counts == nullptr) continue;
    const uint32_t index = writer_->ServerIndex(service.name, planned.name);
    const bpf::DrServerCounts& counted = counts->servers[index];
    server.counts_active = observed.counts_active;
    if (server.counts_active) {
      server.connections_active = ActiveFlows(loader_->store().tables().loads[index].active);
    }
    server.handshakes = HandshakesObservation{counts->handshakes[index].watched,
                                              counts->handshakes[index].progressed};
    server.connections_total = counted.flows;
    server.bytes_to_server_total = counted.bytes;
    observed.connections_total += counted.flows;
  }
  if (service.fallback.action == model::Fallback::Action::kServer) {
    const uint32_t index = writer_->ServerIndex(service.name, kFallbackName);
    if (counts != nullptr) observed.fallback_total = counts->servers[index].flows;
    observed.connections_total += observed.fallback_total;
    const auto problem = problems_.find(service.id);
    if (problem != problems_.end()) observed.fallback_problem = problem->second;
  }
  return observed;
}

absl::StatusOr<Explanation> DrDataPlane::Explain(const net::Endpoint& client,
                                                 const net::Endpoint& vip) const {
  base::MutexLock lock(&mutex_);
  for (const auto& service : plan_->services) {
    const auto& addresses = service->addresses;
    if (std::find(addresses.begin(), addresses.end(), vip.address) == addresses.end()) continue;
    if (!service->ports.Contains(vip.port) || !Forwards(*service)) continue;
    if (writer_ == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat("VIP ", service->name, " is not forwarded: the program is not loaded"));
    }
    return ExplainFlow({.service = *service,
                        .client = client,
                        .vip = vip,
                        .problems = problems_,
                        .tables = loader_->store().tables(),
                        .flows = loader_->store().flows(),
                        .writer = *writer_});
  }
  return absl::NotFoundError(absl::StrCat("no VIP in mode DR has ", vip.ToString()));
}

}  // namespace fairlead::dataplane::dr
