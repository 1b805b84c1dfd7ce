#include "pkg/health/health_state.h"

#include <string>

#include "gtest/gtest.h"

namespace fairlead::health {
namespace {

using model::HealthCheck;
using model::OperationalState;

HealthCheck Thresholds(int unhealthy, int healthy) {
  HealthCheck check;
  check.unhealthy_threshold = unhealthy;
  check.healthy_threshold = healthy;
  return check;
}

char Letter(OperationalState state) {
  switch (state) {
    case OperationalState::kUnknown:
      return '?';
    case OperationalState::kUp:
      return 'U';
    case OperationalState::kDown:
      return 'D';
  }
  return '!';
}

// `results`: '+' success, '-' failure. Returns the state after each.
std::string StatesAfter(HealthState& state, const std::string& results) {
  std::string states;
  for (char result : results) {
    const OperationalState before = state.state();
    const bool flipped = result == '+' ? state.CountSuccess() : state.CountFailure();
    EXPECT_EQ(flipped, before != state.state()) << results;
    states += Letter(state.state());
  }
  return states;
}

struct Fact {
  const char* name;
  int unhealthy_threshold;
  int healthy_threshold;
  OperationalState initial;
  const char* results;
  const char* states;
};

TEST(HealthStateTest, FollowsTheTable) {
  constexpr auto kUnknown = OperationalState::kUnknown;
  constexpr auto kUp = OperationalState::kUp;
  constexpr auto kDown = OperationalState::kDown;
  const Fact facts[] = {
      {"first success decides", 3, 2, kUnknown, "+", "U"},
      {"first failure decides", 3, 2, kUnknown, "-", "D"},
      {"first failure, then healthy_threshold successes", 3, 2, kUnknown, "-++", "DDU"},
      {"three failures in a row", 3, 2, kUp, "---", "UUD"},
      {"a success between starts again", 3, 2, kUp, "--+--+---", "UUUUUUUUD"},
      {"two successes in a row", 3, 2, kDown, "++", "DU"},
      {"a failure between starts again", 3, 2, kDown, "+-+-++", "DDDDDU"},
      {"thresholds of one flip at once", 1, 1, kUp, "-+-+", "DUDU"},
      {"more failures change nothing", 3, 2, kDown, "-----", "DDDDD"},
      {"thresholds below one count as one", 0, -5, kUp, "-+", "DU"},
  };
  for (const Fact& fact : facts) {
    HealthState state(Thresholds(fact.unhealthy_threshold, fact.healthy_threshold), fact.initial);
    EXPECT_EQ(StatesAfter(state, fact.results), fact.states) << fact.name;
  }
}

TEST(HealthStateTest, LooksFastOnlyWhileTheStateIsChanging) {
  HealthCheck check = Thresholds(3, 2);
  check.interval = absl::Seconds(2);
  HealthState state(check);
  EXPECT_EQ(state.Interval(), absl::Seconds(2));
  state.CountSuccess();  // Up, settled
  EXPECT_EQ(state.Interval(), absl::Seconds(2));
  state.CountFailure();
  EXPECT_EQ(state.Interval(), absl::Milliseconds(500));
  state.CountFailure();
  EXPECT_EQ(state.Interval(), absl::Milliseconds(500));
  state.CountSuccess();  // it was nothing
  EXPECT_EQ(state.Interval(), absl::Seconds(2));
  StatesAfter(state, "---");  // Down, settled
  EXPECT_EQ(state.Interval(), absl::Seconds(2));
  state.CountSuccess();
  EXPECT_EQ(state.Interval(), absl::Milliseconds(500));
}

TEST(HealthStateTest, NeverLooksSlowerThanTheInterval) {
  HealthCheck check = Thresholds(3, 2);
  check.interval = absl::Milliseconds(100);
  HealthState state(check, OperationalState::kUp);
  state.CountFailure();
  EXPECT_EQ(state.Interval(), absl::Milliseconds(100));
}

TEST(HealthStateTest, JitterStaysWithinTenPercent) {
  EXPECT_EQ(Jittered(absl::Seconds(2), 0), absl::Milliseconds(1800));
  EXPECT_EQ(Jittered(absl::Seconds(2), 0.5), absl::Seconds(2));
  EXPECT_LE(Jittered(absl::Seconds(2), 0.9999), absl::Milliseconds(2200));
}

}  // namespace
}  // namespace fairlead::health
