// The fixture of the reconciler's tests: VIP default/web with two real servers on fakes.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "pkg/controller/reconciler.h"
#include "tests/unit/controller/fakes.h"

namespace fairlead::controller {

using model::AdminState;
using model::Eligibility;
using model::OperationalState;

inline constexpr char kTarget1[] = "default/web srv-1 10.0.1.1:80";
inline constexpr char kTarget2[] = "default/web srv-2 10.0.1.2:80";

class ReconcilerTest : public testing::Test {
 protected:
  ReconcilerTest()
      : directory_(testing::TempDir() + "/" +
                   testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(directory_);
    Restart();
    desired_.vips.push_back(MakeVip(2));
  }

  void Restart() {
    reconciler_ = std::make_unique<Reconciler>(
        ReconcilerOptions{.state_directory = directory_, .host_warnings = {"few descriptors"}},
        clock_, plane_, health_, resolver_, arp_);
    reconciler_->Restore();
  }
  void Apply() {
    reconciler_->SetDesired(std::make_shared<const model::DesiredState>(desired_));
    reconciler_->Turn();
  }
  void Report(const std::string& target, OperationalState state, bool unreachable = false) {
    reconciler_->SetHealth(MakeReport(target, state, "seen", unreachable));
    reconciler_->Turn();
  }
  void AllUp() {
    for (const std::string& id : health_.target_ids()) Report(id, OperationalState::kUp);
  }
  SetServerStateResult Set(const std::string& server, AdminState state) {
    auto result = reconciler_->SetState({.vip = "web", .server = server, .state = state});
    EXPECT_TRUE(result.ok()) << result.status();
    reconciler_->Turn();
    return result.ok() ? *result : SetServerStateResult();
  }
  const dataplane::PlanServer& Planned(size_t index) {
    last_plan_ = plane_.plans().back();
    return last_plan_->services.at(0)->servers.at(index);
  }
  ServerView Server(size_t index) { return reconciler_->View()->vips.at(0).servers.at(index); }
  std::vector<std::string> EventMessages() {
    std::vector<std::string> messages;
    const auto view = reconciler_->View();
    for (const EventView& event : view->events) messages.push_back(event.message);
    return messages;
  }

  // The reason of the newest event with this message; "" when there is none.
  std::string ReasonOf(const std::string& message) {
    std::string reason;
    const auto view = reconciler_->View();
    for (const EventView& event : view->events) {
      if (event.message == message) reason = event.reason;
    }
    return reason;
  }

  const std::string directory_;
  FakeClock clock_;
  FakeDataPlane plane_;
  FakeHealth health_;
  FakeResolver resolver_;
  FakeArp arp_;
  std::unique_ptr<Reconciler> reconciler_;
  model::DesiredState desired_;
  std::shared_ptr<const dataplane::ForwardingPlan> last_plan_;
};

}  // namespace fairlead::controller
