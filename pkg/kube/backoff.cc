#include "pkg/kube/backoff.h"

#include <algorithm>

namespace fairlead::kube {

absl::Duration Backoff::Next(absl::Duration now, double chance) {
  if (now - next_attempt_ >= kReset) delay_ = kFirst;
  const absl::Duration delay = delay_ * (1 - chance / 2);
  delay_ = std::min(delay_ * 2, kMax);
  next_attempt_ = now + delay;
  return delay;
}

}  // namespace fairlead::kube
