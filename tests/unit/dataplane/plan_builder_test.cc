#include "pkg/dataplane/plan_builder.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "pkg/net/endpoint.h"

namespace fairlead::dataplane {
namespace {

using model::AdminState;
using model::Eligibility;
using model::OperationalState;

constexpr char kService[] = "default/web";

model::Vip MakeVip(int server_count) {
  model::Vip vip;
  vip.id = {model::ObjectKind::kVip, "default", "web"};
  vip.addresses = {*net::IpAddress::Parse("10.0.0.1")};
  vip.ports = *net::PortSet::Parse("80,443");
  vip.health_check.port = 80;
  for (int i = 1; i <= server_count; ++i) {
    model::InlineServer server;
    server.name = absl::StrCat("srv-", i);
    server.spec.address = *net::IpAddress::Parse(absl::StrCat("10.0.1.", i));
    vip.inline_servers.push_back(server);
  }
  return vip;
}

class PlanBuilderTest : public testing::Test {
 protected:
  PlanBuilderTest() { desired_.vips.push_back(MakeVip(2)); }

  model::Vip& vip() { return desired_.vips[0]; }
  ServerCondition& condition(const std::string& server) { return conditions_[{kService, server}]; }
  void AllUp() {
    for (const model::InlineServer& server : vip().inline_servers) {
      condition(server.name).operational = OperationalState::kUp;
    }
  }
  PlanResult Build() {
    const model::ServerIndex servers(desired_);
    PlanResult result = BuildPlan({.desired = desired_,
                                   .servers = servers,
                                   .conditions = conditions_,
                                   .now = now_,
                                   .last = last_},
                                  ids_);
    last_ = result.plan;
    return result;
  }
  PlanServer Server(const PlanResult& result, size_t index) {
    return result.plan->services.at(0)->servers.at(index);
  }

