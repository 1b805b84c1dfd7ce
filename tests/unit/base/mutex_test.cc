#include "pkg/base/mutex.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "absl/time/clock.h"

namespace fairlead::base {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);

struct Counter {
  void Add() {
    MutexLock lock(&mutex);
    ++value;
  }
  bool WaitFor(int wanted, absl::Duration timeout) {
    MutexLock lock(&mutex);
    return mutex.AwaitWithTimeout(
        [&] {
          mutex.AssertHeld();
          return value >= wanted;
        },
        timeout);
  }

  Mutex mutex;
  int value ABSL_GUARDED_BY(mutex) = 0;
};

TEST(MutexTest, NoIncrementIsLost) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 20'000;
  Counter counter;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) counter.Add();
    });
  }
  for (std::thread& thread : threads) thread.join();
  MutexLock lock(&counter.mutex);
  EXPECT_EQ(counter.value, kThreads * kRounds);
}

TEST(MutexTest, EveryWaiterIsWokenByTheChangeItWaitsFor) {
  Counter counter;
  std::vector<std::thread> waiters;
  for (int wanted = 1; wanted <= 3; ++wanted) {
    waiters.emplace_back([&counter, wanted] { EXPECT_TRUE(counter.WaitFor(wanted, kPatience)); });
  }
  for (int i = 0; i < 3; ++i) counter.Add();
  for (std::thread& waiter : waiters) waiter.join();
}

TEST(MutexTest, AConditionThatNeverHoldsTimesOut) {
  Counter counter;
  const absl::Time begin = absl::Now();
  EXPECT_FALSE(counter.WaitFor(1, absl::Milliseconds(20)));
  EXPECT_GE(absl::Now() - begin, absl::Milliseconds(20));
  counter.Add();
  EXPECT_TRUE(counter.WaitFor(1, absl::ZeroDuration()));
}

TEST(NotificationTest, TellsWhoWaitsAndWhoComesLater) {
  for (int i = 0; i < 200; ++i) {
    Notification notification;
    std::thread notifier([&] { notification.Notify(); });
    notification.WaitForNotification();
    EXPECT_TRUE(notification.HasBeenNotified());
    notifier.join();
  }
}

TEST(NotificationTest, TimesOut) {
  const Notification notification;
  EXPECT_FALSE(notification.HasBeenNotified());
  EXPECT_FALSE(notification.WaitForNotificationWithTimeout(absl::Milliseconds(10)));
}

}  // namespace
}  // namespace fairlead::base
