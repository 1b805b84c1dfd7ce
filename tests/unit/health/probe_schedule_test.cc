#include "pkg/health/probe_schedule.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairlead::health {
namespace {

using model::HealthCheck;
using model::OperationalState;

const absl::Time kWall = absl::FromUnixSeconds(1700000000);
const absl::Duration kStart = absl::Seconds(1000);
const absl::Duration kQuick = absl::Microseconds(400);
const ProbeOutcome kGood = ProbeOutcome::Healthy("TCP connect");
const ProbeOutcome kRefused = ProbeOutcome::Unhealthy("connect refused by 10.0.0.1:80");
const ProbeOutcome kSilent = ProbeOutcome::Unreachable("connect to 10.0.0.1:80 timed out after 1s");
const ProbeOutcome kNoPorts = ProbeOutcome::Inconclusive("cannot check 10.0.0.1:80: no port");

ProbeTarget Target(const std::string& id, const char* endpoint = "10.0.0.1:80") {
  ProbeTarget target;
  target.id = id;
  target.endpoint = *net::Endpoint::Parse(endpoint);
  return target;
}

class ProbeScheduleTest : public ::testing::Test {
 protected:
  // Takes the next due target at its due time and counts the outcome.
  ProbeSchedule::Counted Step(const ProbeOutcome& outcome) {
    now_ = schedule_.NextDue();
    const auto due = schedule_.TakeDue(now_);
    EXPECT_TRUE(due.has_value());
    const auto counted = schedule_.Count(due->key, outcome, kQuick, now_, kWall);
    EXPECT_TRUE(counted.has_value());
    return *counted;
  }
  std::map<std::string, HealthReport> Reports() {
    std::map<std::string, HealthReport> reports;
    schedule_.ForEachReport(
        [&](const HealthReport& report) { reports[report.target_id] = report; });
    return reports;
  }

