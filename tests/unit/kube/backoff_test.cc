#include "pkg/kube/backoff.h"

#include "gtest/gtest.h"

namespace fairlead::kube {
namespace {

TEST(BackoffTest, DoublesUpToThirtySeconds) {
  Backoff backoff;
  absl::Duration now = absl::Hours(1);
  for (const int milliseconds : {800, 1600, 3200, 6400, 12800, 25600, 30000, 30000}) {
    const absl::Duration delay = backoff.Next(now, 0);
    EXPECT_EQ(delay, absl::Milliseconds(milliseconds));
    now += delay;
  }
}

TEST(BackoffTest, ChanceTakesUpToAHalf) {
  EXPECT_EQ(Backoff().Next(absl::Hours(1), 0.5), absl::Milliseconds(600));
  EXPECT_GT(Backoff().Next(absl::Hours(1), 0.999), absl::Milliseconds(400));
}

TEST(BackoffTest, StartsAnewAfterTwoMinutesWithoutAFailure) {
  Backoff backoff;
  absl::Duration now = absl::Hours(1);
  for (int i = 0; i < 4; ++i) now += backoff.Next(now, 0);
  EXPECT_EQ(backoff.Next(now + Backoff::kReset - absl::Seconds(1), 0), absl::Milliseconds(12800));
  EXPECT_EQ(backoff.Next(now + 4 * Backoff::kReset, 0), absl::Milliseconds(800));
}

}  // namespace
}  // namespace fairlead::kube