  model::DesiredState desired_;
  ServerConditions conditions_;
  absl::Duration now_ = absl::Seconds(1000);
  std::shared_ptr<const ForwardingPlan> last_;
  IdRegistry ids_;
};

TEST_F(PlanBuilderTest, FirstPlanHasRevisionOneAlsoWhenItIsEmpty) {
  desired_.vips.clear();
  const PlanResult result = Build();
  EXPECT_EQ(result.plan->revision, 1u);
  EXPECT_TRUE(result.plan->services.empty());
  EXPECT_EQ(result.rebuild_at, absl::InfiniteDuration());
}

TEST_F(PlanBuilderTest, CopiesTheServiceAndItsServers) {
  vip().inline_servers[1].spec.port = 8080;
  vip().inline_servers[1].spec.weight = 7;
  vip().inline_servers[1].spec.connections_max = 9;
  vip().connections_max = 100;
  AllUp();
  const PlanResult result = Build();
  const PlanService& service = *result.plan->services.at(0);
  EXPECT_EQ(service.name, kService);
  EXPECT_EQ(service.ports.ToString(), "80,443");
  EXPECT_EQ(service.connections_max, 100u);
  const PlanServer server = Server(result, 1);
  EXPECT_EQ(server.name, "srv-2");
  EXPECT_EQ(server.port, 8080);
  EXPECT_EQ(server.weight, 7);
  EXPECT_EQ(server.connections_max, 9u);
  EXPECT_EQ(server.eligibility, Eligibility::kAll);
  EXPECT_EQ(server.cut_sessions_at, absl::InfiniteDuration());
}

TEST_F(PlanBuilderTest, UnknownServersServeOnlyWhileEveryServerIsUnknown) {
  EXPECT_EQ(Server(Build(), 0).eligibility, Eligibility::kAll);
  condition("srv-2").operational = OperationalState::kDown;
  EXPECT_EQ(Server(Build(), 0).eligibility, Eligibility::kNone);
  condition("srv-2").operational = OperationalState::kUp;
  const PlanResult result = Build();
  EXPECT_EQ(Server(result, 0).eligibility, Eligibility::kNone);
  EXPECT_EQ(Server(result, 1).eligibility, Eligibility::kAll);
}

TEST_F(PlanBuilderTest, HaltedServerHasNoSayInWhetherAllAreUnknown) {
  condition("srv-2").admin = AdminState::kHalt;
  condition("srv-2").operational = OperationalState::kUp;
  const PlanResult result = Build();
  EXPECT_EQ(Server(result, 0).eligibility, Eligibility::kAll);
  EXPECT_EQ(Server(result, 1).eligibility, Eligibility::kNone);
}

TEST_F(PlanBuilderTest, RevisionRisesOnlyOnChange) {
  AllUp();
  const PlanResult first = Build();
  const PlanResult second = Build();
  EXPECT_EQ(second.plan, first.plan);
  now_ += absl::Hours(1);
  EXPECT_EQ(Build().plan, first.plan);
  condition("srv-1").operational = OperationalState::kDown;
  EXPECT_EQ(Build().plan->revision, 2u);
}

TEST_F(PlanBuilderTest, UnchangedServicesAreTheSameObject) {
  model::Vip other = MakeVip(1);
  other.id.name = "mail";
  desired_.vips.push_back(other);
  AllUp();
  const PlanResult first = Build();
  condition("srv-1").operational = OperationalState::kDown;
  const PlanResult second = Build();
  // Sorted by name: default/mail, default/web.
  EXPECT_EQ(second.plan->services.at(0), first.plan->services.at(0));
  EXPECT_NE(second.plan->services.at(1), first.plan->services.at(1));
}

TEST_F(PlanBuilderTest, ServedOnlyWhenEnabledAndByTcpUnlessDirect) {
  EXPECT_EQ(NotServedReason(vip()), "");
  vip().enabled = false;
  EXPECT_TRUE(Build().plan->services.empty());
  vip().enabled = true;
  vip().protocol = model::Protocol::kUdp;
  EXPECT_NE(NotServedReason(vip()).find("not supported yet"), std::string::npos);
  EXPECT_TRUE(Build().plan->services.empty());
  vip().mode = model::Mode::kDr;
  ASSERT_EQ(Build().plan->services.size(), 1u);
  EXPECT_EQ(Build().plan->services[0]->mode, model::Mode::kDr);
  EXPECT_EQ(Build().plan->services[0]->protocol, model::Protocol::kUdp);
}

TEST_F(PlanBuilderTest, DrainServesPersistentClientsUntilItsDeadline) {
  AllUp();
  vip().timeouts.drain = absl::Seconds(60);
  condition("srv-1").admin = AdminState::kDrain;
  condition("srv-1").admin_since = now_;
  const absl::Duration deadline = now_ + absl::Seconds(60);
  PlanResult result = Build();
  EXPECT_EQ(Server(result, 0).eligibility, Eligibility::kPersistentOnly);
  EXPECT_EQ(Server(result, 0).cut_sessions_at, deadline);
  EXPECT_EQ(result.rebuild_at, deadline);
  now_ = deadline;
  result = Build();
  EXPECT_EQ(Server(result, 0).eligibility, Eligibility::kNone);
  EXPECT_EQ(Server(result, 0).cut_sessions_at, deadline);
  EXPECT_EQ(result.rebuild_at, absl::InfiniteDuration());
}

TEST_F(PlanBuilderTest, HaltCutsSessionsAfterItsGrace) {
  AllUp();
  condition("srv-1").admin = AdminState::kHalt;
  condition("srv-1").admin_since = now_;
  const PlanResult result = Build();
  EXPECT_EQ(Server(result, 0).eligibility, Eligibility::kNone);
  EXPECT_EQ(Server(result, 0).cut_sessions_at, now_ + kHaltGrace);
}

TEST_F(PlanBuilderTest, UnreachableServerLosesItsSessionsAtOnceAndThePlanStaysTheSame) {
  AllUp();
  condition("srv-1").operational = OperationalState::kDown;
  EXPECT_EQ(Server(Build(), 0).cut_sessions_at, absl::InfiniteDuration());
  condition("srv-1").unreachable = true;
  const PlanResult result = Build();
  EXPECT_LE(Server(result, 0).cut_sessions_at, now_);
  now_ += absl::Seconds(5);
  EXPECT_EQ(Build().plan, result.plan);
  // An Up server is not cut, whatever the last probe but one saw.
  condition("srv-1").operational = OperationalState::kUp;
  EXPECT_EQ(Server(Build(), 0).cut_sessions_at, absl::InfiniteDuration());
}

TEST_F(PlanBuilderTest, SlowStartRisesLinearlyInOneSecondSteps) {
  AllUp();
  vip().slow_start = absl::Seconds(10);
  condition("srv-1").up_since = now_;
  const absl::Duration start = now_;
  double sum = 0;
  for (int step = 0; step < 10; ++step) {
    now_ = start + absl::Seconds(step) + absl::Milliseconds(1);
    const PlanResult result = Build();
    const PlanServer server = Server(result, 0);
    EXPECT_EQ(server.eligibility, Eligibility::kAll);
    EXPECT_DOUBLE_EQ(server.weight, 100 * (step + 0.5) / 10);
    EXPECT_EQ(result.rebuild_at, start + absl::Seconds(step + 1));
    sum += server.weight;
  }
  EXPECT_DOUBLE_EQ(sum, 500);  // as the area under the line
  now_ = start + absl::Seconds(10);
  const PlanResult result = Build();
  EXPECT_EQ(Server(result, 0).weight, 100);
  EXPECT_EQ(result.rebuild_at, absl::InfiniteDuration());
}

TEST_F(PlanBuilderTest, LongSlowStartHasTwentySteps) {
  AllUp();
  vip().slow_start = absl::Seconds(300);
  condition("srv-1").up_since = now_;
  const PlanResult result = Build();
  EXPECT_EQ(result.rebuild_at, now_ + absl::Seconds(15));
  EXPECT_DOUBLE_EQ(Server(result, 0).weight, 2.5);
}

TEST_F(PlanBuilderTest, SubSecondSlowStartIsOneStepAndNeverZero) {
  AllUp();
  vip().slow_start = absl::Milliseconds(500);
  condition("srv-1").up_since = now_;
  const PlanResult result = Build();
  EXPECT_DOUBLE_EQ(Server(result, 0).weight, 50);
  EXPECT_EQ(result.rebuild_at, now_ + absl::Milliseconds(500));
}

TEST_F(PlanBuilderTest, NoSlowStartAtProcessStart) {
  AllUp();
  vip().slow_start = absl::Seconds(10);
  EXPECT_EQ(Server(Build(), 0).weight, 100);
}

TEST_F(PlanBuilderTest, AServerThatIsHeldTakesNoNewClientsAndKeepsItsOwn) {
  AllUp();
  vip().mode = model::Mode::kDr;
  vip().health_check.unanswered_handshakes.threshold = 10;
  condition("srv-1").operational = OperationalState::kDown;
  condition("srv-1").held = "12 of 14 handshakes unanswered";
  PlanServer server = Server(Build(), 0);
  EXPECT_EQ(server.eligibility, Eligibility::kNone);
  EXPECT_EQ(server.operational, OperationalState::kUp);
  EXPECT_EQ(server.held, "12 of 14 handshakes unanswered");
  EXPECT_EQ(server.cut_sessions_at, absl::InfiniteDuration());
  EXPECT_TRUE(last_->services[0]->watches_handshakes);
  condition("srv-1").operational = OperationalState::kUp;
  condition("srv-1").held.clear();
  condition("srv-1").weight_share = 0.1;
  server = Server(Build(), 0);
  EXPECT_EQ(server.eligibility, Eligibility::kAll);
  EXPECT_DOUBLE_EQ(server.weight, 10);
}

TEST_F(PlanBuilderTest, EachPortCheckLimitsTheServerToThePortsThatAnswer) {
  AllUp();
  vip().health_check.each_port = true;
  condition("srv-1").usable_ports = *net::PortSet::Parse("443,8443");
  vip().inline_servers[1].spec.port = 8080;
  const PlanResult result = Build();
  EXPECT_TRUE(Server(result, 0).per_port);
  EXPECT_EQ(Server(result, 0).usable_ports.ToString(), "443");
  // A translated port is one port behind all.
  EXPECT_FALSE(Server(result, 1).per_port);
}

TEST_F(PlanBuilderTest, EachPortCheckWithoutVerdictUsesEveryPort) {
  vip().health_check.each_port = true;
  EXPECT_EQ(Server(Build(), 0).usable_ports.ToString(), "80,443");
}

TEST(IdRegistryTest, NamesKeepTheirIdsAndDifferFromEachOther) {
  IdRegistry ids;
  const uint32_t service = ids.ServiceId("default/a");
  const uint32_t server = ids.ServerId("default/a", "srv-1");
  EXPECT_NE(service, 0u);
  EXPECT_NE(service, server);
  EXPECT_NE(ids.ServerId("default/b", "srv-1"), server);
  EXPECT_EQ(ids.ServiceId("default/a"), service);
  EXPECT_EQ(ids.ServerId("default/a", "srv-1"), server);
}

}  // namespace
}  // namespace fairlead::dataplane
