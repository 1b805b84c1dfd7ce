#include "pkg/controller/server_records.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "pkg/controller/health_summary.h"
#include "pkg/controller/probe_targets.h"

namespace fairlead::controller {
namespace {

using dataplane::ServerCondition;
using model::AdminState;
using model::OperationalState;

bool Serves(const ServerCondition& condition) {
  return condition.admin != AdminState::kHalt && condition.operational == OperationalState::kUp;
}

}  // namespace

ServerRecords::ServerRecords(const base::Clock& clock, std::function<void(const Event&)> on_event)
    : clock_(clock), on_event_(std::move(on_event)) {}

bool ServerRecords::Reconcile(const model::DesiredState& desired,
                              const model::ServerIndex& servers) {
  bool overrides_changed = false;
  std::set<ServerKey> wanted;
  name_users_.clear();
  for (size_t i = 0; i < desired.vips.size(); ++i) {
    const model::Vip& vip = desired.vips[i];
    for (const model::VipServer& server : servers.ServersOf(vip)) {
      const ServerKey key(vip.id.QualifiedName(), server.name);
      wanted.insert(key);
      const auto found = records_.find(key);
      if (found == records_.end()) {
        records_.emplace(key, MakeRecord(key, server.spec, &overrides_changed));
      } else {
        UpdateRecord(key, server.spec, &found->second, &overrides_changed);
      }
      if (!server.spec.has_host_name()) continue;
      const NameUser user = {key, i, server.spec.port};
      name_users_[server.spec.host_name].push_back(user);
      const auto known = answers_.find(server.spec.host_name);
      if (known != answers_.end()) AdoptAnswer(vip, user, known->second);
    }
  }
  std::erase_if(records_, [&](const auto& entry) { return !wanted.contains(entry.first); });
  std::erase_if(answers_, [&](const auto& entry) { return !name_users_.contains(entry.first); });
  first_reading_ = false;
  return overrides_changed;
}

ServerRecord ServerRecords::MakeRecord(const ServerKey& key, const model::ServerSpec& spec,
                                       bool* overrides_changed) {
  ServerRecord record;
  record.host_name = spec.host_name;
  record.address = spec.address;
  record.admin_in_manifest = spec.state;
  record.admin_since = clock_.Now();
  record.warmth = first_reading_ ? ServerRecord::Warmth::kWarm : ServerRecord::Warmth::kCold;
  record.condition.admin = spec.state;
  record.condition.admin_since = clock_.Monotonic();

  const auto kept = overrides_.find(key);
  if (kept == overrides_.end()) return record;
  const Override& set_here = kept->second;
  if (set_here.address != record.AddressText()) {
    *overrides_changed |= DropOverride(key, "the server has another address now");
  } else if (set_here.manifest_state != spec.state) {
    *overrides_changed |= DropOverride(key, "the manifest's state was changed since");
  } else {
    record.set_here = true;
    record.admin_since = set_here.since;
    record.condition.admin = set_here.state;
    // The drain's deadline goes on counting over a restart.
    record.condition.admin_since -= clock_.Now() - set_here.since;
    Event event;
    event.message = "state set on this node is in force again";
    event.kind = "vip";
    event.subject = key.first;
    event.server = key.second;
    event.reason = absl::StrCat(model::AdminStateName(set_here.state), ", set at ",
                                absl::FormatTime(set_here.since, absl::UTCTimeZone()));
    on_event_(event);
  }
  return record;
}

void ServerRecords::UpdateRecord(const ServerKey& key, const model::ServerSpec& spec,
                                 ServerRecord* record, bool* overrides_changed) {
  if (record->host_name != spec.host_name || record->address != spec.address) {
    record->host_name = spec.host_name;
    record->address = spec.address;
    record->condition.resolved.reset();
    record->ForgetPath();
    record->handshakes = {};
    record->condition.way_problem.reset();
    record->name_problem.clear();
    record->looked_up = false;
    record->warmth = ServerRecord::Warmth::kCold;
    if (record->set_here) {
      *overrides_changed |= DropOverride(key, "the server has another address now");
      ChangeAdmin(key, spec.state, "the manifest", record);
      record->set_here = false;
    }
  }
  if (record->admin_in_manifest == spec.state) return;
  record->admin_in_manifest = spec.state;
  *overrides_changed |=
      DropOverride(key, "the manifest's state was changed, and the manifest wins");
  record->set_here = false;
  ChangeAdmin(key, spec.state, "the manifest", record);
}

bool ServerRecords::DropOverride(const ServerKey& key, absl::string_view why) {
  const auto found = overrides_.find(key);
  if (found == overrides_.end()) return false;
  Event event;
  event.level = base::LogLevel::kWarning;
  event.message = "state set on this node is dropped";
  event.kind = "vip";
  event.subject = key.first;
  event.server = key.second;
  event.reason = absl::StrCat(model::AdminStateName(found->second.state), ": ", why);
  overrides_.erase(found);
  on_event_(event);
  return true;
}

void ServerRecords::ChangeAdmin(const ServerKey& key, AdminState state, const std::string& cause,
                                ServerRecord* record) {
  ServerCondition& condition = record->condition;
  if (condition.admin == state) return;
  Event event;
  event.message = "real server's state was changed";
  event.kind = "vip";
  event.subject = key.first;
  event.server = key.second;
  event.reason = absl::StrCat(model::AdminStateName(condition.admin), " -> ",
                              model::AdminStateName(state), " by ", cause);
  if (condition.admin == AdminState::kHalt) record->warmth = ServerRecord::Warmth::kCold;
  condition.admin = state;
  condition.admin_since = clock_.Monotonic();
  record->admin_since = clock_.Now();
  on_event_(event);
}

void ServerRecords::SetState(const ServerKey& key, AdminState state, const std::string& cause) {
  ServerRecord& record = records_.at(key);
  ChangeAdmin(key, state, cause, &record);
  record.set_here = state != record.admin_in_manifest;
  if (record.set_here) {
    overrides_.insert_or_assign(key, Override{.address = record.AddressText(),
                                              .state = state,
                                              .manifest_state = record.admin_in_manifest,
                                              .since = record.admin_since});
  } else {
    overrides_.erase(key);
  }
}

bool ServerRecords::SetWayProblem(const ServerKey& key, const std::string& problem) {
  const auto record = records_.find(key);
  if (record == records_.end() || record->second.condition.way_problem == problem) return false;
  record->second.condition.way_problem = problem;
  return true;
}

ServerRecords::Effect ServerRecords::ApplyReport(const health::HealthReport& report) {
  const auto owner = target_owners_.find(report.target_id);
  if (owner == target_owners_.end()) return Effect::kNone;
  const auto record = records_.find(owner->second.key);
  if (record == records_.end()) return Effect::kNone;
  if (owner->second.vip_address.has_value()) return ApplyPathReport(owner->second, report);
  health::HealthReport& known = record->second.reports[owner->second.port];
  const bool port_flipped = known.state != report.state && record->second.per_port;
  const bool was_not_checked = known.not_checked;
  known = report;
  if (was_not_checked != report.not_checked) TellCheckable(owner->second, report);
  if (port_flipped && report.state == OperationalState::kDown) {
    Event event;
    event.level = base::LogLevel::kWarning;
    event.message = "port of a real server is down";
    event.kind = "vip";
    event.subject = owner->second.key.first;
    event.server = owner->second.key.second;
    event.reason = absl::StrCat("port ", owner->second.port, ": ", report.reason);
    event.detail = absl::StrCat(owner->second.port);
    on_event_(event);
  }
  return UpdateCondition(owner->second.key, &record->second) ? Effect::kNow : Effect::kNone;
}

void ServerRecords::TellCheckable(const TargetOwner& owner,
                                  const health::HealthReport& report) const {
  Event event;
  event.level = report.not_checked ? base::LogLevel::kWarning : base::LogLevel::kInfo;
  event.message =
      report.not_checked ? "real server cannot be checked" : "real server can be checked again";
  event.kind = "vip";
  event.subject = owner.key.first;
  event.server = owner.key.second;
  event.reason = report.reason;
  if (report.not_checked) {
    absl::StrAppend(&event.reason, "; it stays ", model::OperationalStateName(report.state));
  }
  event.detail = absl::StrCat(owner.port);
  on_event_(event);
}

bool ServerRecords::UpdateCondition(const ServerKey& key, ServerRecord* record) {
  HealthSummary summary = SummarizeHealth(record->reports);
  ServerCondition& condition = record->condition;
  const ServerCondition before = condition;
  PathSummary path = PathOf(*record, summary.state);
  if (record->path_use == PathUse::kDecides) summary = JoinPath(std::move(summary), path);
  JoinHandshakes(record, &summary, &path);
  condition.direct_path = path.state;
  condition.direct_path_reason = std::move(path.reason);
  record->health_reason = summary.reason;
  condition.operational = summary.state;
  condition.unreachable = summary.unreachable;
  if (record->per_port) condition.usable_ports = summary.ports_up;

  if (condition.operational == OperationalState::kDown) {
    record->warmth = ServerRecord::Warmth::kCold;
  }
  if (Serves(condition) && record->warmth == ServerRecord::Warmth::kCold) {
    record->warmth = ServerRecord::Warmth::kWarm;
    condition.up_since = clock_.Monotonic();
  }
  if (before.operational != condition.operational) {
    record->health_since = clock_.Now();
    // A halted server is not checked any more; that it was halted has been told.
    if (condition.admin != AdminState::kHalt) TellFlip(key, *record, before.operational);
  }
  if (before.direct_path != condition.direct_path) TellPath(key, *record);
  return before.operational != condition.operational ||
         before.direct_path != condition.direct_path ||
         before.unreachable != condition.unreachable || before.held != condition.held ||
         before.weight_share != condition.weight_share ||
         !(before.usable_ports == condition.usable_ports);
}

void ServerRecords::TellFlip(const ServerKey& key, const ServerRecord& record,
                             OperationalState before) const {
  Event event;
  event.kind = "vip";
  event.subject = key.first;
  event.server = key.second;
  event.reason = record.health_reason;
  switch (record.condition.operational) {
    case OperationalState::kUp:
      event.message = "real server is up";
      break;
    case OperationalState::kDown:
      event.level = base::LogLevel::kWarning;
      event.message = "real server is down";
      break;
    case OperationalState::kUnknown:
      event.message = "real server's health is unknown";
      event.reason = absl::StrCat("was ", model::OperationalStateName(before), "; ", event.reason);
      break;
  }
  on_event_(event);
}

dataplane::ServerConditions ServerRecords::Conditions() const {
  dataplane::ServerConditions conditions;
  for (const auto& [key, record] : records_) conditions.emplace(key, record.condition);
  return conditions;
}

std::vector<health::ProbeTarget> ServerRecords::Targets(const model::DesiredState& desired,
                                                        const model::ServerIndex& servers) {
  std::vector<health::ProbeTarget> targets;
  targets.reserve(records_.size());
  target_owners_.clear();
  target_owners_.reserve(records_.size());
  for (const model::Vip& vip : desired.vips) {
    const bool served = dataplane::NotServedReason(vip).empty();
    for (const model::VipServer& server : servers.ServersOf(vip)) {
      const ServerKey key(vip.id.QualifiedName(), server.name);
      ServerRecord& record = records_.at(key);
      record.per_port = dataplane::ChecksEachPort(vip, server.spec);
      record.mode = vip.mode;
      record.path_use = PathUse::kNone;
      std::map<uint16_t, health::HealthReport> reports;
      const std::optional<net::IpAddress> address =
          dataplane::AddressOf(server.spec, record.condition);
      if (served && record.condition.admin != AdminState::kHalt && address.has_value()) {
        for (auto& [port, target] : ProbeTargetsOf(vip, server, *address)) {
          const auto known = record.reports.find(port);
          const bool keep = known != record.reports.end() && known->second.target_id == target.id;
          reports.emplace(port, keep ? std::move(known->second) : health::NotCheckedYet(target.id));
          target_owners_.insert_or_assign(target.id, TargetOwner{key, port});
          targets.push_back(std::move(target));
        }
        AddPathTargets(vip, server, *address, &record, &targets);
      }
      if (record.path_use == PathUse::kNone) record.path_reports.clear();
      record.reports = std::move(reports);
      UpdateCondition(key, &record);
    }
  }
  return targets;
}

}  // namespace fairlead::controller
