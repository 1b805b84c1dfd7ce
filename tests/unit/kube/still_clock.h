// A clock that stands still until the test moves it.
#pragma once

#include "absl/time/time.h"
#include "pkg/base/clock.h"

namespace fairlead::kube {

class StillClock final : public base::Clock {
 public:
  absl::Time Now() const override { return absl::FromUnixSeconds(1'800'000'000) + moved_; }
  absl::Duration Monotonic() const override { return absl::Hours(1) + moved_; }
  void Advance(absl::Duration by) { moved_ += by; }

 private:
  absl::Duration moved_;
};

}  // namespace fairlead::kube
