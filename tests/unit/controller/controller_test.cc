// The thread around the reconciler, with the real clock.
#include "pkg/controller/controller.h"

#include <gtest/gtest.h>

#include <functional>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "tests/unit/controller/fakes.h"

namespace fairlead::controller {
namespace {

bool WaitFor(const std::function<bool()>& condition) {
  for (int i = 0; i < 500; ++i) {
    if (condition()) return true;
    absl::SleepFor(absl::Milliseconds(10));
  }
  return false;
}

class ControllerTest : public testing::Test {
 protected:
  ControllerTest() : controller_(*Controller::Create(clock_, plane_)) {
    model::DesiredState desired;
    desired.vips.push_back(MakeVip(2));
    desired_ = std::make_shared<const model::DesiredState>(desired);
  }

  const base::SystemClock clock_;
  FakeDataPlane plane_;
  FakeHealth health_;
  FakeResolver resolver_;
  FakeArp arp_;
  std::unique_ptr<Controller> controller_;
  std::shared_ptr<const model::DesiredState> desired_;
};

TEST_F(ControllerTest, TakesWhatWasPostedBeforeItStarted) {
  controller_->PostDesired(desired_);
  controller_->Start({}, health_, resolver_, arp_);
  EXPECT_TRUE(WaitFor([&] { return controller_->View()->plan_revision == 1; }));
}

TEST_F(ControllerTest, AppliesAnEditSoonerThanTheNextTick) {
  controller_->Start({}, health_, resolver_, arp_);
  const absl::Time before = absl::Now();
  controller_->PostDesired(desired_);
  EXPECT_TRUE(WaitFor([&] { return !plane_.plans().empty(); }));
  EXPECT_LT(absl::Now() - before, absl::Milliseconds(500));
}

TEST_F(ControllerTest, CommandIsInForceWhenItReturns) {
  controller_->Start({}, health_, resolver_, arp_);
  controller_->PostDesired(desired_);
  ASSERT_TRUE(WaitFor([&] { return !plane_.plans().empty(); }));
  const auto result =
      controller_->Execute({.vip = "", .server = "srv-1", .state = model::AdminState::kHalt});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(plane_.plans().back()->services.at(0)->servers.at(0).eligibility,
            model::Eligibility::kNone);
  EXPECT_EQ(controller_->View()->vips.at(0).servers.at(0).admin, model::AdminState::kHalt);
}

TEST_F(ControllerTest, ReportsAndCommandsOfManyThreadsComeToRest) {
  controller_->Start({}, health_, resolver_, arp_);
  controller_->PostDesired(desired_);
  ASSERT_TRUE(WaitFor([&] { return health_.targets().size() == 2; }));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        controller_->PostHealth(
            MakeReport("default/web srv-1 10.0.1.1:80",
                       i % 2 == 0 ? model::OperationalState::kUp : model::OperationalState::kDown,
                       "flapping"));
        if (t == 0 && i % 50 == 0) controller_->PostDesired(desired_);
        controller_->View();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  controller_->PostHealth(
      MakeReport("default/web srv-1 10.0.1.1:80", model::OperationalState::kUp, "at last"));
  EXPECT_TRUE(WaitFor([&] {
    const auto view = controller_->View();
    return view->vips.at(0).servers.at(0).health_reason == "at last";
  }));
}

TEST_F(ControllerTest, ViewOutlivesTheThread) {
  controller_->Start({}, health_, resolver_, arp_);
  controller_->PostDesired(desired_);
  ASSERT_TRUE(WaitFor([&] { return !plane_.plans().empty(); }));
  controller_->Stop();
  EXPECT_EQ(controller_->View()->phase, ControlView::Phase::kStopping);
  EXPECT_EQ(controller_->View()->vips.size(), 1u);
  controller_->Stop();  // once is enough, twice does no harm
}

}  // namespace
}  // namespace fairlead::controller
