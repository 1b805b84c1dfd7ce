#include "pkg/dataplane/split_data_plane.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace fairlead::dataplane {
namespace {

using testing::ElementsAre;

// Remembers what it was told, and says what it was told to say.
class RecordingPlane final : public DataPlane {
 public:
  RecordingPlane(std::string name, std::vector<std::string>* calls)
      : name_(std::move(name)), calls_(*calls) {}

  ApplyResult Apply(std::shared_ptr<const ForwardingPlan> plan) override {
    calls_.push_back(name_);
    ApplyResult result;
    result.revision = plan->revision;
    for (const auto& service : plan->services) {
      calls_.back() += " " + service->name;
      result.services.push_back({service->id, absl::InternalError(name_), {}});
    }
    observation.applied_revision = plan->revision;
    return result;
  }
  PlaneObservation Observe() const override { return observation; }
  absl::StatusOr<Explanation> Explain(const net::Endpoint&, const net::Endpoint&) const override {
    return explanation;
  }
  void Stop(absl::Duration) override { calls_.push_back(name_ + " stop"); }

  PlaneObservation observation;
  absl::StatusOr<Explanation> explanation = absl::NotFoundError("not mine");

 private:
  const std::string name_;
  std::vector<std::string>& calls_;
};

std::shared_ptr<const PlanService> Service(uint32_t id, const std::string& name, model::Mode mode) {
  auto service = std::make_shared<PlanService>();
  service->id = id;
  service->name = name;
  service->mode = mode;
  return service;
}

class SplitDataPlaneTest : public testing::Test {
 protected:
  std::vector<std::string> calls_;
  RecordingPlane snat_{"snat", &calls_};
  RecordingPlane dr_{"dr", &calls_};
  SplitDataPlane split_{snat_, dr_};
};

TEST_F(SplitDataPlaneTest, AVipGoesToThePlaneOfItsMode) {
  auto plan = std::make_shared<ForwardingPlan>();
  plan->revision = 7;
  plan->services = {Service(1, "a", model::Mode::kDr), Service(2, "b", model::Mode::kSnat),
                    Service(3, "c", model::Mode::kDr)};
  const ApplyResult result = split_.Apply(plan);
  EXPECT_THAT(calls_, ElementsAre("snat b", "dr a c"));
  EXPECT_EQ(result.revision, 7u);
  ASSERT_EQ(result.services.size(), 3u);
  EXPECT_EQ(result.services[0].service_id, 1u);
  EXPECT_EQ(result.services[0].status.message(), "dr");
  EXPECT_EQ(result.services[1].status.message(), "snat");
  EXPECT_EQ(result.services[2].service_id, 3u);
}

TEST_F(SplitDataPlaneTest, ObservesBothAndTheOlderRevision) {
  snat_.observation.engine = "io_uring";
  snat_.observation.applied_revision = 4;
  dr_.observation.applied_revision = 3;
  ServiceObservation service;
  service.service_id = 1;
  snat_.observation.services = {service};
  service.service_id = 2;
  dr_.observation.services = {service};
  dr_.observation.interfaces = {{"eth0", "native", "", true, ""}};
  dr_.observation.packets = {{"not_ours", "", 5}};
  const PlaneObservation observed = split_.Observe();
  EXPECT_EQ(observed.engine, "io_uring");
  EXPECT_EQ(observed.applied_revision, 3u);
  EXPECT_EQ(observed.services.size(), 2u);
  EXPECT_EQ(observed.interfaces.size(), 1u);
  EXPECT_EQ(observed.packets.size(), 1u);
}

TEST_F(SplitDataPlaneTest, ExplainsByThePlaneThatKnowsTheVip) {
  EXPECT_TRUE(absl::IsNotFound(split_.Explain({}, {}).status()));
  Explanation explanation;
  explanation.server = "of snat";
  snat_.explanation = explanation;
  EXPECT_EQ(split_.Explain({}, {})->server, "of snat");
  explanation.server = "of dr";
  dr_.explanation = explanation;
  EXPECT_EQ(split_.Explain({}, {})->server, "of dr");
}

}  // namespace
}  // namespace fairlead::dataplane
