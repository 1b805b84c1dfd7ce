// Mode Auto: which way each server goes, and why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pkg/dataplane/plan_builder.h"

namespace fairlead::dataplane {
namespace {

using model::OperationalState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr absl::Duration kNow = absl::Seconds(1000);
constexpr char kService[] = "default/web";
constexpr char kPrepared[] = "the path check has passed; direct routing prepares its way";

class PlanBuilderAutoTest : public testing::Test {
 protected:
  PlanBuilderAutoTest() {
    model::Vip vip;
    vip.id = {model::ObjectKind::kVip, "default", "web"};
    vip.addresses = {*net::IpAddress::Parse("10.0.0.1")};
    vip.ports = *net::PortSet::Parse("80");
    vip.mode = model::Mode::kAuto;
    for (int i = 1; i <= 2; ++i) {
      model::InlineServer server;
      server.name = absl::StrCat("srv-", i);
      server.spec.address = *net::IpAddress::Parse(absl::StrCat("10.0.0.1", i));
      vip.inline_servers.push_back(server);
      condition(i).operational = OperationalState::kUp;
    }
    desired_.vips.push_back(vip);
  }

  model::Vip& vip() { return desired_.vips[0]; }
  model::ServerSpec& spec(int i) { return vip().inline_servers[i - 1].spec; }
  ServerCondition& condition(int i) { return conditions_[{kService, absl::StrCat("srv-", i)}]; }
  // What a server needs beside its manifest: its check passes, and the DR data plane has a way.
  void Pass(int i) {
    condition(i).direct_path = OperationalState::kUp;
    condition(i).way_problem = "";
  }

  std::shared_ptr<const PlanService> Build() {
    const model::ServerIndex servers(desired_);
    const PlanResult result = BuildPlan({.desired = desired_,
                                         .servers = servers,
                                         .conditions = conditions_,
                                         .now = kNow,
                                         .last = last_,
                                         .direct_refusal = refusal_,
                                         .direct_adopted = adopted_},
                                        ids_);
    last_ = result.plan;
    rebuild_at_ = result.rebuild_at;
    return last_->services.at(0);
  }
  // "DR", or "SNAT: why".
  std::string WayOf(int i) {
    const PlanServer& server = Build()->servers.at(i - 1);
    EXPECT_EQ(server.way == Way::kDirect, server.way_reason.empty());
    return absl::StrCat(WayName(server.way), server.way_reason.empty() ? "" : ": ",
                        server.way_reason);
  }
  // Both servers go directly.
  void GoDirectly() {
    Pass(1);
    Pass(2);
    Build();
    ASSERT_EQ(WayOf(1), "DR");
    ASSERT_EQ(WayOf(2), "DR");
  }