  ProbeSchedule schedule_{1};
  absl::Duration now_ = kStart;
};

TEST_F(ProbeScheduleTest, BeginsUnknown) {
  schedule_.SetTargets({Target("a")}, kStart, kWall);
  const HealthReport report = Reports()["a"];
  EXPECT_EQ(report.state, OperationalState::kUnknown);
  EXPECT_EQ(report.reason, "not checked yet");
  EXPECT_EQ(report.checked, absl::InfinitePast());
  EXPECT_EQ(report.since, kWall);
}

TEST_F(ProbeScheduleTest, SpreadsNewTargets) {
  for (int count : {1, 100, 10000}) {
    ProbeSchedule schedule(1);
    std::vector<ProbeTarget> targets;
    for (int i = 0; i < count; ++i) targets.push_back(Target(absl::StrCat("t", i)));
    schedule.SetTargets(std::move(targets), kStart, kWall);
    EXPECT_EQ(schedule.NextDue(), kStart);
    absl::Duration last;
    int taken = 0;
    while (schedule.NextDue() < absl::InfiniteDuration()) {
      last = schedule.NextDue();
      EXPECT_TRUE(schedule.TakeDue(last).has_value());
      ++taken;
    }
    EXPECT_EQ(taken, count);
    EXPECT_LT(last, kStart + (count > 500 ? absl::Milliseconds(500) : absl::Milliseconds(count)));
  }
}

TEST_F(ProbeScheduleTest, NotifiesFlipsOnly) {
  schedule_.SetTargets({Target("a")}, kStart, kWall);
  EXPECT_TRUE(Step(kGood).notify);
  EXPECT_FALSE(Step(kGood).notify);
  EXPECT_FALSE(Step(kRefused).notify);
  EXPECT_FALSE(Step(kRefused).notify);
  const auto down = Step(kRefused);
  EXPECT_TRUE(down.notify);
  EXPECT_EQ(down.report->state, OperationalState::kDown);
  EXPECT_EQ(down.report->probes, 5u);
  EXPECT_EQ(down.report->failures, 3u);
}

TEST_F(ProbeScheduleTest, ReasonsTellHowFarAChangeIs) {
  schedule_.SetTargets({Target("a")}, kStart, kWall);
  EXPECT_EQ(Step(kGood).report->reason, "TCP connect in 0.4 ms");
  EXPECT_EQ(Step(kRefused).report->reason,
            "connect refused by 10.0.0.1:80 (1 of 3 failures until Down)");
  Step(kRefused);
  EXPECT_EQ(Step(kRefused).report->reason, "connect refused by 10.0.0.1:80");
  EXPECT_EQ(Step(kGood).report->reason, "TCP connect (1 of 2 successes until Up)");
  EXPECT_EQ(Step(kGood).report->reason, "TCP connect in 0.4 ms");
}

TEST_F(ProbeScheduleTest, NotifiesChangesOfReasonWhileDown) {
  schedule_.SetTargets({Target("a")}, kStart, kWall);
  EXPECT_FALSE(Step(kRefused).report->unreachable);
  EXPECT_FALSE(Step(kRefused).notify);
  const auto silent = Step(kSilent);
  EXPECT_TRUE(silent.notify);
  EXPECT_TRUE(silent.report->unreachable);
  EXPECT_FALSE(Step(kSilent).notify);
}

TEST_F(ProbeScheduleTest, UnreachableIsSaidOfDownServersOnly) {
  schedule_.SetTargets({Target("a")}, kStart, kWall);
  Step(kGood);
  EXPECT_FALSE(Step(kSilent).report->unreachable);
  Step(kSilent);
  EXPECT_TRUE(Step(kSilent).report->unreachable);
  EXPECT_FALSE(Step(kGood).report->unreachable);
}

TEST_F(ProbeScheduleTest, WhatThisHostCouldNotAskIsNotCounted) {
  schedule_.SetTargets({Target("a")}, kStart, kWall);
  auto counted = Step(kNoPorts);
  EXPECT_EQ(counted.report->state, OperationalState::kUnknown);
  EXPECT_TRUE(counted.notify);
  Step(kGood);
  for (int i = 0; i < 10; ++i) {
    counted = Step(kNoPorts);
    EXPECT_EQ(counted.report->state, OperationalState::kUp);
    EXPECT_EQ(counted.notify, i == 0);
    EXPECT_TRUE(counted.report->not_checked);
  }
  EXPECT_EQ(counted.report->reason, kNoPorts.reason);
  EXPECT_EQ(counted.report->failures, 0u);
}

TEST_F(ProbeScheduleTest, IntervalsAreJitteredAndFastWhileChanging) {
  schedule_.SetTargets({Target("a")}, kStart, kWall);
  for (int i = 0; i < 100; ++i) {
    Step(kGood);
    const absl::Duration gap = schedule_.NextDue() - now_;
    EXPECT_GE(gap, absl::Milliseconds(1800));
    EXPECT_LE(gap, absl::Milliseconds(2200));
  }
  Step(kRefused);
  const absl::Duration gap = schedule_.NextDue() - now_;
  EXPECT_GE(gap, absl::Milliseconds(450));
  EXPECT_LE(gap, absl::Milliseconds(550));
}

TEST_F(ProbeScheduleTest, ASlowProbeIsFollowedAtOnceAndNotByTwo) {
  schedule_.SetTargets({Target("a")}, kStart, kWall);
  const auto due = schedule_.TakeDue(kStart);
  const absl::Duration end = kStart + absl::Seconds(10);
  schedule_.Count(due->key, kSilent, absl::Seconds(10), end, kWall);
  EXPECT_EQ(schedule_.NextDue(), end);
  EXPECT_TRUE(schedule_.TakeDue(end).has_value());
  EXPECT_EQ(schedule_.NextDue(), absl::InfiniteDuration());
}

TEST_F(ProbeScheduleTest, UnchangedTargetsKeepStateAndSchedule) {
  schedule_.SetTargets({Target("a")}, kStart, kWall);
  Step(kGood);
  const absl::Duration due = schedule_.NextDue();
  schedule_.SetTargets({Target("a")}, now_ + absl::Seconds(1), kWall + absl::Seconds(1));
  EXPECT_EQ(schedule_.NextDue(), due);
  EXPECT_EQ(Reports()["a"].probes, 1u);
  EXPECT_EQ(Reports()["a"].since, kWall);
}

TEST_F(ProbeScheduleTest, AResultThatComesAfterTheTargetChangedIsDropped) {
  schedule_.SetTargets({Target("a"), Target("b")}, kStart, kWall);
  const auto a = schedule_.TakeDue(kStart + absl::Seconds(1));
  const auto b = schedule_.TakeDue(kStart + absl::Seconds(1));
  ASSERT_TRUE(a.has_value() && b.has_value());
  const uint64_t a_key = a->key;
  const uint64_t b_key = b->key;
  schedule_.SetTargets({Target("a", "10.0.0.2:80")}, kStart + absl::Seconds(1), kWall);
  EXPECT_FALSE(schedule_.Count(a_key, kGood, kQuick, kStart, kWall).has_value());
  EXPECT_FALSE(schedule_.Count(b_key, kGood, kQuick, kStart, kWall).has_value());
  EXPECT_EQ(Reports().size(), 1u);
  EXPECT_EQ(Reports()["a"].state, OperationalState::kUnknown);
}

TEST_F(ProbeScheduleTest, AnEditedCheckKeepsTheVerdictAndAsksAtOnce) {
  schedule_.SetTargets({Target("a")}, kStart, kWall);
  Step(kGood);
  Step(kRefused);
  ProbeTarget edited = Target("a", "10.0.0.1:81");
  edited.check.unhealthy_threshold = 2;
  const absl::Duration later = now_ + absl::Milliseconds(100);
  schedule_.SetTargets({edited}, later, kWall + absl::Seconds(1));
  EXPECT_EQ(Reports()["a"].state, OperationalState::kUp);
  EXPECT_EQ(Reports()["a"].since, kWall);
  EXPECT_EQ(schedule_.NextDue(), later);
  EXPECT_EQ(Step(kRefused).report->state, OperationalState::kUp);  // its counts began again
  EXPECT_EQ(Step(kRefused).report->state, OperationalState::kDown);
}

TEST_F(ProbeScheduleTest, AnotherAddressIsANewServer) {
  schedule_.SetTargets({Target("a")}, kStart, kWall);
  Step(kGood);
  const auto told = schedule_.SetTargets({Target("a", "10.0.0.9:80")}, now_, kWall);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].state, OperationalState::kUnknown);
  EXPECT_EQ(told[0].reason, "not checked yet");
  EXPECT_EQ(Reports()["a"].state, OperationalState::kUnknown);
  EXPECT_EQ(Reports()["a"].probes, 0u);
}

