// What the reconciler makes of the ways that the data plane knows: checks along them, and verdicts.
#include "tests/unit/controller/reconciler_testing.h"

namespace fairlead::controller {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr char kPath1[] = "default/web srv-1 10.0.1.1 serves 10.0.0.1:80";
constexpr char kPath2[] = "default/web srv-2 10.0.1.2 serves 10.0.0.1:80";

class ReconcilerPathsTest : public ReconcilerTest {
 protected:
  ReconcilerPathsTest() { desired_.vips[0].mode = model::Mode::kDr; }

  static dataplane::DirectPath PathTo(uint8_t number) {
    return {.ifindex = 2,
            .mac = {2, 0, 0, 0, 0, number},
            .source_mac = {2, 0, 0, 0, 0, 0xff},
            .source = *net::IpAddress::Parse("10.0.1.254")};
  }
  // The data plane knows these ways, and a tick passes.
  void Know(std::vector<std::optional<dataplane::DirectPath>> paths, std::string problem = "") {
    const auto& service = *plane_.plans().back()->services.at(0);
    dataplane::PlaneObservation observation;
    auto& observed = observation.services.emplace_back();
    observed.service_id = service.id;
    for (size_t i = 0; i < paths.size(); ++i) {
      auto& server = observed.servers.emplace_back();
      server.server_id = service.servers[i].id;
      server.direct_path = paths[i];
      if (!paths[i].has_value()) server.problem = problem;
    }
    plane_.SetObservation(observation);
    TickOnce();
  }
  void TickOnce() {
    clock_.Advance(Reconciler::kTick);
    reconciler_->Turn();
  }
  void ReportPath(const std::string& target, OperationalState state) {
    Report(target, state);
    clock_.Advance(Reconciler::kGather);
    reconciler_->Turn();
  }
  void PlainUp() {
    Report(kTarget1, OperationalState::kUp);
    Report(kTarget2, OperationalState::kUp);
  }
  const health::ProbeTarget* Target(const std::string& id) {
    targets_ = health_.targets();
    for (const health::ProbeTarget& target : targets_) {
      if (target.id == id) return &target;
    }
    return nullptr;
  }

