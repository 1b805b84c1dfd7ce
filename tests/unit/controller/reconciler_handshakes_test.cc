// What the reconciler makes of clients' handshakes that go unanswered: a plan without new clients
// for that server, and words.
#include "pkg/controller/metrics.h"
#include "tests/unit/controller/reconciler_testing.h"

namespace fairlead::controller {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Phase = HandshakeVerdict::Phase;

class ReconcilerHandshakesTest : public ReconcilerTest {
 protected:
  ReconcilerHandshakesTest() {
    model::Vip& vip = desired_.vips[0];
    vip = MakeVip(3);
    vip.mode = model::Mode::kDr;
    vip.health_check.unanswered_handshakes.threshold = 10;
  }
  // All checks pass, along the direct path too.
  void Begin() {
    Apply();
    AllUp();
    Tick({});
    AllUp();
    clock_.Advance(Reconciler::kGather);
    reconciler_->Turn();
    ASSERT_EQ(Planned(1).eligibility, Eligibility::kAll);
  }
  // A second in which each server gets so many handshakes, and answers them, but for the broken.
  void Tick(const std::set<size_t>& broken, uint64_t count = 5) {
    const dataplane::PlanService& service = *plane_.plans().back()->services.at(0);
    dataplane::PlaneObservation observation;
    auto& observed = observation.services.emplace_back();
    observed.service_id = service.id;
    for (size_t i = 0; i < service.servers.size(); ++i) {
      auto& server = observed.servers.emplace_back();
      server.server_id = service.servers[i].id;
      server.direct_path = dataplane::DirectPath{
          .ifindex = 2, .mac = {2, 0, 0, 0, 0, static_cast<uint8_t>(i)}, .source_mac = {2}};
      server.way_problem = "";
      counts_.resize(service.servers.size());
      if (Planned(i).eligibility == Eligibility::kAll) {
        counts_[i].watched_total += count;
        if (!broken.contains(i)) counts_[i].progressed_total += count;
      }
      server.handshakes = counts_[i];
    }
    plane_.SetObservation(observation);
    clock_.Advance(Reconciler::kTick);
    reconciler_->Turn();
  }
  void Ticks(int count, const std::set<size_t>& broken) {
    for (int i = 0; i < count; ++i) Tick(broken);
  }

  std::string Metrics() {
    telemetry::MetricsWriter writer;
    WriteMetrics(*reconciler_->View(), MetricsDetail::kAll, &writer);
    return writer.Finish();
  }

