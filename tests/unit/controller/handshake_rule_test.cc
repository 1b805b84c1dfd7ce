// The rule by which clients' handshakes take a server out, on counters and a clock of the test.
#include "pkg/controller/handshake_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <random>

namespace fairlead::controller {
namespace {

using Phase = HandshakeVerdict::Phase;
using testing::HasSubstr;
using testing::StartsWith;

class HandshakeRuleTest : public testing::Test {
 protected:
  HandshakeRuleTest() {
    limits_.threshold = 10;
    for (const char* name : {"a", "b", "c"}) Add(name);
  }
  void Add(const std::string& name, double weight = 100) {
    inputs_[name].weight = weight;
    inputs_[name].usable = true;
  }
  // So many handshakes in the next second, of which so many are answered at once.
  struct Traffic {
    int watched = 0;
    int answered = 0;
  };
  void Second(const std::map<std::string, Traffic>& traffic) {
    for (const auto& [name, counts] : traffic) {
      inputs_[name].watched_total += static_cast<uint64_t>(counts.watched);
      inputs_[name].progressed_total += static_cast<uint64_t>(counts.answered);
    }
    now_ += absl::Seconds(1);
    rule_.Look(limits_, inputs_, now_);
    // As the plan does.
    for (auto& [name, input] : inputs_) {
      if (!weights_.contains(name)) weights_[name] = input.weight;
      const bool on_trial = PhaseOf(name) == Phase::kTrial;
      input.weight = weights_[name] * (on_trial ? HandshakeRule::kTrialShare : 1);
    }
  }
  void Seconds(int count, const std::map<std::string, Traffic>& traffic) {
    for (int i = 0; i < count; ++i) Second(traffic);
  }
  // Seconds until the server is in this phase; -1 = not within `most`.
  int SecondsUntil(Phase phase, const std::string& name,
                   const std::map<std::string, Traffic>& traffic, int most) {
    for (int i = 0; i <= most; ++i) {
      if (PhaseOf(name) == phase) return i;
      Second(traffic);
    }
    return -1;
  }
  Phase PhaseOf(const std::string& name) { return rule_.VerdictOf(name).phase; }
  int HeldCount() {
    int count = 0;
    for (const auto& [name, input] : inputs_) count += PhaseOf(name) == Phase::kHeld;
    return count;
  }

  static constexpr Traffic kFine = {5, 5};
  static constexpr Traffic kBroken = {5, 0};

