// The part of ServerRecords about direct routing: whether each real server serves the VIP when a
// frame comes to its MAC.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "pkg/controller/probe_targets.h"
#include "pkg/controller/server_records.h"
#include "pkg/model/server_fit.h"

namespace fairlead::controller {
namespace {

using model::OperationalState;

PathUse UseOf(const model::Vip& vip, const model::ServerSpec& spec, const ServerRecord& record) {
  if (vip.health_check.type == model::HealthCheck::Type::kNone) return PathUse::kNone;
  if (record.direct_path.has_value() && record.direct_path->local) return PathUse::kNone;
  switch (vip.mode) {
    case model::Mode::kSnat:
      return PathUse::kNone;
    case model::Mode::kDr:
      return PathUse::kDecides;
    case model::Mode::kAuto:
      return model::DirectMisfit(vip, spec).empty() ? PathUse::kAdvises : PathUse::kNone;
  }
  return PathUse::kNone;
}

Event ServerEvent(base::LogLevel level, absl::string_view message, const ServerKey& key,
                  std::string reason) {
  Event event;
  event.level = level;
  event.message = message;
  event.kind = "vip";
  event.subject = key.first;
  event.server = key.second;
  event.reason = std::move(reason);
  return event;
}

}  // namespace

bool ServerRecords::ObservePaths(const dataplane::ForwardingPlan& plan,
                                 const dataplane::PlaneObservation& observation) {
  absl::flat_hash_map<uint32_t, const dataplane::ServerObservation*> observed;
  for (const dataplane::ServiceObservation& service : observation.services) {
    for (const dataplane::ServerObservation& server : service.servers) {
      if (server.direct_path.has_value() || !server.problem.empty()) {
        observed[server.server_id] = &server;
      }
    }
  }
  bool changed = false;
  for (const auto& service : plan.services) {
    if (service->mode == model::Mode::kSnat) continue;
    for (const dataplane::PlanServer& server : service->servers) {
      const auto record = records_.find({service->name, server.name});
      if (record == records_.end()) continue;
      const auto found = observed.find(server.id);
      const bool known = found != observed.end();
      auto path = known ? found->second->direct_path : std::nullopt;
      std::string no_path = known && !path.has_value() ? found->second->problem : "";
      changed |= record->second.direct_path != path || record->second.no_path != no_path;
      record->second.direct_path = path;
      record->second.no_path = std::move(no_path);
    }
  }
  if (!changed) return false;
  servers_of_mac_.clear();
  for (const auto& [key, record] : records_) {
    if (record.direct_path.has_value() && !record.direct_path->local) {
      servers_of_mac_[record.direct_path->mac].insert(key);
    }
  }
  return true;
}

void ServerRecords::AddPathTargets(const model::Vip& vip, const model::VipServer& server,
                                   const net::IpAddress& address, ServerRecord* record,
                                   std::vector<health::ProbeTarget>* targets) {
  record->path_use = UseOf(vip, server.spec, *record);
  std::map<net::IpAddress, health::HealthReport> reports;
  if (record->path_use != PathUse::kNone && record->direct_path.has_value()) {
    const ServerKey key(vip.id.QualifiedName(), server.name);
    for (auto& [vip_address, target] : PathTargetsOf(vip, server, address, *record->direct_path)) {
      const auto known = record->path_reports.find(vip_address);
      const bool keep = known != record->path_reports.end() && known->second.target_id == target.id;
      reports.emplace(vip_address,
                      keep ? std::move(known->second) : health::NotCheckedYet(target.id));
      target_owners_.insert_or_assign(target.id,
                                      TargetOwner{key, target.endpoint.port, vip_address});
      targets->push_back(std::move(target));
    }
  }
  record->path_reports = std::move(reports);
}

PathSummary ServerRecords::PathOf(const ServerRecord& record, OperationalState plain) {
  if (record.path_use == PathUse::kNone) {
    const bool local = record.direct_path.has_value() && record.direct_path->local;
    return {.reason = local ? "not checked: the server is this host" : "not checked"};
  }
  if (!record.path_reports.empty()) return SummarizePath(record.path_reports);
  if (record.no_path.empty()) return {.reason = "not checked yet: its MAC is not known yet"};
  // A server whose MAC is still being asked for cannot have answered its plain check: so this one
  // has no way for good.
  return {.state =
              plain == OperationalState::kUp ? OperationalState::kDown : OperationalState::kUnknown,
          .reason = record.no_path};
}

ServerRecords::Effect ServerRecords::ApplyPathReport(const TargetOwner& owner,
                                                     const health::HealthReport& report) {
  ServerRecord& record = records_.at(owner.key);
  health::HealthReport& known = record.path_reports[*owner.vip_address];
  const bool was_not_checked = known.not_checked;
  known = WithName(owner.key, report);
  if (was_not_checked != report.not_checked) {
    on_event_(report.not_checked
                  ? ServerEvent(
                        base::LogLevel::kWarning,
                        "direct routing to a real server cannot be checked", owner.key,
                        absl::StrCat(report.reason, "; until it can, its plain check alone counts"))
                  : ServerEvent(base::LogLevel::kInfo,
                                "direct routing to a real server can be checked", owner.key,
                                report.reason));
  }
  const OperationalState before = record.condition.direct_path;
  if (!UpdateCondition(owner.key, &record)) return Effect::kNone;
  const bool first_up =
      before == OperationalState::kUnknown && record.condition.direct_path == OperationalState::kUp;
  return first_up ? Effect::kSoon : Effect::kNow;
}

health::HealthReport ServerRecords::WithName(const ServerKey& key,
                                             health::HealthReport report) const {
  if (!report.answered_by.has_value()) return report;
  const auto found = servers_of_mac_.find(*report.answered_by);
  if (found == servers_of_mac_.end()) return report;
  // The same host may be a server of other VIPs, by other names.
  auto named = found->second.lower_bound({key.first, ""});
  if (named == found->second.end() || named->first != key.first) named = found->second.begin();
  const std::string mac = net::MacText(*report.answered_by);
  report.reason = absl::StrReplaceAll(
      report.reason,
      {{absl::StrCat("by MAC ", mac), absl::StrCat("by MAC ", mac, ", which is ", named->second)}});
  return report;
}

bool ServerRecords::SetHandshakes(const ServerKey& key, const HandshakeVerdict& verdict) {
  const auto found = records_.find(key);
  if (found == records_.end() || found->second.handshakes == verdict) return false;
  found->second.handshakes = verdict;
  return UpdateCondition(key, &found->second);
}

void ServerRecords::JoinHandshakes(ServerRecord* record, HealthSummary* summary,
                                   PathSummary* path) {
  const HandshakeVerdict& verdict = record->handshakes;
  dataplane::ServerCondition& condition = record->condition;
  condition.held.clear();
  condition.weight_share = 1;
  OperationalState& state = record->mode == model::Mode::kAuto ? path->state : summary->state;
  std::string& reason = record->mode == model::Mode::kAuto ? path->reason : summary->reason;
  if (state != OperationalState::kUp) return;
  switch (verdict.phase) {
    case HandshakeVerdict::Phase::kServing:
      return;
    case HandshakeVerdict::Phase::kHeld:
      condition.held =
          absl::StrCat(verdict.seen, "; tried again after ", absl::FormatDuration(verdict.hold));
      state = OperationalState::kDown;
      reason = absl::StrCat(condition.held,
                            ", or at once by `fairlead online` (its checks pass: ", reason, ")");
      return;
    case HandshakeVerdict::Phase::kTrial:
      condition.weight_share = HandshakeRule::kTrialShare;
      absl::StrAppend(&reason, "; on trial with a tenth of its weight, after ", verdict.seen);
      return;
  }
}

void ServerRecords::TellPath(const ServerKey& key, const ServerRecord& record) const {
  // In mode DR the verdict on the server tells it.
  if (record.path_use != PathUse::kAdvises) return;
  switch (record.condition.direct_path) {
    case OperationalState::kUp:
      on_event_(ServerEvent(base::LogLevel::kInfo, "direct routing to a real server works", key,
                            record.condition.direct_path_reason));
      return;
    case OperationalState::kDown:
      on_event_(ServerEvent(base::LogLevel::kWarning, "direct routing to a real server fails", key,
                            record.condition.direct_path_reason));
      return;
    case OperationalState::kUnknown:
      return;
  }
}

}  // namespace fairlead::controller
