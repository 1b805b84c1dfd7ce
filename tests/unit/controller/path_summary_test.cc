#include "pkg/controller/path_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/fakes.h"

namespace fairlead::controller {
namespace {

using model::OperationalState;
using testing::HasSubstr;

constexpr OperationalState kUp = OperationalState::kUp;
constexpr OperationalState kDown = OperationalState::kDown;
constexpr OperationalState kUnknown = OperationalState::kUnknown;

health::HealthReport Impossible() {
  health::HealthReport report = MakeReport("t", kUnknown, "no CAP_NET_RAW");
  report.not_checked = true;
  return report;
}

TEST(PathSummaryTest, TheWorstAddressDecides) {
  const auto first = *net::IpAddress::Parse("10.0.0.1");
  const auto second = *net::IpAddress::Parse("10.0.0.2");
  const auto summarize = [&](const health::HealthReport& one, const health::HealthReport& other) {
    return SummarizePath({{first, one}, {second, other}});
  };
  const auto up = MakeReport("t", kUp, "up");
  const auto down = MakeReport("t", kDown, "down");
  const auto unknown = MakeReport("t", kUnknown, "not checked yet");
  EXPECT_EQ(summarize(up, up).state, kUp);
  EXPECT_EQ(summarize(up, down).state, kDown);
  EXPECT_EQ(summarize(up, down).reason, "down");
  EXPECT_EQ(summarize(unknown, down).state, kDown);
  EXPECT_EQ(summarize(up, unknown).state, kUnknown);
  EXPECT_FALSE(summarize(up, unknown).impossible);
  EXPECT_TRUE(summarize(up, Impossible()).impossible);
  EXPECT_FALSE(summarize(Impossible(), down).impossible);
  // A shortage that comes later leaves the verdict that there was.
  auto shortage = up;
  shortage.not_checked = true;
  EXPECT_FALSE(summarize(shortage, up).impossible);
  EXPECT_EQ(summarize(shortage, up).state, kUp);
}

TEST(PathSummaryTest, JoinsByTheTable) {
  struct Row {
    OperationalState plain;
    OperationalState up, down, unknown, impossible;
  };
  const Row kTable[] = {
      {kUp, kUp, kDown, kUnknown, kUp},
      {kUnknown, kUnknown, kDown, kUnknown, kUnknown},
      {kDown, kDown, kDown, kDown, kDown},
  };
  for (const Row& row : kTable) {
    HealthSummary plain;
    plain.state = row.plain;
    plain.unreachable = true;
    const auto join = [&](OperationalState state, bool impossible) {
      const HealthSummary joined = JoinPath(plain, {state, impossible, "path"});
      EXPECT_TRUE(joined.unreachable);
      return joined.state;
    };
    EXPECT_EQ(join(kUp, false), row.up);
    EXPECT_EQ(join(kDown, false), row.down);
    EXPECT_EQ(join(kUnknown, false), row.unknown);
    EXPECT_EQ(join(kUnknown, true), row.impossible);
  }
}

TEST(PathSummaryTest, SaysWhichCheckDecided) {
  HealthSummary plain;
  plain.state = kUp;
  plain.reason = "TCP connect";
  EXPECT_EQ(JoinPath(plain, {kDown, false, "no answer"}).reason,
            "direct routing: no answer (its own address: TCP connect)");
  EXPECT_THAT(JoinPath(plain, {kUnknown, true, "no capability"}).reason,
              HasSubstr("TCP connect; no capability"));
  plain.state = kDown;
  plain.reason = "refused";
  EXPECT_EQ(JoinPath(plain, {kDown, false, "no answer"}).reason, "refused");
}

}  // namespace
}  // namespace fairlead::controller
