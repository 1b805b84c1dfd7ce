// Mode Auto: what the DR data plane says comes back into the plan, and people see why.
#include "pkg/controller/server_ways.h"
#include "tests/unit/controller/reconciler_testing.h"

namespace fairlead::controller {
namespace {

using dataplane::Way;
using testing::HasSubstr;
using testing::StartsWith;

class ReconcilerAutoTest : public ReconcilerTest {
 protected:
  ReconcilerAutoTest() {
    desired_.vips[0].mode = model::Mode::kAuto;
    desired_.vips[0].scheduler = model::Scheduler::kMaglev;
  }

  // As the data plane sees it: the way to each server ("" = it has one).
  void ObserveWays(const std::vector<std::string>& problems) {
    dataplane::PlaneObservation observation;
    dataplane::ServiceObservation service;
    service.service_id = Planned().id;
    for (size_t i = 0; i < problems.size(); ++i) {
      dataplane::ServerObservation server;
      server.server_id = Planned().servers.at(i).id;
      server.way_problem = problems[i];
      service.servers.push_back(server);
    }
    observation.services = {service};
    plane_.SetObservation(observation);
    clock_.Advance(Reconciler::kTick);
    reconciler_->Turn();
  }
  const dataplane::PlanService& Planned() {
    last_plan_ = plane_.plans().back();
    return *last_plan_->services.at(0);
  }
};

TEST_F(ReconcilerAutoTest, WithoutPathChecksEveryServerIsProxiedAndSaysWhy) {
  Apply();
  AllUp();
  ObserveWays({"", ""});
  for (const size_t i : {0, 1}) {
    EXPECT_EQ(Server(i).way, Way::kProxy);
    EXPECT_THAT(Server(i).way_reason, StartsWith("the path check has not passed yet"));
  }
}

TEST_F(ReconcilerAutoTest, AHostThatRefusesDirectRoutingIsTheReason) {
  reconciler_ = std::make_unique<Reconciler>(
      ReconcilerOptions{
          .state_directory = directory_, .host_warnings = {}, .direct_refusal = "a cloud"},
      clock_, plane_, health_, resolver_, arp_);
  Apply();
  EXPECT_EQ(Server(0).way_reason, "a cloud");
}

TEST_F(ReconcilerAutoTest, UdpOfAProxiedServerIsNotServedAndSaidSo) {
  desired_.vips[0].protocol = model::Protocol::kTcpAndUdp;
  Apply();
  EXPECT_THAT(Server(0).way_reason, HasSubstr("it gets no UDP"));
}

// A former process left something to the kernel.
class AdoptedAutoTest : public ReconcilerAutoTest {
 protected:
  AdoptedAutoTest() {
    reconciler_ = std::make_unique<Reconciler>(
        ReconcilerOptions{
            .state_directory = directory_, .host_warnings = {}, .direct_adopted = true},
        clock_, plane_, health_, resolver_, arp_);
    Apply();
    AllUp();
  }
};

TEST_F(AdoptedAutoTest, TheServiceIsForwardedFromTheFirstPlanOn) {
  EXPECT_EQ(Planned().direct_part, dataplane::DirectPart::kForward);
  EXPECT_EQ(Server(0).way, Way::kProxy);
}

TEST_F(AdoptedAutoTest, WhatTheDataPlaneSaysOfItsWaysMakesANewPlanOnce) {
  const size_t plans = plane_.plans().size();
  ObserveWays({"behind a router", ""});
  EXPECT_EQ(plane_.plans().size(), plans + 1);
  ObserveWays({"behind a router", ""});
  EXPECT_EQ(plane_.plans().size(), plans + 1);
  EXPECT_EQ(Server(0).way_reason, "behind a router");
  EXPECT_THAT(Server(1).way_reason, StartsWith("the path check has not passed yet"));
  ObserveWays({"", ""});
  EXPECT_THAT(Server(0).way_reason, StartsWith("the path check has not passed yet"));
}

TEST_F(AdoptedAutoTest, WhatTheKernelRefusesIsTriedAgainAndIsNoProblemOfTheVip) {
  const auto tries = [&](absl::Duration time) {
    const size_t before = plane_.plans().size();
    clock_.Advance(time);
    reconciler_->Turn();
    return plane_.plans().size() - before;
  };
  plane_.FailDirect(absl::PermissionDeniedError("load the BPF program: EPERM"));
  desired_.vips[0].persistence.type = model::Persistence::Type::kSourceIp;
  Apply();
  EXPECT_EQ(reconciler_->View()->vips[0].problem, "");
  EXPECT_EQ(tries(Reconciler::kTick), 1u) << "a plan with the new reason";
  EXPECT_EQ(Server(0).way_reason, "load the BPF program: EPERM");
  EXPECT_EQ(tries(Reconciler::kApplyRetry), 1u);
  plane_.FailDirect(absl::OkStatus());
  EXPECT_EQ(tries(Reconciler::kApplyRetry), 1u);
  EXPECT_EQ(tries(Reconciler::kApplyRetry), 0u);
}

TEST(ServerWaysTest, OnlyWhatTheDataPlaneLookedAtHasAProblemOrNone) {
  auto service = std::make_shared<dataplane::PlanService>();
  service->id = 1;
  service->name = "default/web";
  service->mode = model::Mode::kAuto;
  service->servers.resize(2);
  service->servers[0].id = 11;
  service->servers[0].name = "srv-1";
  service->servers[1].id = 12;
  service->servers[1].name = "srv-2";
  dataplane::ForwardingPlan plan;
  plan.services = {service};
  dataplane::PlaneObservation observation;
  observation.services.resize(2);
  observation.services[0].service_id = 1;
  observation.services[0].servers.resize(3);
  observation.services[0].servers[0].server_id = 11;
  observation.services[0].servers[0].way_problem = "no ARP";
  observation.services[0].servers[1].server_id = 12;
  observation.services[0].servers[2].server_id = 99;  // it left the plan
  observation.services[0].servers[2].way_problem = "";
  observation.services[1].service_id = 2;
  const auto problems = WayProblems(plan, observation);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].first, ServerKey("default/web", "srv-1"));
  EXPECT_EQ(problems[0].second, "no ARP");
}

