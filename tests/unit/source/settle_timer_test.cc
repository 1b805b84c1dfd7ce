#include "pkg/source/settle_timer.h"

#include <gtest/gtest.h>

namespace fairlead::source {
namespace {

absl::Duration Ms(int ms) { return absl::Seconds(100) + absl::Milliseconds(ms); }

TEST(SettleTimerTest, IsNeverDueWithoutAChange) {
  EXPECT_EQ(SettleTimer().due(), absl::InfiniteDuration());
}

TEST(SettleTimerTest, ACompleteFileIsReadSoon) {
  SettleTimer timer;
  timer.OnComplete("a.yaml", Ms(0));
  EXPECT_EQ(timer.due(), Ms(15));
}

TEST(SettleTimerTest, FurtherEventsPostponeTo80MillisecondsAtMost) {
  SettleTimer timer;
  for (int at = 0; at <= 200; at += 10) timer.OnChange(Ms(at));
  EXPECT_EQ(timer.due(), Ms(80));
}

TEST(SettleTimerTest, AWriterAtWorkIsWaitedFor) {
  SettleTimer timer;
  timer.OnWrite("a.yaml", Ms(0));
  timer.OnWrite("a.yaml", Ms(500));
  EXPECT_EQ(timer.due(), Ms(1000));  // since the first write
  timer.OnComplete("a.yaml", Ms(600));
  EXPECT_EQ(timer.due(), Ms(80));  // passed: now
}

TEST(SettleTimerTest, AWriterThatClosesAtOnceCostsNothing) {
  SettleTimer timer;
  timer.OnWrite("a.yaml", Ms(0));
  timer.OnComplete("a.yaml", Ms(1));
  EXPECT_EQ(timer.due(), Ms(16));
}

TEST(SettleTimerTest, OneWriterIsWaitedForThoughAnotherCloses) {
  SettleTimer timer;
  timer.OnWrite("a.yaml", Ms(0));
  timer.OnWrite("b.yaml", Ms(1));
  timer.OnComplete("a.yaml", Ms(2));
  EXPECT_EQ(timer.due(), Ms(1001));
}

TEST(SettleTimerTest, ARemovedFileIsGivenTimeToComeBack) {
  SettleTimer timer;
  timer.OnRemoval("a.yaml", Ms(0));
  EXPECT_EQ(timer.due(), Ms(50));
  timer.OnComplete("a.yaml", Ms(10));
  EXPECT_EQ(timer.due(), Ms(25));
}

TEST(SettleTimerTest, ARemovedFileIsNoWriterAnyMore) {
  SettleTimer timer;
  timer.OnWrite("a.yaml", Ms(0));
  timer.OnRemoval("a.yaml", Ms(5));
  EXPECT_EQ(timer.due(), Ms(55));
}

TEST(SettleTimerTest, ResetForgetsEverything) {
  SettleTimer timer;
  timer.OnWrite("a.yaml", Ms(0));
  timer.OnRemoval("b.yaml", Ms(0));
  timer.Reset();
  EXPECT_EQ(timer.due(), absl::InfiniteDuration());
  timer.OnChange(Ms(500));
  EXPECT_EQ(timer.due(), Ms(515));
}

}  // namespace
}  // namespace fairlead::source