  model::DesiredState desired_;
  ServerConditions conditions_;
  std::shared_ptr<const ForwardingPlan> last_;
  IdRegistry ids_;
  std::string refusal_;
  bool adopted_ = false;
  absl::Duration rebuild_at_;
};

TEST_F(PlanBuilderAutoTest, WithoutAnyPathCheckEveryServerIsProxiedAndNothingIsForwarded) {
  EXPECT_EQ(WayOf(1), "SNAT: the path check has not passed yet");
  condition(1).direct_path_reason = "not checked yet";
  EXPECT_EQ(WayOf(1), "SNAT: the path check has not passed yet (not checked yet)");
  EXPECT_EQ(Build()->direct_part, DirectPart::kLook);
  EXPECT_EQ(rebuild_at_, absl::InfiniteDuration());
}

// The service is forwarded one plan before: flows that the proxy has then are told from later ones.
TEST_F(PlanBuilderAutoTest, AServerGoesDirectlyInThePlanAfterTheServiceIsForwarded) {
  Build();
  Pass(1);
  std::shared_ptr<const PlanService> service = Build();
  EXPECT_EQ(service->direct_part, DirectPart::kForward);
  EXPECT_EQ(service->servers[0].way_reason, kPrepared) << "whatever is known of its way";
  EXPECT_EQ(rebuild_at_, kNow) << "which comes at once";
  EXPECT_EQ(WayOf(1), "DR");
  EXPECT_EQ(rebuild_at_, absl::InfiniteDuration());
  EXPECT_THAT(WayOf(2), StartsWith("SNAT: the path check has not passed yet"));
}

TEST_F(PlanBuilderAutoTest, NoWayIsAReason) {
  condition(1).way_problem = "10.0.0.11 is behind a router";
  EXPECT_EQ(WayOf(1), "SNAT: 10.0.0.11 is behind a router") << "whether or not it was checked";
  condition(1).way_problem.reset();
  condition(1).direct_path = OperationalState::kUp;
  Build();
  EXPECT_EQ(WayOf(1), absl::StrCat("SNAT: ", kPrepared)) << "the data plane has not looked yet";
  condition(1).way_problem = "10.0.0.11 does not answer ARP on eth0 yet";
  EXPECT_EQ(WayOf(1), "SNAT: 10.0.0.11 does not answer ARP on eth0 yet");
  condition(1).way_problem = "";
  EXPECT_EQ(WayOf(1), "DR");
}

TEST_F(PlanBuilderAutoTest, AFailedCheckSendsItBackAndTheServiceStaysForwarded) {
  GoDirectly();
  condition(1).direct_path = OperationalState::kDown;
  condition(1).direct_path_reason = "no answer in 1s";
  EXPECT_EQ(WayOf(1), "SNAT: the check along the direct path fails: no answer in 1s");
  EXPECT_EQ(WayOf(2), "DR");
  condition(2).direct_path = OperationalState::kDown;
  EXPECT_EQ(Build()->direct_part, DirectPart::kForward) << "connections may run directly still";
}

// An edit of the check begins it anew, which says nothing about the server.
TEST_F(PlanBuilderAutoTest, WithoutAVerdictAServerKeepsItsWay) {
  GoDirectly();
  condition(1).direct_path = OperationalState::kUnknown;
  EXPECT_EQ(WayOf(1), "DR");
  condition(1).direct_path = OperationalState::kDown;
  Build();
  condition(1).direct_path = OperationalState::kUnknown;
  EXPECT_THAT(WayOf(1), StartsWith("SNAT: the path check has not passed yet"));
}

TEST_F(PlanBuilderAutoTest, AnotherAddressHasToPassAnew) {
  GoDirectly();
  condition(1).direct_path = OperationalState::kUnknown;
  spec(1).address = *net::IpAddress::Parse("10.0.0.99");
  EXPECT_THAT(WayOf(1), StartsWith("SNAT: the path check has not passed yet"));
}

TEST_F(PlanBuilderAutoTest, WhatDoesNotFitIsProxiedWhateverTheCheckSays) {
  GoDirectly();
  spec(1).port = 8080;
  EXPECT_THAT(WayOf(1), HasSubstr("cannot translate the port to 8080"));
  spec(1) = {};
  spec(1).address = *net::IpAddress::Parse("fd00::11");
  EXPECT_THAT(WayOf(1), HasSubstr("families must match"));
  spec(1).host_name = "srv.example.com";
  EXPECT_THAT(WayOf(1), HasSubstr("needs the address of srv.example.com"));
}

TEST_F(PlanBuilderAutoTest, NobodyLooksForWaysToServersThatDoNotFit) {
  Pass(1);
  spec(1).port = 8080;
  EXPECT_EQ(Build()->direct_part, DirectPart::kLook) << "for the other one";
  spec(2).port = 8080;
  EXPECT_EQ(Build()->direct_part, DirectPart::kNone);
}

TEST_F(PlanBuilderAutoTest, AHostThatRefusesDirectRoutingProxiesAll) {
  GoDirectly();
  refusal_ = "this host is in a cloud";
  EXPECT_EQ(WayOf(1), "SNAT: this host is in a cloud");
  EXPECT_EQ(WayOf(2), "SNAT: this host is in a cloud");
  EXPECT_EQ(Build()->direct_part, DirectPart::kNone);
}

// After a restart: connections run directly, although no check has passed in this process.
TEST_F(PlanBuilderAutoTest, WhatAFormerProcessLeftToTheKernelStaysThere) {
  adopted_ = true;
  EXPECT_EQ(Build()->direct_part, DirectPart::kForward);
  EXPECT_EQ(Build()->direct_part, DirectPart::kForward) << "and in later plans";
  EXPECT_THAT(WayOf(1), StartsWith("SNAT: "));
  Pass(1);
  EXPECT_EQ(WayOf(1), "DR");
}

TEST_F(PlanBuilderAutoTest, FromModeDrTheServersStayDirect) {
  vip().mode = model::Mode::kDr;
  Pass(1);
  EXPECT_EQ(WayOf(1), "DR");
  EXPECT_EQ(Build()->direct_part, DirectPart::kNone) << "it is all direct";
  vip().mode = model::Mode::kAuto;
  EXPECT_EQ(WayOf(1), "DR");
  EXPECT_EQ(Build()->direct_part, DirectPart::kForward);
}

TEST_F(PlanBuilderAutoTest, FromModeSnatAllBeginsProxied) {
  GoDirectly();
  vip().mode = model::Mode::kSnat;
  EXPECT_EQ(Build()->servers[0].way, Way::kProxy);
  EXPECT_EQ(Build()->servers[0].way_reason, "");
  vip().mode = model::Mode::kAuto;
  EXPECT_EQ(Build()->servers[0].way_reason, kPrepared);
}

TEST_F(PlanBuilderAutoTest, UdpAloneIsNotServed) {
  vip().protocol = model::Protocol::kUdp;
  EXPECT_NE(NotServedReason(vip()), "");
  vip().protocol = model::Protocol::kTcpAndUdp;
  EXPECT_EQ(NotServedReason(vip()), "");
}

}  // namespace
}  // namespace fairlead::dataplane
