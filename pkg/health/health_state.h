// HealthState: the rise and fall counts of one target, and how soon it is looked at again.
//
//            first success                 first failure
//     Up <------------------- Unknown -------------------> Down
//      |                                                     |
//      |--- unhealthy_threshold failures in a row ---------->|
//      |<-- healthy_threshold successes in a row ------------|
//
// Out of Unknown the first result decides, as in Envoy ("during startup, only a single successful
// health check is required"). A success: the server was seen healthy, which is what keeps traffic
// off a new server, and waiting for a second one would only delay the start. A failure: it was
// never up, so there is nothing that a threshold would protect from flapping.
//
// Pure: no clock, no I/O. One thread.
#pragma once

#include "absl/time/time.h"
#include "pkg/model/health_check.h"
#include "pkg/model/server_state.h"

namespace fairlead::health {

// While results contradict the state, the next look is at most this far away, so that three
// failures take 1.5 s and not three intervals.
inline constexpr absl::Duration kFastInterval = absl::Milliseconds(500);

class HealthState {
 public:
  // Thresholds below 1 count as 1. `initial` other than Unknown carries the verdict of an earlier
  // check of the same server over.
  explicit HealthState(const model::HealthCheck& check,
                       model::OperationalState initial = model::OperationalState::kUnknown);

  // Counts one result. True: the state changed by it.
  bool CountSuccess();
  bool CountFailure();

  model::OperationalState state() const { return state_; }
  // Results in a row that contradict the state; 0 = settled.
  int contradictions() const { return contradictions_; }
  // How many of them change the state.
  int contradictions_needed() const;
  // Time from the start of one probe to the start of the next, before jitter.
  absl::Duration Interval() const;

 private:
  bool Settle(model::OperationalState state);
  bool Contradict(model::OperationalState other);

  absl::Duration interval_;
  int unhealthy_threshold_;
  int healthy_threshold_;
  model::OperationalState state_;
  int contradictions_ = 0;
};

// `interval` +-10 %, so that targets that started together drift apart. `unit` is a random number
// from 0 up to but not 1.
absl::Duration Jittered(absl::Duration interval, double unit);

}  // namespace fairlead::health