std::shared_ptr<const dataplane::ForwardingPlan> PlanWith(Way way, model::Mode mode,
                                                          const std::string& reason) {
  auto service = std::make_shared<dataplane::PlanService>();
  service->id = 1;
  service->name = "default/web";
  service->mode = mode;
  service->servers.resize(1);
  service->servers[0].id = 11;
  service->servers[0].name = "srv-1";
  service->servers[0].way = way;
  service->servers[0].way_reason = reason;
  auto plan = std::make_shared<dataplane::ForwardingPlan>();
  plan->services = {service};
  return plan;
}

TEST(ServerWaysTest, AChangeOfWayIsAnEventWithItsReason) {
  const auto proxied = PlanWith(Way::kProxy, model::Mode::kAuto, "no ARP");
  const auto direct = PlanWith(Way::kDirect, model::Mode::kAuto, "");
  const auto back = DescribeWayChanges(direct.get(), *proxied);
  ASSERT_EQ(back.size(), 1u);
  EXPECT_EQ(back[0].message, "real server is proxied (SNAT) now");
  EXPECT_EQ(back[0].reason, "no ARP");
  EXPECT_EQ(back[0].server, "srv-1");
  EXPECT_EQ(back[0].level, base::LogLevel::kWarning);
  ASSERT_EQ(DescribeWayChanges(proxied.get(), *direct).size(), 1u);
  EXPECT_EQ(DescribeWayChanges(proxied.get(), *direct)[0].level, base::LogLevel::kInfo);
  EXPECT_TRUE(DescribeWayChanges(nullptr, *direct).empty());
  EXPECT_TRUE(DescribeWayChanges(direct.get(), *direct).empty());
  // The manifest has changed the mode; that is told already.
  const auto snat = PlanWith(Way::kProxy, model::Mode::kSnat, "");
  EXPECT_TRUE(DescribeWayChanges(direct.get(), *snat).empty());
}

}  // namespace
}  // namespace fairlead::controller
