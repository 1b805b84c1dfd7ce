#include "pkg/resolver/lookup_schedule.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fairlead::resolver {
namespace {

constexpr absl::Duration kStart = absl::Seconds(1000);

class LookupScheduleTest : public testing::Test {
 protected:
  // Ends the lookup of `name` and returns the pause until the next one.
  absl::Duration PauseAfter(const std::string& name, bool succeeded) {
    EXPECT_EQ(schedule_.TakeDue(now_), name);
    EXPECT_TRUE(schedule_.Finish(name, succeeded, now_));
    const absl::Duration pause = schedule_.NextDue() - now_;
    now_ = schedule_.NextDue();
    return pause;
  }
  static void ExpectAbout(absl::Duration pause, absl::Duration wanted) {
    EXPECT_GE(pause, wanted * 0.9);
    EXPECT_LE(pause, wanted * 1.1);
  }

  LookupSchedule schedule_{LookupTimes{}, 1};
  absl::Duration now_ = kStart;
};

TEST_F(LookupScheduleTest, NewNamesAreDueAtOnceAndOthersKeepTheirTimes) {
  EXPECT_EQ(schedule_.NextDue(), absl::InfiniteDuration());
  schedule_.SetNames({{"a"}, {"a"}}, now_);
  PauseAfter("a", true);
  const absl::Duration due = schedule_.NextDue();
  schedule_.SetNames({{"b"}, {"a"}}, kStart);
  EXPECT_EQ(schedule_.TakeDue(kStart), "b");
  EXPECT_EQ(schedule_.TakeDue(kStart), std::nullopt);
  EXPECT_EQ(schedule_.NextDue(), due);
}

TEST_F(LookupScheduleTest, ANameIsLookedUpByOneAtATime) {
  schedule_.SetNames({{"a"}}, now_);
  EXPECT_EQ(schedule_.TakeDue(now_), "a");
  EXPECT_EQ(schedule_.TakeDue(now_ + absl::Hours(1)), std::nullopt);
}

TEST_F(LookupScheduleTest, RefreshesEveryHalfMinuteAndDriftsApart) {
  schedule_.SetNames({{"a"}}, now_);
  const absl::Duration first = PauseAfter("a", true);
  const absl::Duration second = PauseAfter("a", true);
  ExpectAbout(first, absl::Seconds(30));
  ExpectAbout(second, absl::Seconds(30));
  EXPECT_NE(first, second);
}

TEST_F(LookupScheduleTest, FailuresAreTriedAgainSoonAndThenLessAndLess) {
  schedule_.SetNames({{"a"}}, now_);
  for (const int seconds : {1, 2, 4, 8, 16, 30, 30}) {
    ExpectAbout(PauseAfter("a", false), absl::Seconds(seconds));
  }
  ExpectAbout(PauseAfter("a", true), absl::Seconds(30));
  ExpectAbout(PauseAfter("a", false), absl::Seconds(1));
}

TEST_F(LookupScheduleTest, AnUrgentNameIsDueAtOnceAndOften) {
  schedule_.SetNames({{"a"}}, now_);
  PauseAfter("a", true);
  const absl::Duration later = kStart + absl::Seconds(10);
  schedule_.SetNames({{"a", true}}, later);
  EXPECT_EQ(schedule_.NextDue(), later);
  now_ = later;
  ExpectAbout(PauseAfter("a", true), absl::Seconds(5));
  schedule_.SetNames({{"a", true}}, later);
  EXPECT_GT(schedule_.NextDue(), later);  // it is urgent already
  for (const int seconds : {1, 2, 4, 5}) {
    ExpectAbout(PauseAfter("a", false), absl::Seconds(seconds));
  }
  schedule_.SetNames({{"a"}}, now_);
  ExpectAbout(PauseAfter("a", true), absl::Seconds(30));
}

TEST_F(LookupScheduleTest, ADroppedNameIsForgottenAlsoWhileItIsLookedUp) {
  schedule_.SetNames({{"a"}, {"b"}}, now_);
  EXPECT_EQ(schedule_.TakeDue(now_), "a");
  schedule_.SetNames({}, now_);
  EXPECT_EQ(schedule_.NextDue(), absl::InfiniteDuration());
  EXPECT_FALSE(schedule_.Finish("a", true, now_));
  EXPECT_EQ(schedule_.NextDue(), absl::InfiniteDuration());
}

TEST_F(LookupScheduleTest, ANameThatCameBackIsStillDueAfterItsOldLookup) {
  schedule_.SetNames({{"a"}}, now_);
  EXPECT_EQ(schedule_.TakeDue(now_), "a");
  schedule_.SetNames({}, now_);
  schedule_.SetNames({{"a"}}, now_);
  EXPECT_TRUE(schedule_.Finish("a", false, now_));
  EXPECT_EQ(schedule_.TakeDue(now_), "a");
}

}  // namespace
}  // namespace fairlead::resolver
