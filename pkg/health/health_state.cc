#include "pkg/health/health_state.h"

#include <algorithm>

namespace fairlead::health {

using model::OperationalState;

HealthState::HealthState(const model::HealthCheck& check, OperationalState initial)
    : interval_(check.interval),
      unhealthy_threshold_(std::max(1, check.unhealthy_threshold)),
      healthy_threshold_(std::max(1, check.healthy_threshold)),
      state_(initial) {}

bool HealthState::CountSuccess() {
  if (state_ == OperationalState::kDown) return Contradict(OperationalState::kUp);
  return Settle(OperationalState::kUp);
}

bool HealthState::CountFailure() {
  if (state_ == OperationalState::kUp) return Contradict(OperationalState::kDown);
  return Settle(OperationalState::kDown);
}

int HealthState::contradictions_needed() const {
  switch (state_) {
    case OperationalState::kUnknown:
      return 1;
    case OperationalState::kUp:
      return unhealthy_threshold_;
    case OperationalState::kDown:
      return healthy_threshold_;
  }
  return 1;
}

absl::Duration HealthState::Interval() const {
  return contradictions_ == 0 ? interval_ : std::min(interval_, kFastInterval);
}

bool HealthState::Settle(OperationalState state) {
  const bool changed = state_ != state;
  state_ = state;
  contradictions_ = 0;
  return changed;
}

bool HealthState::Contradict(OperationalState other) {
  ++contradictions_;
  if (contradictions_ < contradictions_needed()) return false;
  return Settle(other);
}

absl::Duration Jittered(absl::Duration interval, double unit) {
  return interval * (0.9 + 0.2 * unit);
}

}  // namespace fairlead::health
