// The time that a component sees. Injected so that tests decide it; everything that waits or
// compares deadlines takes a Clock instead of calling absl::Now().
#pragma once

#include <time.h>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace fairlead::base {

// Thread-safe. `Now` is the wall clock (for people); `Monotonic` counts from an unspecified start,
// never goes back and is what deadlines are compared with (clock_gettime(2) CLOCK_MONOTONIC).
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
  virtual absl::Duration Monotonic() const = 0;
};

class SystemClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
  absl::Duration Monotonic() const override {
    timespec now;
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return absl::DurationFromTimespec(now);
  }
};

}  // namespace fairlead::base
