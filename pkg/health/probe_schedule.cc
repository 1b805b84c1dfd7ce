#include "pkg/health/probe_schedule.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/health/reason.h"

namespace fairlead::health {
namespace {

using model::HealthCheck;
using model::OperationalState;

// The reason of a report: the outcome's own words, and how far a change of state is.
std::string ReasonOf(const ProbeOutcome& outcome, const HealthState& state,
                     absl::Duration latency) {
  const int count = state.contradictions();
  const int needed = state.contradictions_needed();
  switch (outcome.verdict) {
    case ProbeOutcome::Verdict::kHealthy:
      if (count == 0) return absl::StrCat(outcome.reason, " in ", LatencyText(latency));
      // Without the latency: the text of a Down server changes only when something happens.
      return absl::StrCat(outcome.reason, " (", count, " of ", needed, " successes until Up)");
    case ProbeOutcome::Verdict::kUnhealthy:
      if (count == 0) return outcome.reason;
      return absl::StrCat(outcome.reason, " (", count, " of ", needed, " failures until Down)");
    case ProbeOutcome::Verdict::kInconclusive:
      return outcome.reason;
  }
  return outcome.reason;
}

}  // namespace

ProbeSchedule::Record ProbeSchedule::MakeRecord(ProbeTarget target, const Record* previous,
                                                absl::Time wall) const {
  const bool same_host =
      previous != nullptr && previous->target.endpoint.address == target.endpoint.address;
  OperationalState initial = same_host ? previous->state.state() : OperationalState::kUnknown;
  HealthReport report;
  if (same_host) {
    report = previous->report;
  } else {
    report.target_id = target.id;
    report.reason = "not checked yet";
    report.since = wall;
    report.checked = absl::InfinitePast();
  }
  if (target.check.type == HealthCheck::Type::kNone) {
    initial = OperationalState::kUp;
    report.reason = "not checked";
    report.unreachable = false;
    if (report.state != initial) report.since = wall;
  }
  report.state = initial;
  HealthState state(target.check, initial);
  return Record{std::move(target), state, std::move(report), absl::ZeroDuration()};
}

std::vector<HealthReport> ProbeSchedule::SetTargets(std::vector<ProbeTarget> targets,
                                                    absl::Duration now, absl::Time wall) {
  absl::flat_hash_map<uint64_t, Record> records;
  absl::flat_hash_map<std::string, uint64_t> key_of_id;
  std::vector<uint64_t> fresh;
  std::vector<HealthReport> tell;
  for (ProbeTarget& target : targets) {
    if (key_of_id.contains(target.id)) continue;
    const auto found = key_of_id_.find(target.id);
    Record* previous = found == key_of_id_.end() ? nullptr : &records_.at(found->second);
    if (previous != nullptr && previous->target == target) {
      key_of_id[target.id] = found->second;
      records.emplace(found->second, std::move(*previous));
      continue;
    }
    const uint64_t key = ++last_key_;
    key_of_id[target.id] = key;
    if (target.check.type != HealthCheck::Type::kNone) fresh.push_back(key);
    const OperationalState before =
        previous == nullptr ? OperationalState::kUnknown : previous->report.state;
    Record record = MakeRecord(std::move(target), previous, wall);
    if (record.report.state != before) tell.push_back(record.report);
    records.emplace(key, std::move(record));
  }
  for (const auto& [id, key] : key_of_id_) {
    if (!records.contains(key)) due_.Remove(key);
  }
  records_ = std::move(records);
  key_of_id_ = std::move(key_of_id);
  const absl::Duration spread = std::min(kSpreadMax, kSpreadPerTarget * fresh.size());
  for (size_t i = 0; i < fresh.size(); ++i) {
    due_.Set(fresh[i], now + spread * (static_cast<double>(i) / fresh.size()));
  }
  return tell;
}

std::optional<ProbeSchedule::Due> ProbeSchedule::TakeDue(absl::Duration now) {
  const std::optional<uint64_t> key = due_.TakeDue(now);
  if (!key) return std::nullopt;
  Record& record = records_.at(*key);
  record.started = now;
  return Due{*key, &record.target};
}

std::optional<ProbeSchedule::Counted> ProbeSchedule::Count(uint64_t key,
                                                           const ProbeOutcome& outcome,
                                                           absl::Duration latency,
                                                           absl::Duration now, absl::Time wall) {
  const auto found = records_.find(key);
  if (found == records_.end()) return std::nullopt;
  Record& record = found->second;
  HealthReport& report = record.report;
  bool flipped = false;
  switch (outcome.verdict) {
    case ProbeOutcome::Verdict::kHealthy:
      flipped = record.state.CountSuccess();
      break;
    case ProbeOutcome::Verdict::kUnhealthy:
      flipped = record.state.CountFailure();
      ++report.failures;
      break;
    case ProbeOutcome::Verdict::kInconclusive:
      break;
  }
  std::string reason = ReasonOf(outcome, record.state, latency);
  const bool conclusive = outcome.verdict != ProbeOutcome::Verdict::kInconclusive;
  const bool reason_changed = reason != report.reason;
  const bool was_not_checked = report.not_checked;
  report.state = record.state.state();
  report.reason = std::move(reason);
  report.not_checked = !conclusive;
  report.answered_by = outcome.answered_by;
  if (conclusive) {
    report.unreachable = report.state == OperationalState::kDown && outcome.unreachable;
  }
  if (flipped) report.since = wall;
  report.checked = wall;
  report.latency = latency;
  ++report.probes;
  // A late start or a probe longer than the interval does not make up for lost ones.
  const absl::Duration interval = Jittered(record.state.Interval(), RandomUnit());
  due_.Set(key, std::max(now, record.started + interval));
  const bool notify = flipped || conclusive == was_not_checked ||
                      (reason_changed && (report.state != OperationalState::kUp || !conclusive));
  return Counted{&report, notify};
}

void ProbeSchedule::ForEachReport(const std::function<void(const HealthReport&)>& visit) const {
  for (const auto& [key, record] : records_) visit(record.report);
}

}  // namespace fairlead::health
