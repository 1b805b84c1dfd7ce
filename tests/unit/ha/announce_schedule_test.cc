#include "pkg/ha/announce_schedule.h"

#include <vector>

#include "gtest/gtest.h"

namespace fairlead::ha {
namespace {

// When frames go out in `time` of a process that is never late.
std::vector<int64_t> FramesMs(AnnounceSchedule& schedule, absl::Duration time) {
  std::vector<int64_t> at;
  while (schedule.next() <= time) {
    const absl::Duration now = schedule.next();
    at.push_back(absl::ToInt64Milliseconds(now));
    schedule.Sent(now);
  }
  return at;
}

TEST(AnnounceScheduleTest, FiveAtOnceFiveAfterFiveSecondsThenOneAMinute) {
  AnnounceSchedule schedule;
  EXPECT_EQ(schedule.next(), absl::InfiniteDuration());
  schedule.Start(absl::ZeroDuration());
  EXPECT_EQ(FramesMs(schedule, absl::Seconds(130)),
            (std::vector<int64_t>{0, 20, 40, 60, 80, 5000, 5020, 5040, 5060, 5080, 65080, 125080}));
  schedule.Stop();
  EXPECT_EQ(schedule.next(), absl::InfiniteDuration());
}

TEST(AnnounceScheduleTest, AFrozenProcessDoesNotMakeUpForWhatItMissed) {
  AnnounceSchedule schedule;
  schedule.Start(absl::ZeroDuration());
  schedule.Sent(absl::ZeroDuration());
  // Frozen for an hour: the rest of ten frames, never two at once.
  absl::Duration last;
  int frames = 1;
  for (absl::Duration now = absl::Hours(1); now < absl::Hours(1) + absl::Seconds(1);
       now += absl::Milliseconds(1)) {
    if (schedule.next() > now) continue;
    EXPECT_GE(now - last, AnnounceSchedule::kBetween);
    last = now;
    schedule.Sent(now);
    ++frames;
  }
  EXPECT_EQ(frames, 2 * AnnounceSchedule::kBurst);
}

TEST(AnnounceScheduleTest, StartsAnewWhenTheLinkIsBack) {
  AnnounceSchedule schedule;
  schedule.Start(absl::ZeroDuration());
  FramesMs(schedule, absl::Seconds(10));
  schedule.Start(absl::Seconds(20));
  EXPECT_EQ(FramesMs(schedule, absl::Seconds(21)),
            (std::vector<int64_t>{20000, 20020, 20040, 20060, 20080}));
}

}  // namespace
}  // namespace fairlead::ha
