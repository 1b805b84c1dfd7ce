#include "pkg/controller/handshake_watch.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

namespace fairlead::controller {
namespace {

using dataplane::PlanServer;
using dataplane::PlanService;
using dataplane::ServerObservation;

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

// Whether clients' new connections reach it directly, or would if it was not held.
bool IsUsable(const PlanServer& server, const ServerRecord& record) {
  const dataplane::ServerCondition& condition = record.condition;
  if (condition.admin != model::AdminState::kOnline || server.weight <= 0) return false;
  if (condition.held.empty()) {
    return server.eligibility == model::Eligibility::kAll && server.way == dataplane::Way::kDirect;
  }
  return server.operational == model::OperationalState::kUp;
}

const model::Vip* FindVip(const model::DesiredState& desired, const std::string& name) {
  const auto found =
      std::find_if(desired.vips.begin(), desired.vips.end(),
                   [&name](const model::Vip& vip) { return vip.id.QualifiedName() == name; });
  return found == desired.vips.end() ? nullptr : &*found;
}

using Observed = absl::flat_hash_map<uint32_t, const ServerObservation*>;

Observed ByServer(const dataplane::PlaneObservation& observation) {
  Observed servers;
  for (const dataplane::ServiceObservation& service : observation.services) {
    for (const ServerObservation& server : service.servers) {
      servers.emplace(server.server_id, &server);
    }
  }
  return servers;
}

std::map<net::IpFamily, HandshakeInputs> InputsOf(
    const PlanService& service, const Observed& observed,
    const std::map<ServerKey, ServerRecord>& records) {
  std::map<net::IpFamily, HandshakeInputs> inputs;
  for (const PlanServer& server : service.servers) {
    const auto record = records.find({service.name, server.name});
    const auto counted = observed.find(server.id);
    if (record == records.end() || counted == observed.end()) continue;
    const ServerObservation& counters = *counted->second;
    if (!counters.handshakes.has_value()) continue;
    inputs[server.address.family()][server.name] = {
        .address = server.address,
        .watched_total = counters.handshakes->watched_total,
        .progressed_total = counters.handshakes->progressed_total,
        .weight = server.weight,
        .usable = counters.problem.empty() && IsUsable(server, record->second)};
  }
  return inputs;
}

}  // namespace

HandshakeVerdicts HandshakeWatch::Look(const model::DesiredState& desired,
                                       const dataplane::ForwardingPlan& plan,
                                       const dataplane::PlaneObservation& observation,
                                       const std::map<ServerKey, ServerRecord>& records,
                                       absl::Duration now) {
  HandshakeVerdicts verdicts;
  std::map<RuleKey, HandshakeRule> rules;
  const Observed observed = ByServer(observation);
  for (const auto& service : plan.services) {
    if (!service->watches_handshakes) continue;
    const model::Vip* vip = FindVip(desired, service->name);
    if (vip == nullptr) continue;
    for (const auto& [family, inputs] : InputsOf(*service, observed, records)) {
      const RuleKey key = {service->name, family};
      HandshakeRule& rule = rules[key] = std::move(rules_[key]);
      const bool most_looked_alike = rule.most_look_alike();
      rule.Look(vip->health_check.unanswered_handshakes, inputs, now);
      // In mode Auto the proxy has it.
      if (vip->mode == model::Mode::kDr && !rule.AnyServes()) rule.ReleaseHeld();
      if (rule.most_look_alike() != most_looked_alike) TellAll(key.first, !most_looked_alike);
      for (const auto& [name, input] : inputs) {
        const ServerKey server = {service->name, name};
        const HandshakeVerdict& verdict = verdicts[server] = rule.VerdictOf(name);
        if (records.at(server).handshakes.spared.empty()) TellSpared(server, verdict);
      }
    }
  }
  rules_ = std::move(rules);
  return verdicts;
}

void HandshakeWatch::TellAll(const std::string& vip, bool most_look_alike) {
  if (!most_look_alike) {
    events_.push_back(MakeEvent(base::LogLevel::kInfo,
                                "clients' handshakes are answered at most real servers again", vip,
                                ""));
    return;
  }
  events_.push_back(MakeEvent(
      base::LogLevel::kWarning, "clients' handshakes go unanswered at most real servers", vip,
      "so it is the network or a flood of SYNs, and no server is held for what all have; "
      "see fairlead_server_handshakes_watched_total and ..._progressed_total"));
}

void HandshakeWatch::TellSpared(const ServerKey& key, const HandshakeVerdict& verdict) {
  if (verdict.spared.empty()) return;
  Event event = MakeEvent(base::LogLevel::kWarning,
                          "clients' handshakes with a real server go unanswered", key.first,
                          absl::StrCat(verdict.spared,
                                       "; it gets new clients all the same, as half of the real "
                                       "servers are held already: look at the servers' network"));
  event.server = key.second;
  events_.push_back(std::move(event));
}

HandshakeVerdicts HandshakeWatch::ReleaseLast(const std::map<ServerKey, ServerRecord>& records) {
  HandshakeVerdicts released;
  for (auto& [key, rule] : rules_) {
    std::vector<ServerKey> held;
    bool others_serve = false;
    for (auto entry = records.lower_bound({key.first, ""});
         entry != records.end() && entry->first.first == key.first; ++entry) {
      const dataplane::ServerCondition& condition = entry->second.condition;
      if (entry->second.address.family() != key.second) continue;
      if (!condition.held.empty()) held.push_back(entry->first);
      others_serve |= condition.admin == model::AdminState::kOnline &&
                      condition.operational == model::OperationalState::kUp;
    }
    if (held.empty() || others_serve) continue;
    rule.ReleaseHeld();
    for (const ServerKey& server : held) released[server] = rule.VerdictOf(server.second);
  }
  return released;
}

void HandshakeWatch::Forget(const ServerKey& key) {
  for (auto& [rule_key, rule] : rules_) {
    if (rule_key.first == key.first) rule.Forget(key.second);
  }
}

}  // namespace fairlead::controller
