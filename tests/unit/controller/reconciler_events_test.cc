// What the log and the list of events say of changes: who, what and why.
#include "tests/unit/controller/reconciler_testing.h"

namespace fairlead::controller {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using ReconcilerEventsTest = ReconcilerTest;

TEST_F(ReconcilerEventsTest, LosingTheLastServerIsToldAndIsNoService) {
  plane_.FailService("default/web", absl::UnavailableError("bind 10.0.0.1:80: in use"));
  Apply();
  // The listeners that could not be opened are not wanted any more: that solves nothing.
  plane_.FailService("", absl::OkStatus());
  for (const std::string& id : health_.target_ids()) Report(id, OperationalState::kDown);
  EXPECT_THAT(EventMessages(), Not(Contains("VIP is served again")));
  EXPECT_THAT(ReasonOf("VIP has no real server left"), HasSubstr("fallback Reset"));
  AllUp();
  EXPECT_THAT(EventMessages(), Contains("VIP is served again").Times(1));
}

TEST_F(ReconcilerEventsTest, ServedAgainIsSaidOfAVipThatWasNot) {
  Apply();
  AllUp();
  EXPECT_THAT(EventMessages(), Not(Contains("VIP is served again")));
}

TEST_F(ReconcilerEventsTest, AStateSetByAClientSaysWho) {
  Apply();
  const auto result = reconciler_->SetState({.vip = "web",
                                             .server = "srv-1",
                                             .state = AdminState::kDrain,
                                             .client = "127.0.0.1:40312",
                                             .user = "root\n"});
  ASSERT_TRUE(result.ok());
  reconciler_->Turn();
  EXPECT_EQ(ReasonOf("real server's state was changed"),
            "Online -> Drain by the admin API's client 127.0.0.1:40312 (user root\\n, as it says)");
}

TEST_F(ReconcilerEventsTest, AStateSetByAUserOfTheWebPageSaysWho) {
  Apply();
  const auto result = reconciler_->SetState({.vip = "web",
                                             .server = "srv-1",
                                             .state = AdminState::kDrain,
                                             .client = "10.0.0.9:40312",
                                             .user = "admin",
                                             .signed_in = true});
  ASSERT_TRUE(result.ok());
  reconciler_->Turn();
  EXPECT_EQ(ReasonOf("real server's state was changed"),
            "Online -> Drain by user admin of the web page (10.0.0.9:40312)");
}

TEST_F(ReconcilerEventsTest, AStateOfTheManifestSaysSo) {
  Apply();
  desired_.vips[0].inline_servers[0].spec.state = AdminState::kHalt;
  Apply();
  EXPECT_EQ(ReasonOf("real server's state was changed"), "Online -> Halt by the manifest");
}

TEST_F(ReconcilerEventsTest, AServerThatCannotBeCheckedIsToldOnceAndShown) {
  Apply();
  health::HealthReport report =
      MakeReport(kTarget1, OperationalState::kUnknown, "cannot check 10.0.1.1: grant CAP_NET_RAW");
  report.not_checked = true;
  for (int i = 0; i < 3; ++i) {
    reconciler_->SetHealth(report);
    clock_.Advance(Reconciler::kTick);
    reconciler_->Turn();
  }
  EXPECT_EQ(Server(0).health_reason, report.reason);
  EXPECT_THAT(EventMessages(), ElementsAre("config object added", "real server cannot be checked"));
  EXPECT_THAT(ReasonOf("real server cannot be checked"),
              AllOf(HasSubstr("CAP_NET_RAW"), HasSubstr("it stays Unknown")));
  Report(kTarget1, OperationalState::kUp);
  EXPECT_THAT(EventMessages(), Contains("real server can be checked again"));
}

class TransparentTest : public ReconcilerEventsTest {
 protected:
  TransparentTest() {
    desired_.vips[0].client_address = model::ClientAddress::kTransparent;
    Apply();
    health::HealthReport report = MakeReport(kTarget1, OperationalState::kUp, "seen");
    report.probes = 1;
    reconciler_->SetHealth(report);
    Tick(0, 0);
  }
  void Tick(uint64_t timeouts, uint64_t connects) {
    dataplane::PlaneObservation observation;
    dataplane::ServiceObservation service;
    service.service_id = plane_.plans().back()->services.at(0)->id;
    service.transparent_timeouts_total = timeouts;
    service.connect_latency_buckets[3] = connects;
    observation.services.push_back(service);
    plane_.SetObservation(observation);
    clock_.Advance(Reconciler::kTick);
    reconciler_->Turn();
  }
  std::string Problem() { return reconciler_->View()->vips.at(0).problem; }
};

TEST_F(TransparentTest, TimeoutsWhileChecksSucceedNameTheReturnPath) {
  Tick(0, 5);
  EXPECT_EQ(Problem(), "");
  for (uint64_t timeouts = 1; timeouts < 5; ++timeouts) Tick(timeouts, 5);
  EXPECT_THAT(Problem(), HasSubstr("route to the clients through this host"));
  EXPECT_THAT(EventMessages(), Contains("replies do not come back to this host").Times(1));
  Tick(5, 6);
  EXPECT_EQ(Problem(), "");
  EXPECT_THAT(EventMessages(), Contains("replies come back to this host again"));
}

TEST_F(TransparentTest, ATimeoutAmongSuccessesIsNoReturnPath) {
  Tick(3, 5);
  EXPECT_EQ(Problem(), "");
}

TEST_F(TransparentTest, TimeoutsOfServersThatFailTheirChecksAreNoReturnPath) {
  Report(kTarget1, OperationalState::kDown);
  Tick(3, 0);
  EXPECT_EQ(Problem(), "");
}

}  // namespace
}  // namespace fairlead::controller
