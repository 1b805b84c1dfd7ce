#include "pkg/dataplane/snat/timer_wheel.h"

#include <gtest/gtest.h>

#include <vector>

namespace fairlead::dataplane::snat {
namespace {

// Advances in steps and returns the time at which `node` was reported, or 0.
uint64_t ReportedAt(TimerWheel& wheel, TimerNode& node, uint64_t from, uint64_t to, uint64_t step) {
  uint64_t at = 0;
  for (uint64_t now = from; now != to; now += step) {
    wheel.Expire(now, [&](TimerNode& expired) {
      EXPECT_EQ(&expired, &node);
      at = now;
    });
    if (at != 0) return at;
  }
  return at;
}

TEST(TimerWheelTest, ReportsADeadlineWithinATickAfterIt) {
  for (const uint64_t start : {uint64_t{0}, uint64_t{1'000'003}, uint64_t{0xfffffff0}}) {
    for (const uint64_t delay : std::vector<uint64_t>{0, 1, 64, 1000, 32'000, 33'000, 100'000}) {
      TimerWheel wheel(start);
      TimerNode node;
      wheel.Set(node, start + delay);
      const uint64_t at = ReportedAt(wheel, node, start, start + delay + 200, 1);
      EXPECT_GE(at - start, delay) << start << " " << delay;
      EXPECT_LE(at - start, delay + 2 * TimerWheel::kTickMs) << start << " " << delay;
      EXPECT_FALSE(node.waiting());
    }
  }
}

TEST(TimerWheelTest, ReportsEverythingAfterALongAbsence) {
  TimerWheel wheel(5000);
  std::vector<TimerNode> nodes(100);
  for (size_t i = 0; i < nodes.size(); ++i) wheel.Set(nodes[i], 5000 + 700 * i);
  int reported = 0;
  wheel.Expire(5000 + 700 * 100 + 64, [&](TimerNode&) { ++reported; });
  EXPECT_EQ(reported, 100);
}

TEST(TimerWheelTest, MovesAndRemoves) {
  TimerWheel wheel(0);
  TimerNode moved;
  TimerNode removed;
  wheel.Set(moved, 100);
  wheel.Set(removed, 100);
  wheel.Set(moved, 1000);
  TimerWheel::Remove(removed);
  EXPECT_FALSE(removed.waiting());
  wheel.Expire(500, [](TimerNode&) { FAIL(); });
  EXPECT_NE(ReportedAt(wheel, moved, 501, 1300, 1), 0);
}

TEST(TimerWheelTest, ANodeMaySetItselfAgain) {
  TimerWheel wheel(0);
  TimerNode node;
  int times = 0;
  wheel.Set(node, 10);
  for (uint64_t now = 0; now < 1000; ++now) {
    wheel.Expire(now, [&](TimerNode& expired) {
      ++times;
      wheel.Set(expired, now + 100);
    });
  }
  EXPECT_GE(times, 5);
  EXPECT_LE(times, 10);
}

TEST(TimerWheelTest, TellsWhenToLookAgain) {
  TimerWheel wheel(0);
  EXPECT_EQ(wheel.NextDelayMs(0), -1);
  TimerNode node;
  wheel.Set(node, 640);
  EXPECT_GE(wheel.NextDelayMs(0), 640);
  EXPECT_LE(wheel.NextDelayMs(0), 640 + TimerWheel::kTickMs);
  EXPECT_EQ(wheel.NextDelayMs(10'000), 0);
}

}  // namespace
}  // namespace fairlead::dataplane::snat
