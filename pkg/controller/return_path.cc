#include "pkg/controller/return_path.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace fairlead::controller {
namespace {

constexpr char kProblem[] =
    "connects with clients' own addresses (clientAddress Transparent) time out, while health "
    "checks "
    "from this host's address succeed: most likely the replies do not come back. Real servers must "
    "route to the clients through this host, and this host must take those replies in (ip rule add "
    "iif INTERFACE lookup 100; ip route add local default dev lo table 100). Or use clientAddress "
    "ProxyProtocolV2";

const dataplane::ServiceObservation* Find(const dataplane::PlaneObservation& observation,
                                          uint32_t service_id) {
  const auto found =
      std::find_if(observation.services.begin(), observation.services.end(),
                   [service_id](const auto& service) { return service.service_id == service_id; });
  return found == observation.services.end() ? nullptr : &*found;
}

bool HasCheckedServer(const std::map<ServerKey, ServerRecord>& records, const std::string& vip) {
  for (auto record = records.lower_bound({vip, ""});
       record != records.end() && record->first.first == vip; ++record) {
    for (const auto& [port, report] : record->second.reports) {
      // Type None is Up without a single probe.
      if (report.state == model::OperationalState::kUp && report.probes > 0) return true;
    }
  }
  return false;
}

Event MakeEvent(base::LogLevel level, absl::string_view message, const std::string& vip,
                std::string reason) {
  Event event;
  event.level = level;
  event.message = message;
  event.kind = "vip";
  event.subject = vip;
  event.reason = std::move(reason);
  return event;
}

}  // namespace

std::vector<Event> ReturnPathWatch::Look(const dataplane::PlaneObservation& observation,
                                         const dataplane::ForwardingPlan& plan,
                                         const std::map<ServerKey, ServerRecord>& records) {
  std::vector<Event> events;
  std::map<std::string, Seen> seen;
  for (const auto& service : plan.services) {
    if (service->client_address != model::ClientAddress::kTransparent) continue;
    const dataplane::ServiceObservation* observed = Find(observation, service->id);
    if (observed == nullptr) continue;
    const auto& buckets = observed->connect_latency_buckets;
    Seen now = {.timeouts = observed->transparent_timeouts_total,
                .connects = std::accumulate(buckets.begin(), buckets.end(), uint64_t{0})};
    const Seen before = seen_.contains(service->name) ? seen_.at(service->name) : now;
    now.suspected = before.suspected;
    if (now.connects > before.connects) {
      now.suspected = false;
    } else if (now.timeouts > before.timeouts && HasCheckedServer(records, service->name)) {
      now.suspected = true;
    }
    if (now.suspected && !before.suspected) {
      events.push_back(MakeEvent(base::LogLevel::kWarning, "replies do not come back to this host",
                                 service->name, kProblem));
    } else if (!now.suspected && before.suspected) {
      events.push_back(MakeEvent(base::LogLevel::kInfo, "replies come back to this host again",
                                 service->name, "a connect with a client's address succeeded"));
    }
    seen.emplace(service->name, now);
  }
  seen_ = std::move(seen);
  return events;
}

std::string ReturnPathWatch::ProblemOf(const std::string& vip) const {
  const auto found = seen_.find(vip);
  return found != seen_.end() && found->second.suspected ? kProblem : "";
}

}  // namespace fairlead::controller
