// Backoff: how long to wait before the next attempt: 0.8 s, twice as long after each failure, at
// most 30 s (client-go tools/cache), less up to a half of it by chance, so that clients that lost
// one server do not come back in step. After 2 minutes without a failure it starts anew. A value.
#pragma once

#include "absl/time/time.h"

namespace fairlead::kube {

class Backoff {
 public:
  static constexpr absl::Duration kFirst = absl::Milliseconds(800);
  static constexpr absl::Duration kMax = absl::Seconds(30);
  static constexpr absl::Duration kReset = absl::Minutes(2);

  // A failure at `now` (monotonic); `chance` is in [0, 1).
  absl::Duration Next(absl::Duration now, double chance);

 private:
  absl::Duration delay_ = kFirst;
  absl::Duration next_attempt_ = -absl::InfiniteDuration();  // monotonic
};

}  // namespace fairlead::kube