  model::UnansweredHandshakes limits_;
  HandshakeInputs inputs_;
  std::map<std::string, double> weights_;
  HandshakeRule rule_;
  absl::Duration now_ = absl::Seconds(1000);
};

TEST_F(HandshakeRuleTest, AServerThatAnswersNobodyIsHeldWithWhatWasSeen) {
  Seconds(20, {{"a", kFine}, {"b", kFine}, {"c", kFine}});
  EXPECT_EQ(HeldCount(), 0);
  const int seconds = SecondsUntil(Phase::kHeld, "b", {{"a", kFine}, {"b", kBroken}, {"c", kFine}},
                                   limits_.window / absl::Seconds(1) + 4);
  EXPECT_GE(seconds, 4);
  EXPECT_EQ(HeldCount(), 1);
  const HandshakeVerdict verdict = rule_.VerdictOf("b");
  EXPECT_THAT(verdict.seen, HasSubstr(" of 50 handshakes of clients in 10s unanswered, while "));
  EXPECT_THAT(verdict.seen, HasSubstr(" answered 50 of 50"));
  EXPECT_EQ(verdict.held_until, now_ + limits_.hold);
  EXPECT_EQ(verdict.held_total, 1u);
}

TEST_F(HandshakeRuleTest, FewerThanTheThresholdAreNoFailure) {
  limits_.threshold = 50;
  Seconds(60, {{"a", {4, 4}}, {"b", {4, 0}}, {"c", {4, 4}}});
  EXPECT_EQ(HeldCount(), 0);
  Seconds(20, {{"a", kFine}, {"b", kBroken}, {"c", kFine}});
  EXPECT_EQ(PhaseOf("b"), Phase::kHeld);
}

TEST_F(HandshakeRuleTest, AServerThatAnswersSomeIsFine) {
  Seconds(60, {{"a", {10, 10}}, {"b", {10, 3}}, {"c", {10, 10}}});
  EXPECT_EQ(HeldCount(), 0);
  Seconds(20, {{"a", {10, 10}}, {"b", {10, 1}}, {"c", {10, 10}}});
  EXPECT_EQ(PhaseOf("b"), Phase::kHeld);
}

TEST_F(HandshakeRuleTest, ABurstIsNoFailureBeforeItCanBeAnswered) {
  Seconds(20, {{"a", kFine}, {"b", kFine}, {"c", kFine}});
  Second({{"a", kFine}, {"b", {200, 0}}, {"c", kFine}});
  Second({{"a", kFine}, {"b", {0, 200}}, {"c", kFine}});  // to the SYNs that were sent again
  Seconds(20, {{"a", kFine}, {"b", kFine}, {"c", kFine}});
  EXPECT_EQ(rule_.VerdictOf("b").held_total, 0u);
}

TEST_F(HandshakeRuleTest, WhatBeganAndWhatWasAnsweredAreOfTheSameTime) {
  // However late a tick comes.
  for (int i = 0; i < 40 && PhaseOf("b") == Phase::kServing; ++i) {
    const int tenths = std::array{9, 11, 10, 14}[static_cast<size_t>(i) % 4];
    now_ += absl::Milliseconds(100 * tenths - 1000);
    const Traffic fine = {2 * tenths, 2 * tenths};
    Second({{"a", fine}, {"b", {2 * tenths, i < 20 ? 2 * tenths : 0}}, {"c", fine}});
  }
  int answered = 0;
  int watched = 0;
  const std::string seen = rule_.VerdictOf("b").seen;
  ASSERT_EQ(std::sscanf(seen.substr(seen.rfind("answered")).c_str(), "answered %d of %d", &answered,
                        &watched),
            2)
      << seen;
  EXPECT_EQ(answered, watched) << seen;
  EXPECT_NEAR(watched, 200, 25);
}

TEST_F(HandshakeRuleTest, SlowClientsAreNoFailure) {
  // Each answer counts two seconds after its SYN.
  for (int i = 0; i < 60; ++i) {
    const int answered = i < 2 ? 0 : 50;
    Second({{"a", {50, answered}}, {"b", {50, answered}}, {"c", {50, 50}}});
  }
  EXPECT_EQ(rule_.VerdictOf("a").held_total + rule_.VerdictOf("b").held_total, 0u);
}

TEST_F(HandshakeRuleTest, AFloodThatHitsAllTakesNobodyOut) {
  Seconds(30, {{"a", {5000, 0}}, {"b", {5000, 0}}, {"c", {5000, 0}}});
  EXPECT_TRUE(rule_.most_look_alike());
  Seconds(30, {{"a", {5000, 2}}, {"b", {4000, 1}}, {"c", {6000, 3}}});
  EXPECT_EQ(HeldCount(), 0);
  Seconds(30, {{"a", kFine}, {"b", kFine}, {"c", kFine}});
  EXPECT_FALSE(rule_.most_look_alike());
  EXPECT_EQ(HeldCount(), 0);
}

TEST_F(HandshakeRuleTest, ChanceInAFloodTakesNobodyOut) {
  std::mt19937 random(20261124);
  for (const double answered_mean : {0.5, 1.0, 2.0, 5.0}) {
    std::poisson_distribution<int> flood(1000);
    std::poisson_distribution<int> answered(answered_mean);
    for (int second = 0; second < 20'000; ++second) {
      std::map<std::string, Traffic> traffic;
      for (const char* name : {"a", "b", "c"}) {
        const int count = answered(random);
        traffic[name] = {flood(random) + count, count};
      }
      Second(traffic);
    }
    for (const char* name : {"a", "b", "c"}) {
      EXPECT_EQ(rule_.VerdictOf(name).held_total, 0u) << answered_mean;
    }
  }
}

TEST_F(HandshakeRuleTest, AFloodAtOneServerAloneTakesItNotOut) {
  // Where clients are bound to servers by their address.
  Seconds(60, {{"a", kFine}, {"b", {5000, 5}}, {"c", kFine}});
  EXPECT_EQ(HeldCount(), 0);
}

TEST_F(HandshakeRuleTest, ABrokenServerIsSeenInAFloodToo) {
  Seconds(30, {{"a", {5000, 20}}, {"b", {5000, 0}}, {"c", {5000, 20}}});
  EXPECT_EQ(PhaseOf("b"), Phase::kHeld);
  EXPECT_EQ(HeldCount(), 1);
}

TEST_F(HandshakeRuleTest, WhenMostAreBrokenNobodyIsTakenOut) {
  Seconds(60, {{"a", kBroken}, {"b", kBroken}, {"c", kFine}});
  EXPECT_EQ(HeldCount(), 0);
  EXPECT_TRUE(rule_.most_look_alike());
}

TEST_F(HandshakeRuleTest, WithoutClientsOfTheOthersThereIsNothingToCompare) {
  Seconds(60, {{"b", kBroken}});
  EXPECT_EQ(HeldCount(), 0);
  inputs_.erase("a");
  inputs_.erase("c");
  Seconds(60, {{"b", kBroken}});
  EXPECT_EQ(HeldCount(), 0);
}

TEST_F(HandshakeRuleTest, OneOfTwoCanBeTakenOutNotBoth) {
  inputs_.erase("c");
  Seconds(15, {{"a", kFine}, {"b", kBroken}});
  EXPECT_EQ(PhaseOf("b"), Phase::kHeld);
  Seconds(10, {{"a", kBroken}});
  EXPECT_EQ(PhaseOf("a"), Phase::kServing);
  EXPECT_TRUE(rule_.AnyServes());
}

TEST_F(HandshakeRuleTest, AtMostHalfAreHeldAndTheNextIsNamed) {
  Add("d");
  limits_.hold = absl::Minutes(5);
  Seconds(15, {{"a", kFine}, {"b", kFine}, {"c", kFine}, {"d", kBroken}});
  EXPECT_EQ(PhaseOf("d"), Phase::kHeld);
  Seconds(15, {{"a", kFine}, {"b", kFine}, {"c", kBroken}});
  EXPECT_EQ(HeldCount(), 2);
  Seconds(9, {{"a", kFine}, {"b", kBroken}});
  EXPECT_EQ(HeldCount(), 2);
  EXPECT_THAT(rule_.VerdictOf("b").spared, HasSubstr("unanswered, while a answered"));
}

TEST_F(HandshakeRuleTest, SharesAreCountedByWeight) {
  inputs_["b"].weight = 10;
  // A tenth of the others' is all that it should have.
  Seconds(60, {{"a", {50, 50}}, {"b", {20, 5}}, {"c", {50, 50}}});
  EXPECT_EQ(HeldCount(), 0);
  Seconds(20, {{"a", {200, 200}}, {"b", {20, 1}}, {"c", {200, 200}}});
  EXPECT_EQ(PhaseOf("b"), Phase::kHeld);
}

TEST_F(HandshakeRuleTest, AChangeOfWeightIsNoFailure) {
  // In a flood, too.
  Seconds(20, {{"a", {1000, 10}}, {"b", {1000, 10}}, {"c", {1000, 10}}});
  weights_["b"] = 1;
  Seconds(20, {{"a", {1000, 10}}, {"b", {10, 0}}, {"c", {1000, 10}}});
  EXPECT_EQ(HeldCount(), 0);
  weights_["b"] = 100;
  Seconds(20, {{"a", {1000, 10}}, {"b", {1000, 10}}, {"c", {1000, 10}}});
  EXPECT_EQ(HeldCount(), 0);
}

TEST_F(HandshakeRuleTest, AfterTheHoldAServerIsTriedAndServesAgain) {
  const std::map<std::string, Traffic> broken = {{"a", kFine}, {"b", kBroken}, {"c", kFine}};
  ASSERT_GE(SecondsUntil(Phase::kHeld, "b", broken, 20), 0);
  EXPECT_EQ(SecondsUntil(Phase::kTrial, "b", {{"a", kFine}, {"c", kFine}}, 100), 30);
  const std::map<std::string, Traffic> trial = {{"a", kFine}, {"b", {1, 1}}, {"c", kFine}};
  const int seconds = SecondsUntil(Phase::kServing, "b", trial, 20);
  EXPECT_GE(seconds, HandshakeRule::kTrialFailuresMin);
  EXPECT_LT(seconds, 8);
  EXPECT_EQ(rule_.VerdictOf("b").seen, "");
}

TEST_F(HandshakeRuleTest, AServerWithoutClientsPassesItsTrialByTime) {
  ASSERT_GE(SecondsUntil(Phase::kHeld, "b", {{"a", kFine}, {"b", kBroken}, {"c", kFine}}, 20), 0);
  Seconds(30, {});
  EXPECT_EQ(PhaseOf("b"), Phase::kTrial);
  EXPECT_EQ(SecondsUntil(Phase::kServing, "b", {}, 60), 12);
}

TEST_F(HandshakeRuleTest, WhoFailsAgainIsHeldTwiceAsLong) {
  const std::map<std::string, Traffic> broken = {{"a", kFine}, {"b", {2, 0}}, {"c", kFine}};
  int hold = 30;
  for (int time = 0; time < 8; ++time) {
    ASSERT_GE(SecondsUntil(Phase::kHeld, "b", broken, 20), 0) << time;
    EXPECT_EQ(rule_.VerdictOf("b").hold, absl::Seconds(hold)) << time;
    if (time > 0) {
      // On trial few are enough.
      EXPECT_THAT(rule_.VerdictOf("b").seen,
                  testing::AnyOf(StartsWith("4 of"), StartsWith("6 of")));
    }
    ASSERT_EQ(SecondsUntil(Phase::kTrial, "b", {{"a", kFine}, {"c", kFine}}, 2000), hold);
    hold = std::min(2 * hold, 32 * 30);
  }
}

TEST_F(HandshakeRuleTest, WhoHasServedForLongIsHeldForTheFirstTimeAgain) {
  const std::map<std::string, Traffic> broken = {{"a", kFine}, {"b", kBroken}, {"c", kFine}};
  ASSERT_GE(SecondsUntil(Phase::kHeld, "b", broken, 20), 0);
  ASSERT_GE(SecondsUntil(Phase::kTrial, "b", {}, 100), 0);
  ASSERT_GE(SecondsUntil(Phase::kHeld, "b", broken, 20), 0);
  EXPECT_EQ(rule_.VerdictOf("b").hold, absl::Seconds(60));
  Seconds(60 + 4 * 60, {{"a", kFine}, {"b", kFine}, {"c", kFine}});
  ASSERT_GE(SecondsUntil(Phase::kHeld, "b", broken, 20), 0);
  EXPECT_EQ(rule_.VerdictOf("b").hold, absl::Seconds(30));
}

TEST_F(HandshakeRuleTest, ATrialWaitsForTheChecks) {
  ASSERT_GE(SecondsUntil(Phase::kHeld, "b", {{"a", kFine}, {"b", kBroken}, {"c", kFine}}, 20), 0);
  inputs_["b"].usable = false;
  Seconds(100, {});
  EXPECT_EQ(PhaseOf("b"), Phase::kHeld);
  inputs_["b"].usable = true;
  Second({});
  EXPECT_EQ(PhaseOf("b"), Phase::kTrial);
}

TEST_F(HandshakeRuleTest, AServerThatMovedOrThatTheOperatorPutsOnlineBeginsAnew) {
  const std::map<std::string, Traffic> broken = {{"a", kFine}, {"b", kBroken}, {"c", kFine}};
  ASSERT_GE(SecondsUntil(Phase::kHeld, "b", broken, 20), 0);
  inputs_["b"].address = *net::IpAddress::Parse("10.0.0.9");
  Second({});
  EXPECT_EQ(PhaseOf("b"), Phase::kServing);
  ASSERT_GE(SecondsUntil(Phase::kHeld, "b", broken, 20), 0);
  rule_.Forget("b");
  Second({});
  EXPECT_EQ(PhaseOf("b"), Phase::kServing);
}

TEST_F(HandshakeRuleTest, WhatTheHeldCountMeanwhileIsForgotten) {
  ASSERT_GE(SecondsUntil(Phase::kHeld, "b", {{"a", kFine}, {"b", kBroken}, {"c", kFine}}, 20), 0);
  Seconds(29, {{"a", kFine}, {"b", {100, 0}}, {"c", kFine}});  // SYNs that are sent again
  Second({});
  ASSERT_EQ(PhaseOf("b"), Phase::kTrial);
  Seconds(5, {{"a", kFine}, {"c", kFine}});
  EXPECT_EQ(PhaseOf("b"), Phase::kTrial);
}

TEST_F(HandshakeRuleTest, CountersThatBeginAnewAreNoFailure) {
  Seconds(20, {{"a", kFine}, {"b", kFine}, {"c", kFine}});
  inputs_["b"].watched_total = inputs_["b"].progressed_total = 0;
  Seconds(20, {{"a", kFine}, {"b", kFine}, {"c", kFine}});
  EXPECT_EQ(HeldCount(), 0);
}

TEST_F(HandshakeRuleTest, LongWindowsKeepFewSamplesAndTheirLength) {
  limits_.window = absl::Hours(1);
  limits_.threshold = 100;
  // Three an hour are watched unanswered beyond the window's end: never 100 in an hour.
  for (int i = 0; i < 5 * 3600; ++i) {
    const int broken = i % 40 == 0;
    Second({{"a", {1, 1}}, {"b", {broken, 0}}, {"c", {1, 1}}});
    ASSERT_EQ(HeldCount(), 0) << i;
  }
  const int seconds =
      SecondsUntil(Phase::kHeld, "b", {{"a", {1, 1}}, {"b", {1, 0}}, {"c", {1, 1}}}, 200);
  EXPECT_GE(seconds, 10);
  EXPECT_LE(seconds, 60);
}

}  // namespace
}  // namespace fairlead::controller
