#include "pkg/base/clock.h"

#include <gtest/gtest.h>

namespace fairlead::base {
namespace {

TEST(SystemClockTest, MonotonicNeverGoesBack) {
  const SystemClock clock;
  absl::Duration before = clock.Monotonic();
  for (int i = 0; i < 1000; ++i) {
    const absl::Duration now = clock.Monotonic();
    ASSERT_GE(now, before);
    before = now;
  }
}

TEST(SystemClockTest, NowIsTheWallClock) {
  const SystemClock clock;
  EXPECT_LT(absl::AbsDuration(clock.Now() - absl::Now()), absl::Seconds(10));
}

}  // namespace
}  // namespace fairlead::base