TEST_F(ProbeScheduleTest, TypeNoneIsUpToldOnceAndNeverDue) {
  ProbeTarget target = Target("a");
  target.check.type = HealthCheck::Type::kNone;
  const auto told = schedule_.SetTargets({target}, kStart, kWall);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].state, OperationalState::kUp);
  EXPECT_EQ(told[0].reason, "not checked");
  EXPECT_EQ(schedule_.NextDue(), absl::InfiniteDuration());
  EXPECT_TRUE(schedule_.SetTargets({target}, kStart, kWall).empty());
}

TEST_F(ProbeScheduleTest, SwitchingTheCheckOffBringsADownServerUp) {
  schedule_.SetTargets({Target("a")}, kStart, kWall);
  Step(kSilent);
  ProbeTarget target = Target("a");
  target.check.type = HealthCheck::Type::kNone;
  const auto told = schedule_.SetTargets({target}, now_, kWall);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].state, OperationalState::kUp);
  EXPECT_FALSE(told[0].unreachable);
  EXPECT_EQ(schedule_.NextDue(), absl::InfiniteDuration());
}

TEST_F(ProbeScheduleTest, OfEqualIdsTheFirstCounts) {
  schedule_.SetTargets({Target("a", "10.0.0.1:80"), Target("a", "10.0.0.2:80")}, kStart, kWall);
  const auto due = schedule_.TakeDue(kStart);
  ASSERT_TRUE(due.has_value());
  EXPECT_EQ(due->target->endpoint.ToString(), "10.0.0.1:80");
  EXPECT_EQ(schedule_.NextDue(), absl::InfiniteDuration());
}

}  // namespace
}  // namespace fairlead::health
