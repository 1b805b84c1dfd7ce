// A clock that goes with the real time and moves on by what a test says.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"

namespace fairlead::kube {

// Thread-safe.
class MovableClock final : public base::Clock {
 public:
  absl::Time Now() const override { return absl::Now() + moved(); }
  absl::Duration Monotonic() const override { return real_.Monotonic() + moved(); }
  void Move(absl::Duration by) { moved_ns_ += absl::ToInt64Nanoseconds(by); }

 private:
  absl::Duration moved() const { return absl::Nanoseconds(moved_ns_.load()); }
  base::SystemClock real_;
  std::atomic<int64_t> moved_ns_ = 0;
};

}  // namespace fairlead::kube
