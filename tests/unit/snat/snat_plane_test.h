// A SnatDataPlane of two shards with one service, on loopback: real sockets, real rings; to be
// instantiated for both engines.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "pkg/base/clock.h"
#include "pkg/dataplane/snat/snat_data_plane.h"
#include "tests/unit/snat/loopback.h"

namespace fairlead::dataplane::snat {

class SnatPlaneTest : public testing::TestWithParam<uring::Engine> {
 protected:
  void SetUp() override {
    absl::StatusOr<std::unique_ptr<SnatDataPlane>> plane = SnatDataPlane::Create(
        {.engine = GetParam(), .shards = 2, .sessions_max = 4000, .inherited = {}}, clock_);
    if (!plane.ok()) GTEST_SKIP() << plane.status();
    plane_ = *std::move(plane);
    vip_ = {Loopback(), FreePort()};
    service_.id = 1;
    service_.name = "default/test";
    service_.addresses = {vip_.address};
    service_.ports.Add({vip_.port, vip_.port});
  }

  void AddServer(const std::string& name, const net::Endpoint& endpoint, double weight = 100) {
    PlanServer server;
    server.id = static_cast<uint32_t>(service_.servers.size() + 1);
    server.name = name;
    server.address = endpoint.address;
    server.port = endpoint.port;
    server.weight = weight;
    server.eligibility = model::Eligibility::kAll;
    service_.servers.push_back(server);
  }

  std::shared_ptr<const ForwardingPlan> NextPlan() {
    auto plan = std::make_shared<ForwardingPlan>();
    plan->revision = ++revision_;
    plan->services.push_back(std::make_shared<PlanService>(service_));
    return plan;
  }
  ApplyResult Apply() {
    const ApplyResult result = plane_->Apply(NextPlan());
    while (plane_->Observe().applied_revision < revision_) std::this_thread::yield();
    return result;
  }

  std::string Ask(absl::string_view question) {
    const base::UniqueFd client = Connect(vip_);
    if (!client.valid()) return "<refused>";
    if (!WriteAll(client.get(), question)) return "<error>";
    ::shutdown(client.get(), SHUT_WR);
    return ReadAll(client.get());
  }

  ServiceObservation Observed() { return plane_->Observe().services.at(0); }
  void WaitForNoSessions() {
    for (int i = 0; i < 500 && plane_->Observe().sessions_active > 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_EQ(plane_->Observe().sessions_active, 0);
  }

  const base::SystemClock clock_{};
  std::unique_ptr<SnatDataPlane> plane_;
  net::Endpoint vip_;
  PlanService service_;
  uint64_t revision_ = 0;
};

}  // namespace fairlead::dataplane::snat
