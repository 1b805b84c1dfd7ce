// ProbeSchedule: which target is probed when, and what a result makes of its report.
//
//   SetTargets -> due queue -> TakeDue -> (probe runs elsewhere) -> Count -> due queue
//
// A target that is not in the due queue is being probed, or is of type None. Pure: time comes in as
// arguments (`now` = Clock::Monotonic, `wall` = Clock::Now), randomness from a seed. Owner: the
// health thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "pkg/health/deadline_queue.h"
#include "pkg/health/health_monitor.h"
#include "pkg/health/health_state.h"
#include "pkg/health/probe.h"

namespace fairlead::health {

// New targets start within min(500 ms, 1 ms each): a hundred are all asked within 100 ms, ten
// thousand make no more than 20 probes per ms.
inline constexpr absl::Duration kSpreadMax = absl::Milliseconds(500);
inline constexpr absl::Duration kSpreadPerTarget = absl::Milliseconds(1);

class ProbeSchedule {
 public:
  explicit ProbeSchedule(uint64_t jitter_seed) : random_(jitter_seed) {}

  // Replaces the targets. An unchanged target keeps its report and its next due time. One whose
  // address is the same but whose check changed keeps its verdict, so that editing a check takes no
  // server out; its counts start again and it is probed at once. Any other change is a new server.
  // Of several targets with the same id the first counts.
  // Returns the reports whose state changed by it: type None is Up, a new server is Unknown.
  std::vector<HealthReport> SetTargets(std::vector<ProbeTarget> targets, absl::Duration now,
                                       absl::Time wall);

  // When TakeDue has something; infinite when nothing waits.
  absl::Duration NextDue() const { return due_.Next(); }

  struct Due {
    uint64_t key = 0;
    const ProbeTarget* target = nullptr;  // valid until the next SetTargets
  };
  // The target that waits longest for its due time to have come by `now`. Its start is `now`.
  std::optional<Due> TakeDue(absl::Duration now);

  struct Counted {
    const HealthReport* report = nullptr;  // valid until the next call
    bool notify = false;                   // see HealthMonitor::Create
  };
  // Counts an outcome and sets the next due time. Nothing when the target is gone or changed since.
  std::optional<Counted> Count(uint64_t key, const ProbeOutcome& outcome, absl::Duration latency,
                               absl::Duration now, absl::Time wall);

  void ForEachReport(const std::function<void(const HealthReport&)>& visit) const;

 private:
  struct Record {
    ProbeTarget target;
    HealthState state;
    HealthReport report;
    absl::Duration started;  // of the last probe
  };

  Record MakeRecord(ProbeTarget target, const Record* previous, absl::Time wall) const;
  double RandomUnit() { return std::uniform_real_distribution<double>(0, 1)(random_); }

  std::mt19937_64 random_;
  uint64_t last_key_ = 0;
  absl::flat_hash_map<uint64_t, Record> records_;
  absl::flat_hash_map<std::string, uint64_t> key_of_id_;
  DeadlineQueue due_;
};

}  // namespace fairlead::health
