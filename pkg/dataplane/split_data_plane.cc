#include "pkg/dataplane/split_data_plane.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "pkg/dataplane/service_split.h"

namespace fairlead::dataplane {
namespace {

template <typename T>
void Append(std::vector<T> from, std::vector<T>* to) {
  to->insert(to->end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

void AddServer(ServerObservation from, ServerObservation* to) {
  to->counts_active = to->counts_active && from.counts_active;
  to->handshakes = from.handshakes;
  to->connections_active += from.connections_active;
  to->connections_total += from.connections_total;
  to->bytes_to_server_total += from.bytes_to_server_total;
  to->bytes_from_server_total += from.bytes_from_server_total;
  to->problem = std::move(from.problem);
  to->way_problem = std::move(from.way_problem);
  to->direct_path = from.direct_path;
}

// What the program passed up is counted by the proxy.
void RemoveThisHost(ServiceObservation* service) {
  std::erase_if(service->servers, [service](const ServerObservation& server) {
    if (server.server_id != kThisHostId) return false;
    service->connections_total -= server.connections_total;
    service->connections_active -= server.connections_active;
    return true;
  });
}

// How many connections a proxied server has is known: those that it had directly end uncounted.
void CountProxiedServers(const PlanService& whole, ServiceObservation* direct) {
  absl::flat_hash_set<uint32_t> proxied;
  for (const PlanServer& server : whole.servers) {
    if (server.way == Way::kProxy) proxied.insert(server.id);
  }
  for (ServerObservation& server : direct->servers) {
    server.counts_active |= proxied.contains(server.server_id);
  }
  direct->counts_active =
      std::all_of(direct->servers.begin(), direct->servers.end(),
                  [](const ServerObservation& server) { return server.counts_active; });
}

void AddService(ServiceObservation from, ServiceObservation* to) {
  to->counts_active = to->counts_active && from.counts_active;
  to->connections_active += from.connections_active;
  to->connections_total += from.connections_total;
  to->fallback_total += from.fallback_total;
  if (!from.fallback_problem.empty()) to->fallback_problem = std::move(from.fallback_problem);
  for (size_t i = 0; i < to->rejections_total.size(); ++i) {
    to->rejections_total[i] += from.rejections_total[i];
  }
  absl::flat_hash_map<uint32_t, size_t> places;
  for (size_t i = 0; i < to->servers.size(); ++i) places.emplace(to->servers[i].server_id, i);
  for (ServerObservation& server : from.servers) {
    const auto place = places.find(server.server_id);
    if (place == places.end()) {
      to->servers.push_back(std::move(server));
    } else {
      AddServer(std::move(server), &to->servers[place->second]);
    }
  }
}

}  // namespace

ApplyResult SplitDataPlane::Apply(std::shared_ptr<const ForwardingPlan> plan) {
  auto snat_plan = std::make_shared<ForwardingPlan>();
  auto dr_plan = std::make_shared<ForwardingPlan>();
  snat_plan->revision = dr_plan->revision = plan->revision;
  {
    base::MutexLock lock(&mutex_);
    std::map<uint32_t, Halves> halves;
    for (const auto& service : plan->services) {
      if (service->mode == model::Mode::kSnat) snat_plan->services.push_back(service);
      if (service->mode == model::Mode::kDr) dr_plan->services.push_back(service);
      if (service->mode != model::Mode::kAuto) continue;
      Halves& both = halves[service->id];
      const auto known = halves_.find(service->id);
      if (known != halves_.end() && known->second.whole == service) {
        both = known->second;
      } else {
        both = {service, ProxyHalf(*service),
                service->direct_part != DirectPart::kNone ? DirectHalf(*service) : nullptr};
      }
      snat_plan->services.push_back(both.proxy);
      if (both.direct != nullptr) dr_plan->services.push_back(both.direct);
    }
    halves_ = std::move(halves);
  }
  // The program sees a packet before the proxy does. So what leaves it has listeners already, and
  // what enters it loses them afterwards: the listeners are written first.
  ApplyResult snat = snat_.Apply(std::move(snat_plan));
  ApplyResult dr = dr_.Apply(std::move(dr_plan));
  std::map<uint32_t, ServiceOutcome> outcomes;
  for (ServiceOutcome& outcome : snat.services) {
    outcomes.emplace(outcome.service_id, std::move(outcome));
  }
  for (ServiceOutcome& outcome : dr.services) {
    const auto [proxied, alone] = outcomes.try_emplace(outcome.service_id);
    if (alone) {
      proxied->second = std::move(outcome);
    } else {
      proxied->second.direct_status = std::move(outcome.status);
    }
  }
  ApplyResult result;
  result.revision = plan->revision;
  for (const auto& service : plan->services) {
    result.services.push_back(std::move(outcomes[service->id]));
  }
  return result;
}

PlaneObservation SplitDataPlane::Observe() const {
  PlaneObservation observation = snat_.Observe();
  PlaneObservation dr = dr_.Observe();
  observation.applied_revision = std::min(observation.applied_revision, dr.applied_revision);
  absl::flat_hash_map<uint32_t, size_t> places;
  for (size_t i = 0; i < observation.services.size(); ++i) {
    places.emplace(observation.services[i].service_id, i);
  }
  base::MutexLock lock(&mutex_);
  for (ServiceObservation& service : dr.services) {
    const auto halves = halves_.find(service.service_id);
    if (halves != halves_.end()) {
      RemoveThisHost(&service);
      CountProxiedServers(*halves->second.whole, &service);
      // Without a way for direct routing a server is proxied.
      for (ServerObservation& server : service.servers) server.problem.clear();
    }
    // One that changed its mode is in both, too, until its last session through the proxy has
    // ended.
    const auto place = places.find(service.service_id);
    if (place == places.end()) {
      observation.services.push_back(std::move(service));
    } else {
      AddService(std::move(service), &observation.services[place->second]);
    }
  }
  Append(std::move(dr.interfaces), &observation.interfaces);
  Append(std::move(dr.packets), &observation.packets);
  return observation;
}

absl::StatusOr<Explanation> SplitDataPlane::Explain(const net::Endpoint& client,
                                                    const net::Endpoint& vip) const {
  absl::StatusOr<Explanation> direct = dr_.Explain(client, vip);
  if (direct.ok() && !direct->passed_up) return direct;
  absl::StatusOr<Explanation> proxied = snat_.Explain(client, vip);
  // Whose VIP the proxy does not know has the program's answer.
  if (absl::IsNotFound(proxied.status()) && !absl::IsNotFound(direct.status())) return direct;
  if (!proxied.ok() || !direct.ok()) return proxied;
  proxied->reason = absl::StrCat(direct->reason, "; there ", proxied->reason);
  Append(std::move(proxied->details), &direct->details);
  proxied->details = std::move(direct->details);
  return proxied;
}

void SplitDataPlane::Stop(absl::Duration grace) {
  dr_.Stop(grace);
  snat_.Stop(grace);
}

}  // namespace fairlead::dataplane
