#include <filesystem>
#include <memory>
#include <string>

#include "tests/unit/controller/reconciler_testing.h"

namespace fairlead::controller {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(ReconcilerTest, StartsWithoutAPlanAndServesAfterTheFirstReading) {
  reconciler_->Turn();
  EXPECT_THAT(plane_.plans(), IsEmpty());
  EXPECT_EQ(reconciler_->View()->phase, ControlView::Phase::kStarting);
  EXPECT_THAT(reconciler_->View()->warnings, ElementsAre("few descriptors"));
  Apply();
  EXPECT_EQ(plane_.plans().size(), 1u);
  const auto view = reconciler_->View();
  EXPECT_EQ(view->phase, ControlView::Phase::kServing);
  EXPECT_EQ(view->plan_revision, 1u);
  EXPECT_EQ(view->plane.applied_revision, 1u);
  EXPECT_EQ(view->vips.at(0).QualifiedName(), "default/web");
  EXPECT_EQ(view->vips.at(0).addresses.at(0).interface, "eth0");
  EXPECT_EQ(view->vips.at(0).health_check, "TCP on port 80, every 2s");
}

TEST_F(ReconcilerTest, ProbesEveryServerAndFollowsItsFlips) {
  Apply();
  EXPECT_THAT(health_.target_ids(), ElementsAre(kTarget1, kTarget2));
  Report(kTarget1, OperationalState::kUp);
  Report(kTarget2, OperationalState::kDown, /*unreachable=*/true);
  EXPECT_EQ(Planned(0).eligibility, Eligibility::kAll);
  EXPECT_EQ(Planned(1).eligibility, Eligibility::kNone);
  EXPECT_LE(Planned(1).cut_sessions_at, clock_.Monotonic());
  EXPECT_EQ(Server(1).health, OperationalState::kDown);
  EXPECT_EQ(Server(1).health_reason, "seen");
  EXPECT_THAT(EventMessages(),
              ElementsAre("config object added", "real server is up", "real server is down"));
}

TEST_F(ReconcilerTest, ReportThatChangesNothingMakesNoPlan) {
  Apply();
  AllUp();
  const size_t plans = plane_.plans().size();
  AllUp();
  EXPECT_EQ(plane_.plans().size(), plans);
}

TEST_F(ReconcilerTest, LostReportIsReadFromTheSnapshotAtTheNextTick) {
  Apply();
  health_.SetSnapshot({MakeReport(kTarget1, OperationalState::kUp, "seen")});
  reconciler_->Turn();
  EXPECT_EQ(Server(0).health, OperationalState::kUnknown);
  clock_.Advance(Reconciler::kTick);
  reconciler_->Turn();
  EXPECT_EQ(Server(0).health, OperationalState::kUp);
}

TEST_F(ReconcilerTest, HealthSurvivesEditsOfOtherThings) {
  Apply();
  AllUp();
  const int set_count = health_.set_count();
  desired_.vips[0].scheduler = model::Scheduler::kSourceHash;
  desired_.vips[0].inline_servers[0].spec.weight = 1;
  Apply();
  EXPECT_EQ(health_.set_count(), set_count);
  EXPECT_EQ(Server(0).health, OperationalState::kUp);
  EXPECT_EQ(Planned(0).weight, 1);
}

TEST_F(ReconcilerTest, ServerThatMovedStartsWithoutAVerdict) {
  Apply();
  AllUp();
  desired_.vips[0].inline_servers[0].spec.address = *net::IpAddress::Parse("10.0.1.9");
  Apply();
  EXPECT_EQ(Server(0).health, OperationalState::kUnknown);
  EXPECT_EQ(Server(1).health, OperationalState::kUp);
  // A late report about the old address is ignored.
  Report(kTarget1, OperationalState::kUp);
  EXPECT_EQ(Server(0).health, OperationalState::kUnknown);
}

TEST_F(ReconcilerTest, ChecksEachPortOnItsOwn) {
  desired_.vips[0].health_check.each_port = true;
  desired_.vips[0].health_check.port = 0;
  Apply();
  ASSERT_EQ(health_.targets().size(), 4u);
  AllUp();
  Report("default/web srv-1 10.0.1.1:443", OperationalState::kDown);
  EXPECT_EQ(Server(0).health, OperationalState::kUp);
  EXPECT_EQ(Server(0).ports_down, "443");
  EXPECT_EQ(Planned(0).usable_ports.ToString(), "80");
  Report(kTarget1, OperationalState::kDown);
  EXPECT_EQ(Server(0).health, OperationalState::kDown);
}

TEST_F(ReconcilerTest, DisabledVipIsNeitherServedNorChecked) {
  desired_.vips[0].enabled = false;
  Apply();
  EXPECT_THAT(health_.targets(), IsEmpty());
  EXPECT_THAT(plane_.plans().back()->services, IsEmpty());
  EXPECT_THAT(reconciler_->View()->vips.at(0).problem, HasSubstr("disabled"));
}

TEST_F(ReconcilerTest, DrainKeepsCheckingHaltDoesNot) {
  Apply();
  AllUp();
  const SetServerStateResult drained = Set("srv-1", AdminState::kDrain);
  EXPECT_THAT(drained.message, HasSubstr("srv-1 of VIP default/web: Online -> Drain"));
  EXPECT_EQ(drained.changes.at(0).deadline, clock_.Now() + absl::Seconds(300));
  EXPECT_EQ(Planned(0).eligibility, Eligibility::kPersistentOnly);
  EXPECT_EQ(health_.targets().size(), 2u);
  Set("srv-1", AdminState::kHalt);
  EXPECT_EQ(Planned(0).eligibility, Eligibility::kNone);
  EXPECT_THAT(health_.target_ids(), ElementsAre(kTarget2));
  EXPECT_EQ(Server(0).health, OperationalState::kUnknown);
  Set("srv-1", AdminState::kOnline);
  EXPECT_EQ(health_.targets().size(), 2u);
  EXPECT_FALSE(Server(0).set_here);
}

TEST_F(ReconcilerTest, DrainDeadlineEndsServiceForPersistentClients) {
  Apply();
  AllUp();
  Set("srv-1", AdminState::kDrain);
  const absl::Duration wake = reconciler_->Turn();
  EXPECT_LE(wake, clock_.Monotonic() + absl::Seconds(300));
  clock_.Advance(absl::Seconds(300));
  reconciler_->Turn();
  EXPECT_EQ(Planned(0).eligibility, Eligibility::kNone);
}

TEST_F(ReconcilerTest, OperatorsStateSurvivesARestartWithItsDeadline) {
  Apply();
  Set("srv-1", AdminState::kDrain);
  clock_.Advance(absl::Seconds(100));
  Restart();
  Apply();
  EXPECT_EQ(Server(0).admin, AdminState::kDrain);
  EXPECT_TRUE(Server(0).set_here);
  EXPECT_EQ(Server(0).admin_in_manifest, AdminState::kOnline);
  EXPECT_EQ(Server(0).deadline, clock_.Now() + absl::Seconds(200));
  EXPECT_EQ(Planned(0).cut_sessions_at, clock_.Monotonic() + absl::Seconds(200));
}

TEST_F(ReconcilerTest, ManifestWinsWhenItsOwnStateChanges) {
  Apply();
  Set("srv-1", AdminState::kDrain);
  desired_.vips[0].inline_servers[0].spec.weight = 50;  // another edit does not matter
  Apply();
  EXPECT_EQ(Server(0).admin, AdminState::kDrain);
  desired_.vips[0].inline_servers[0].spec.state = AdminState::kHalt;
  Apply();
  EXPECT_EQ(Server(0).admin, AdminState::kHalt);
  EXPECT_FALSE(Server(0).set_here);
  Restart();
  Apply();
  EXPECT_FALSE(Server(0).set_here);
}

TEST_F(ReconcilerTest, ManifestWinsAlsoWhenItChangedWhileTheDaemonWasDown) {
  Apply();
  Set("srv-1", AdminState::kDrain);
  desired_.vips[0].inline_servers[0].spec.state = AdminState::kHalt;
  Restart();
  Apply();
  EXPECT_EQ(Server(0).admin, AdminState::kHalt);
  EXPECT_FALSE(Server(0).set_here);
}

TEST_F(ReconcilerTest, OperatorsStateIsVoidForAnotherAddress) {
  Apply();
  Set("srv-1", AdminState::kDrain);
  desired_.vips[0].inline_servers[0].spec.address = *net::IpAddress::Parse("10.0.1.9");
  Apply();
  EXPECT_EQ(Server(0).admin, AdminState::kOnline);
}

TEST_F(ReconcilerTest, OperatorsStateComesBackWithItsServer) {
  Apply();
  Set("srv-1", AdminState::kDrain);
  const model::Vip vip = desired_.vips[0];
  desired_.vips.clear();
  Apply();
  desired_.vips.push_back(vip);
  Apply();
  EXPECT_EQ(Server(0).admin, AdminState::kDrain);
}

TEST_F(ReconcilerTest, OperatorsStateIsInForceWhenItCannotBeKept) {
  std::filesystem::create_directories(directory_);
  std::filesystem::remove_all(directory_);
  {
    // A file where the directory should be: not writable for anybody, root included.
    FILE* file = ::fopen(directory_.c_str(), "w");
    ASSERT_NE(file, nullptr);
    ::fclose(file);
  }
  Restart();
  EXPECT_THAT(reconciler_->View()->warnings.back(), HasSubstr("forgotten at a restart"));
  Apply();
  const SetServerStateResult result = Set("srv-1", AdminState::kDrain);
  EXPECT_THAT(result.warning, HasSubstr("will be forgotten at a restart"));
  EXPECT_EQ(Server(0).admin, AdminState::kDrain);
  std::filesystem::remove(directory_);
}

TEST_F(ReconcilerTest, FindsServersByAddressAndSuggestsNames) {
  Apply();
  const auto by_address =
      reconciler_->SetState({.vip = "", .server = "10.0.1.2", .state = AdminState::kDrain});
  ASSERT_TRUE(by_address.ok());
  EXPECT_EQ(by_address->changes.at(0).server, "srv-2");
  const auto misspelt =
      reconciler_->SetState({.vip = "", .server = "srv_1", .state = AdminState::kDrain});
  EXPECT_EQ(misspelt.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(misspelt.status().message()), HasSubstr("did you mean \"srv-1\"?"));
  const auto no_vip =
      reconciler_->SetState({.vip = "wep", .server = "srv-1", .state = AdminState::kDrain});
  EXPECT_THAT(std::string(no_vip.status().message()), HasSubstr("there are: default/web"));
}

TEST_F(ReconcilerTest, SaysWhenNoServerIsLeft) {
  Apply();
  AllUp();
  EXPECT_THAT(Set("srv-1", AdminState::kDrain).message, testing::Not(HasSubstr("attention")));
  EXPECT_THAT(Set("srv-2", AdminState::kDrain).message, HasSubstr("attention: no real server"));
}

TEST_F(ReconcilerTest, TriesAgainWhatTheDataPlaneCouldNotDo) {
  plane_.FailService("default/web", absl::UnavailableError("bind 10.0.0.1:80: in use"));
  Apply();
  EXPECT_EQ(reconciler_->View()->vips.at(0).problem, "bind 10.0.0.1:80: in use");
  const size_t plans = plane_.plans().size();
  clock_.Advance(Reconciler::kApplyRetry / 2);
  reconciler_->Turn();
  EXPECT_EQ(plane_.plans().size(), plans);
  plane_.FailService("", absl::OkStatus());
  clock_.Advance(Reconciler::kApplyRetry);
  reconciler_->Turn();
  EXPECT_EQ(plane_.plans().size(), plans + 1);
  EXPECT_EQ(reconciler_->View()->vips.at(0).problem, "");
  EXPECT_THAT(EventMessages(),
              ElementsAre("config object added", "VIP is not fully served", "VIP is served again"));
  clock_.Advance(Reconciler::kApplyRetry * 2);
  reconciler_->Turn();
  EXPECT_EQ(plane_.plans().size(), plans + 1);
}

TEST_F(ReconcilerTest, LooksForAMissingAddressUntilItIsThere) {
  plane_.SetInterface("");
  Apply();
  EXPECT_THAT(EventMessages(),
              ElementsAre("config object added", "VIP address is not on this host"));
  plane_.SetInterface("eth1");
  clock_.Advance(Reconciler::kApplyRetry);
  reconciler_->Turn();
  EXPECT_EQ(reconciler_->View()->vips.at(0).addresses.at(0).interface, "eth1");
  EXPECT_THAT(EventMessages().back(), "VIP addresses are on this host");
}

TEST_F(ReconcilerTest, ServerThatComesBackStartsSlowly) {
  desired_.vips[0].slow_start = absl::Seconds(10);
  Apply();
  AllUp();
  EXPECT_EQ(Planned(0).weight, 100);  // never at process start
  Report(kTarget1, OperationalState::kDown);
  Report(kTarget1, OperationalState::kUp);
  EXPECT_EQ(Planned(0).weight, 5);
  clock_.Advance(absl::Seconds(1));
  reconciler_->Turn();
  EXPECT_EQ(Planned(0).weight, 15);
  clock_.Advance(absl::Seconds(9));
  reconciler_->Turn();
  EXPECT_EQ(Planned(0).weight, 100);
}

TEST_F(ReconcilerTest, ServerAddedToARunningVipStartsSlowly) {
  desired_.vips[0].slow_start = absl::Seconds(10);
  Apply();
  AllUp();
  desired_.vips[0].inline_servers = MakeVip(3).inline_servers;
  Apply();
  Report("default/web srv-3 10.0.1.3:80", OperationalState::kUp);
  EXPECT_EQ(Planned(2).weight, 5);
  EXPECT_EQ(Planned(0).weight, 100);
}

TEST_F(ReconcilerTest, CountersAreThoseOfTheMomentOfAsking) {
  Apply();
  dataplane::PlaneObservation observation;
  dataplane::ServiceObservation service;
  service.service_id = plane_.plans().back()->services.at(0)->id;
  service.connections_active = 3;
  dataplane::ServerObservation server;
  server.server_id = Planned(1).id;
  server.connections_active = 2;
  service.servers.push_back(server);
  observation.services.push_back(service);
  plane_.SetObservation(observation);
  EXPECT_EQ(reconciler_->View()->vips.at(0).counters.connections_active, 3u);
  EXPECT_EQ(Server(1).counters.connections_active, 2u);
  EXPECT_EQ(Server(0).counters.connections_active, 0u);
}

TEST_F(ReconcilerTest, StoppingGoesOnFollowingHealth) {
  Apply();
  AllUp();
  reconciler_->BeginStop();
  EXPECT_EQ(reconciler_->View()->phase, ControlView::Phase::kStopping);
  Report(kTarget1, OperationalState::kDown, /*unreachable=*/true);
  EXPECT_EQ(Server(0).health, OperationalState::kDown);
  EXPECT_LE(Planned(0).cut_sessions_at, clock_.Monotonic());
  EXPECT_EQ(reconciler_->View()->phase, ControlView::Phase::kStopping);
}

TEST_F(ReconcilerTest, StoppingSaysNothingOfListeners) {
  plane_.FailService("default/web", absl::UnavailableError("bind 10.0.0.1:80: in use"));
  Apply();
  AllUp();
  reconciler_->BeginStop();
  plane_.FailService("", absl::OkStatus());
  Report(kTarget1, OperationalState::kDown);
  EXPECT_EQ(EventMessages().back(), "real server is down");
}

}  // namespace
}  // namespace fairlead::controller
