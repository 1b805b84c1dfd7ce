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
    last_plan = plan;
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

  std::shared_ptr<const ForwardingPlan> last_plan;
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

std::shared_ptr<const PlanService> Auto(uint32_t id, const std::string& name, DirectPart part) {
  auto service = std::make_shared<PlanService>(*Service(id, name, model::Mode::kAuto));
  service->direct_part = part;
  return service;
}

std::shared_ptr<const ForwardingPlan> Plan(
    std::vector<std::shared_ptr<const PlanService>> services) {
  auto plan = std::make_shared<ForwardingPlan>();
  plan->services = std::move(services);
  return plan;
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

TEST_F(SplitDataPlaneTest, AnAutoVipIsInBothAndTheProxysOutcomeIsItsOwn) {
  const ApplyResult result =
      split_.Apply(Plan({Auto(1, "a", DirectPart::kForward), Auto(2, "b", DirectPart::kNone),
                         Auto(3, "c", DirectPart::kLook)}));
  EXPECT_THAT(calls_, ElementsAre("snat a b c", "dr a c")) << "the listeners first";
  EXPECT_EQ(result.services[0].status.message(), "snat");
  EXPECT_EQ(result.services[0].direct_status.message(), "dr");
  EXPECT_EQ(result.services[1].status.message(), "snat");
  EXPECT_TRUE(result.services[1].direct_status.ok());
}

// By its pointer a plane knows that a service is the same, and keeps what it made of it.
TEST_F(SplitDataPlaneTest, HalvesOfAnUnchangedServiceAreTheSameObjects) {
  const auto service = Auto(1, "a", DirectPart::kForward);
  split_.Apply(Plan({service}));
  const auto proxy = snat_.last_plan->services[0];
  const auto direct = dr_.last_plan->services[0];
  split_.Apply(Plan({service, Service(2, "b", model::Mode::kSnat)}));
  EXPECT_EQ(snat_.last_plan->services[0], proxy);
  EXPECT_EQ(dr_.last_plan->services[0], direct);
  split_.Apply(Plan({Auto(1, "a", DirectPart::kForward)}));
  EXPECT_NE(snat_.last_plan->services[0], proxy);
}

ServerObservation Seen(uint32_t id, uint64_t connections, uint64_t bytes) {
  ServerObservation server;
  server.server_id = id;
  server.connections_active = server.connections_total = connections;
  server.bytes_to_server_total = bytes;
  server.way_problem = "";
  return server;
}

TEST_F(SplitDataPlaneTest, WhatBothPlanesHaveOfAServerIsAddedUp) {
  split_.Apply(Plan({Auto(1, "a", DirectPart::kForward), Service(2, "b", model::Mode::kDr)}));
  ServiceObservation proxied;
  proxied.service_id = 1;
  proxied.connections_total = 7;
  proxied.queue_length = 2;
  proxied.servers = {Seen(11, 3, 300), Seen(12, 4, 400)};
  proxied.servers[0].way_problem.reset();
  snat_.observation.services = {proxied};
  ServiceObservation direct;
  direct.service_id = 1;
  direct.connections_total = 27;
  // This host: 7 that the proxy has counted.
  direct.servers = {Seen(11, 20, 2000), Seen(13, 0, 0), Seen(kThisHostId, 7, 700)};
  direct.servers[1].problem = "no ARP";
  direct.servers[1].way_problem = "no ARP";
  ServiceObservation all_direct;
  all_direct.service_id = 2;
  all_direct.servers = {Seen(21, 1, 1)};
  all_direct.servers[0].problem = "behind a router";
  dr_.observation.services = {direct, all_direct};

  const PlaneObservation observed = split_.Observe();
  ASSERT_EQ(observed.services.size(), 2u);
  const ServiceObservation& sum = observed.services[0];
  EXPECT_EQ(sum.connections_total, 27u);
  EXPECT_EQ(sum.queue_length, 2u);
  ASSERT_EQ(sum.servers.size(), 3u);
  EXPECT_EQ(sum.servers[0].server_id, 11u);
  EXPECT_EQ(sum.servers[0].connections_total, 23u);
  EXPECT_EQ(sum.servers[0].connections_active, 23u);
  EXPECT_EQ(sum.servers[0].bytes_to_server_total, 2300u);
  EXPECT_EQ(sum.servers[0].way_problem, "");
  EXPECT_EQ(sum.servers[1].connections_total, 4u);
  EXPECT_EQ(sum.servers[2].server_id, 13u);
  EXPECT_EQ(sum.servers[2].problem, "") << "it is proxied";
  EXPECT_EQ(sum.servers[2].way_problem, "no ARP");
  EXPECT_EQ(observed.services[1].servers[0].problem, "behind a router");
}

TEST_F(SplitDataPlaneTest, OnlyADirectServersConnectionsAreNotKnown) {
  auto service = std::make_shared<PlanService>(*Auto(1, "a", DirectPart::kForward));
  service->servers.resize(2);
  service->servers[0].id = 11;
  service->servers[0].way = Way::kDirect;
  service->servers[1].id = 12;
  service->servers[1].way = Way::kProxy;
  ServiceObservation seen;
  seen.service_id = 1;
  seen.servers = {Seen(11, 1, 1), Seen(12, 2, 2)};
  snat_.observation.services = {seen};
  seen.counts_active = false;
  for (ServerObservation& server : seen.servers) server.counts_active = false;
  seen.servers[0].handshakes = HandshakesObservation{9, 8};
  seen.servers[0].direct_path = DirectPath{.ifindex = 5};
  dr_.observation.services = {seen};

  split_.Apply(Plan({service}));
  ServiceObservation sum = split_.Observe().services.at(0);
  EXPECT_FALSE(sum.counts_active);
  EXPECT_FALSE(sum.servers.at(0).counts_active);
  EXPECT_TRUE(sum.servers.at(1).counts_active);
  EXPECT_EQ(sum.servers.at(0).handshakes->watched_total, 9u);
  EXPECT_EQ(sum.servers.at(0).direct_path->ifindex, 5u);

  service = std::make_shared<PlanService>(*service);
  service->servers[0].way = Way::kProxy;
  split_.Apply(Plan({service}));
  EXPECT_TRUE(split_.Observe().services.at(0).counts_active);
}

// Until its last session through the proxy has ended, a VIP that changed to DR is in both planes.
TEST_F(SplitDataPlaneTest, WhatDirectRoutingRefusesIsSaidAlsoWhileTheProxyHasSessions) {
  split_.Apply(Plan({Service(1, "a", model::Mode::kDr)}));
  ServiceObservation seen;
  seen.service_id = 1;
  seen.fallback_total = 2;
  seen.rejections_total[static_cast<size_t>(Rejection::kVipLimit)] = 3;
  snat_.observation.services = {seen};
  seen.fallback_problem = "behind a router";
  dr_.observation.services = {seen};
  const ServiceObservation sum = split_.Observe().services.at(0);
  EXPECT_EQ(sum.fallback_total, 4u);
  EXPECT_EQ(sum.fallback_problem, "behind a router");
  EXPECT_EQ(sum.rejections_total[static_cast<size_t>(Rejection::kVipLimit)], 6u);
}

TEST_F(SplitDataPlaneTest, WhoIsPassedUpIsExplainedByTheProxyToo) {
  Explanation direct;
  direct.reason = "this host owns slot 5";
  direct.details = {"srv-1"};
  direct.passed_up = true;
  dr_.explanation = direct;
  EXPECT_EQ(split_.Explain({}, {})->reason, "this host owns slot 5") << "no VIP of the proxy";
  Explanation proxied;
  proxied.server = "srv-2";
  proxied.reason = "it is its turn";
  proxied.details = {"srv-2"};
  snat_.explanation = proxied;
  const auto both = split_.Explain({}, {});
  EXPECT_EQ(both->server, "srv-2");
  EXPECT_EQ(both->reason, "this host owns slot 5; there it is its turn");
  EXPECT_THAT(both->details, ElementsAre("srv-1", "srv-2"));
  dr_.explanation = absl::FailedPreconditionError("the program is not loaded");
  EXPECT_EQ(split_.Explain({}, {})->reason, "it is its turn");
  snat_.explanation = absl::NotFoundError("not mine");
  EXPECT_EQ(split_.Explain({}, {}).status().message(), "the program is not loaded");
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