  std::vector<dataplane::HandshakesObservation> counts_;
};

TEST_F(ReconcilerHandshakesTest, AServerIsHeldAndItsConnectionsStay) {
  Begin();
  EXPECT_TRUE(plane_.plans().back()->services[0]->watches_handshakes);
  Ticks(15, {});
  EXPECT_EQ(Server(1).handshakes.phase, Phase::kServing);
  Ticks(15, {1});
  EXPECT_EQ(Server(1).health, OperationalState::kDown);
  EXPECT_THAT(Server(1).health_reason,
              AllOf(HasSubstr("handshakes of clients in 10s unanswered, while srv-"),
                    HasSubstr("tried again after 30s"), HasSubstr("its checks pass: seen")));
  EXPECT_EQ(Server(1).handshakes.phase, Phase::kHeld);
  EXPECT_EQ(Server(1).handshakes.held_total, 1u);
  EXPECT_GT(Server(1).held_until, clock_.Now());
  EXPECT_EQ(Planned(1).eligibility, Eligibility::kNone);
  EXPECT_EQ(Planned(1).operational, OperationalState::kUp) << "established connections stay";
  EXPECT_THAT(Planned(1).held, HasSubstr("unanswered"));
  EXPECT_THAT(ReasonOf("real server is down"), HasSubstr("handshakes of clients"));
  EXPECT_EQ(Planned(0).eligibility, Eligibility::kAll);
  const std::string metrics = Metrics();
  EXPECT_THAT(metrics, HasSubstr("fairlead_server_handshakes_held{namespace=\"default\","
                                 "vip=\"web\",server=\"srv-2\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("fairlead_server_handshakes_held{namespace=\"default\","
                                 "vip=\"web\",server=\"srv-1\"} 0"));
}

TEST_F(ReconcilerHandshakesTest, ItIsTriedWithATenthOfItsWeightAndServesAgain) {
  Begin();
  Ticks(20, {1});
  ASSERT_EQ(Planned(1).eligibility, Eligibility::kNone);
  for (int i = 0; i < 40 && Server(1).handshakes.phase == Phase::kHeld; ++i) Tick({});
  EXPECT_EQ(Server(1).handshakes.phase, Phase::kTrial);
  EXPECT_EQ(Server(1).health, OperationalState::kUp);
  EXPECT_THAT(Server(1).health_reason, HasSubstr("on trial with a tenth of its weight, after "));
  EXPECT_EQ(Planned(1).eligibility, Eligibility::kAll);
  EXPECT_DOUBLE_EQ(Planned(1).weight, 10);
  EXPECT_THAT(ReasonOf("real server is up"), HasSubstr("on trial"));
  Ticks(14, {});
  EXPECT_EQ(Server(1).handshakes.phase, Phase::kServing);
  EXPECT_DOUBLE_EQ(Planned(1).weight, 100);
  EXPECT_THAT(Server(1).health_reason, Not(HasSubstr("trial")));
}

TEST_F(ReconcilerHandshakesTest, WithoutTheRuleTheyAreOnlyCounted) {
  desired_.vips[0].health_check.unanswered_handshakes.threshold = 0;
  Begin();
  EXPECT_FALSE(plane_.plans().back()->services[0]->watches_handshakes);
  Ticks(60, {1});
  EXPECT_EQ(Server(1).health, OperationalState::kUp);
  EXPECT_FALSE(Server(1).judged_by_handshakes);
  EXPECT_THAT(Metrics(), Not(HasSubstr("handshakes_held{")));
}

TEST_F(ReconcilerHandshakesTest, WhenTheRuleGoesTheServerComesBack) {
  Begin();
  Ticks(20, {1});
  ASSERT_EQ(Server(1).health, OperationalState::kDown);
  desired_.vips[0].health_check.unanswered_handshakes.threshold = 0;
  Apply();
  Ticks(2, {});
  EXPECT_EQ(Server(1).health, OperationalState::kUp);
  EXPECT_DOUBLE_EQ(Planned(1).weight, 100);
}

TEST_F(ReconcilerHandshakesTest, TheOperatorTakesItBackAtOnce) {
  Begin();
  Ticks(20, {1});
  ASSERT_EQ(Planned(1).eligibility, Eligibility::kNone);
  Set("srv-2", AdminState::kOnline);
  EXPECT_EQ(Planned(1).eligibility, Eligibility::kAll);
  Ticks(3, {});
  EXPECT_EQ(Server(1).handshakes.phase, Phase::kServing);
}

TEST_F(ReconcilerHandshakesTest, TheLastOneServesAgainWithinTheTurn) {
  Begin();
  Ticks(20, {1});
  ASSERT_EQ(Planned(1).eligibility, Eligibility::kNone);
  Report("default/web srv-1 10.0.1.1:80", OperationalState::kDown);
  EXPECT_EQ(Planned(1).eligibility, Eligibility::kNone);
  Report("default/web srv-3 10.0.1.3:80", OperationalState::kDown);
  EXPECT_EQ(Planned(1).eligibility, Eligibility::kAll);
  EXPECT_EQ(Server(1).health, OperationalState::kUp);
}

TEST_F(ReconcilerHandshakesTest, OneThatTheChecksTakeDownIsDownForThem) {
  Begin();
  Ticks(20, {1});
  Report("default/web srv-2 10.0.1.2:80", OperationalState::kDown, /*unreachable=*/true);
  EXPECT_EQ(Planned(1).operational, OperationalState::kDown) << "its connections go, too";
  EXPECT_EQ(Server(1).health_reason, "seen");
  EXPECT_EQ(Planned(1).held, "");
}

TEST_F(ReconcilerHandshakesTest, ServersOfTypeNoneAreJudgedToo) {
  desired_.vips[0].health_check.type = model::HealthCheck::Type::kNone;
  Begin();
  Ticks(20, {1});
  EXPECT_EQ(Planned(1).eligibility, Eligibility::kNone);
}

TEST_F(ReconcilerHandshakesTest, AFloodIsToldOfAndTakesNobodyOut) {
  Begin();
  Ticks(20, {0, 1, 2});
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(Planned(i).eligibility, Eligibility::kAll);
  const std::string message = "clients' handshakes go unanswered at most real servers";
  EXPECT_THAT(ReasonOf(message), HasSubstr("a flood of SYNs"));
  Ticks(20, {});
  EXPECT_THAT(EventMessages(),
              Contains("clients' handshakes are answered at most real servers again"));
}

TEST_F(ReconcilerHandshakesTest, EachFamilyIsOnItsOwn) {
  // The one IPv6 server is the last for IPv6 clients, whatever those of IPv4 do.
  desired_.vips[0].addresses.push_back(*net::IpAddress::Parse("fd00::1"));
  desired_.vips[0].inline_servers[1].spec.address = *net::IpAddress::Parse("fd00::2");
  Begin();
  Ticks(30, {1});
  EXPECT_EQ(Planned(1).eligibility, Eligibility::kAll);
}

TEST_F(ReconcilerHandshakesTest, InModeAutoTheServerIsProxied) {
  desired_.vips[0].mode = model::Mode::kAuto;
  Begin();
  Ticks(3, {});
  ASSERT_EQ(Planned(1).way, dataplane::Way::kDirect);
  Ticks(20, {1});
  EXPECT_EQ(Planned(1).way, dataplane::Way::kProxy);
  EXPECT_THAT(Planned(1).way_reason, HasSubstr("handshakes of clients in "));
  EXPECT_EQ(Planned(1).eligibility, Eligibility::kAll);
  EXPECT_EQ(Planned(1).direct_path, OperationalState::kUp) << "established connections stay";
  EXPECT_EQ(Server(1).health, OperationalState::kUp);
  EXPECT_EQ(Server(1).path->state, OperationalState::kDown);
  EXPECT_THAT(ReasonOf("real server is proxied (SNAT) now"), HasSubstr("unanswered"));
  for (int i = 0; i < 60 && Planned(1).way == dataplane::Way::kProxy; ++i) Tick({});
  EXPECT_EQ(Planned(1).way, dataplane::Way::kDirect);
  EXPECT_DOUBLE_EQ(Planned(1).weight, 10);
  Ticks(14, {});
  EXPECT_DOUBLE_EQ(Planned(1).weight, 100);
}

}  // namespace
}  // namespace fairlead::controller