  std::vector<health::ProbeTarget> targets_;
};

TEST_F(ReconcilerPathsTest, AServerIsUpWhenBothChecksAre) {
  Apply();
  EXPECT_THAT(health_.target_ids(), testing::ElementsAre(kTarget1, kTarget2));
  PlainUp();
  EXPECT_EQ(Server(0).health, OperationalState::kUnknown);
  EXPECT_THAT(Server(0).health_reason, HasSubstr("MAC is not known yet"));
  Know({PathTo(1), PathTo(2)});
  const health::ProbeTarget* target = Target(kPath1);
  ASSERT_NE(target, nullptr);
  EXPECT_EQ(target->endpoint.ToString(), "10.0.0.1:80");
  EXPECT_EQ(target->direct->mac, PathTo(1).mac);
  EXPECT_EQ(target->direct->source, PathTo(1).source);
  EXPECT_EQ(target->check.interval, desired_.vips[0].health_check.interval);

  ReportPath(kPath1, OperationalState::kUp);
  ReportPath(kPath2, OperationalState::kDown);
  EXPECT_EQ(Server(0).health, OperationalState::kUp);
  EXPECT_EQ(Planned(0).eligibility, Eligibility::kAll);
  EXPECT_EQ(Server(1).health, OperationalState::kDown);
  EXPECT_EQ(Planned(1).eligibility, Eligibility::kNone);
  EXPECT_THAT(Server(1).health_reason, HasSubstr("direct routing: seen"));
  EXPECT_FALSE(Server(1).unreachable);
  EXPECT_THAT(ReasonOf("real server is down"), HasSubstr("direct routing: seen"));
  ReportPath(kPath2, OperationalState::kUp);
  EXPECT_EQ(Server(1).health, OperationalState::kUp);
  Report(kTarget2, OperationalState::kDown, /*unreachable=*/true);
  EXPECT_EQ(Server(1).health, OperationalState::kDown);
  EXPECT_TRUE(Server(1).unreachable);
}

TEST_F(ReconcilerPathsTest, FirstVerdictsAreGatheredBadOnesAreNot) {
  Apply();
  PlainUp();
  Know({PathTo(1), PathTo(2)});
  const size_t plans = plane_.plans().size();
  Report(kPath1, OperationalState::kUp);
  Report(kPath2, OperationalState::kUp);
  EXPECT_EQ(plane_.plans().size(), plans);
  clock_.Advance(Reconciler::kGather);
  reconciler_->Turn();
  EXPECT_EQ(plane_.plans().size(), plans + 1);
  EXPECT_EQ(Planned(0).operational, OperationalState::kUp);
  EXPECT_EQ(Planned(1).operational, OperationalState::kUp);
  Report(kPath1, OperationalState::kDown);
  EXPECT_EQ(Planned(0).operational, OperationalState::kDown);
}

TEST_F(ReconcilerPathsTest, TargetsFollowTheMac) {
  Apply();
  Know({PathTo(1), PathTo(2)});
  Know({PathTo(7), PathTo(2)});
  EXPECT_EQ(Target(kPath1)->direct->mac, PathTo(7).mac);
  const int set_count = health_.set_count();
  TickOnce();
  EXPECT_EQ(health_.set_count(), set_count);
}

TEST_F(ReconcilerPathsTest, EachAddressOfTheFamilyIsAsked) {
  desired_.vips[0].addresses = {*net::IpAddress::Parse("10.0.0.1"),
                                *net::IpAddress::Parse("10.0.0.2"),
                                *net::IpAddress::Parse("fd00::1")};
  Apply();
  PlainUp();
  Know({PathTo(1), PathTo(2)});
  EXPECT_THAT(health_.target_ids(), Contains("default/web srv-1 10.0.1.1 serves 10.0.0.2:80"));
  EXPECT_THAT(health_.target_ids(), Not(Contains(HasSubstr("fd00"))));
  ReportPath(kPath1, OperationalState::kUp);
  EXPECT_EQ(Server(0).health, OperationalState::kUnknown);
  ReportPath("default/web srv-1 10.0.1.1 serves 10.0.0.2:80", OperationalState::kDown);
  EXPECT_EQ(Server(0).health, OperationalState::kDown);
}

TEST_F(ReconcilerPathsTest, NamesTheServerThatAnsweredInstead) {
  Apply();
  PlainUp();
  Know({PathTo(1), PathTo(2)});
  auto report =
      MakeReport(kPath1, OperationalState::kDown, "answered by MAC 02:00:00:00:00:02 (3 of 3)");
  report.answered_by = PathTo(2).mac;
  reconciler_->SetHealth(report);
  reconciler_->Turn();
  EXPECT_THAT(Server(0).health_reason,
              HasSubstr("by MAC 02:00:00:00:00:02, which is srv-2 (3 of 3)"));
}

TEST_F(ReconcilerPathsTest, WhatCannotBeCheckedHasNoSay) {
  Apply();
  PlainUp();
  Know({PathTo(1), PathTo(2)});
  auto report = MakeReport(kPath1, OperationalState::kUnknown, "no CAP_NET_RAW");
  report.not_checked = true;
  reconciler_->SetHealth(report);
  reconciler_->Turn();
  EXPECT_EQ(Server(0).health, OperationalState::kUp);
  EXPECT_THAT(Server(0).health_reason, HasSubstr("no CAP_NET_RAW"));
  EXPECT_EQ(Server(0).path->state, OperationalState::kUnknown);
  EXPECT_THAT(ReasonOf("direct routing to a real server cannot be checked"),
              HasSubstr("its plain check alone counts"));
}

TEST_F(ReconcilerPathsTest, AServerThatAnswersWithoutAWayIsDown) {
  Apply();
  Know({std::nullopt, PathTo(2)}, "behind the router");
  EXPECT_EQ(Server(0).health, OperationalState::kUnknown);
  PlainUp();
  EXPECT_EQ(Server(0).health, OperationalState::kDown);
  EXPECT_THAT(Server(0).health_reason, HasSubstr("behind the router"));
}

TEST_F(ReconcilerPathsTest, NeitherThisHostNorTypeNoneNorSnatIsAsked) {
  Apply();
  PlainUp();
  Know({dataplane::DirectPath{.local = true}, PathTo(2)});
  EXPECT_EQ(Target(kPath1), nullptr);
  EXPECT_EQ(Server(0).health, OperationalState::kUp);
  EXPECT_FALSE(Server(0).path.has_value());
  desired_.vips[0].health_check.type = model::HealthCheck::Type::kNone;
  Apply();
  EXPECT_EQ(Target(kPath2), nullptr);
  desired_.vips[0].health_check.type = model::HealthCheck::Type::kTcp;
  desired_.vips[0].mode = model::Mode::kSnat;
  Apply();
  EXPECT_EQ(Target(kPath2), nullptr);
  EXPECT_FALSE(Server(1).path.has_value());
}

TEST_F(ReconcilerPathsTest, AServerThatMovedIsAskedWhereItIsNow) {
  Apply();
  Know({PathTo(1), PathTo(2)});
  desired_.vips[0].inline_servers[0].spec.address = *net::IpAddress::Parse("10.0.1.9");
  Apply();
  EXPECT_EQ(Target(kPath1), nullptr);
  EXPECT_EQ(Target("default/web srv-1 10.0.1.9 serves 10.0.0.1:80"), nullptr);  // way not known
  Know({PathTo(9), PathTo(2)});
  EXPECT_EQ(Target("default/web srv-1 10.0.1.9 serves 10.0.0.1:80")->direct->mac, PathTo(9).mac);
}

TEST_F(ReconcilerPathsTest, InModeAutoThePathAdvisesAlone) {
  desired_.vips[0].mode = model::Mode::kAuto;
  Apply();
  PlainUp();
  Know({PathTo(1), PathTo(2)});
  ASSERT_NE(Target(kPath1), nullptr);
  ReportPath(kPath1, OperationalState::kDown);
  EXPECT_EQ(Server(0).health, OperationalState::kUp);
  EXPECT_EQ(Server(0).path->state, OperationalState::kDown);
  EXPECT_THAT(EventMessages(), Contains("direct routing to a real server fails"));
  EXPECT_THAT(EventMessages(), Not(Contains("real server is down")));
  ReportPath(kPath1, OperationalState::kUp);
  EXPECT_THAT(EventMessages(), Contains("direct routing to a real server works"));
}

}  // namespace
}  // namespace fairlead::controller
