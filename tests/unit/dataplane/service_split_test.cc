#include "pkg/dataplane/service_split.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace fairlead::dataplane {
namespace {

using model::Eligibility;
using model::OperationalState;

PlanServer Server(const std::string& name, Way way, double weight) {
  PlanServer server;
  server.id = name.back();
  server.name = name;
  server.way = way;
  server.weight = weight;
  server.eligibility = Eligibility::kAll;
  server.operational = OperationalState::kUp;
  server.direct_path = way == Way::kDirect ? OperationalState::kUp : OperationalState::kUnknown;
  return server;
}

PlanService Mixed() {
  PlanService service;
  service.name = "default/web";
  service.mode = model::Mode::kAuto;
  service.fallback.action = model::Fallback::Action::kDrop;
  service.servers = {Server("srv-1", Way::kDirect, 10), Server("srv-2", Way::kProxy, 20),
                     Server("srv-3", Way::kProxy, 30)};
  return service;
}

TEST(ProxyHalfTest, NewClientsGetTheProxiedServersAndBoundOnesTheirs) {
  const auto half = ProxyHalf(Mixed());
  ASSERT_EQ(half->servers.size(), 3u);
  // Still there: its sessions are not those of a server that left.
  EXPECT_EQ(half->servers[0].eligibility, Eligibility::kPersistentOnly);
  EXPECT_EQ(half->servers[0].weight, 0);
  EXPECT_EQ(half->servers[1], Mixed().servers[1]);
  EXPECT_EQ(half->servers[2], Mixed().servers[2]);
  EXPECT_EQ(half->fallback, Mixed().fallback);
}

TEST(ProxyHalfTest, WhileNoProxiedServerMayServeTheDirectOnesDo) {
  PlanService service = Mixed();
  service.servers[1].eligibility = Eligibility::kNone;
  service.servers[2].eligibility = Eligibility::kPersistentOnly;
  const auto half = ProxyHalf(service);
  EXPECT_EQ(half->servers, service.servers);
}

TEST(ProxyHalfTest, ADirectServerThatMayNotServeMayNotHere) {
  PlanService service = Mixed();
  service.servers[0].eligibility = Eligibility::kNone;
  EXPECT_EQ(ProxyHalf(service)->servers[0].eligibility, Eligibility::kNone);
}

TEST(DirectHalfTest, ThisHostStandsForTheProxiedServers) {
  PlanService service = Mixed();
  service.servers[1].connections_max = 5;
  service.servers[2].connections_max = 7;
  const auto half = DirectHalf(service);
  ASSERT_EQ(half->servers.size(), 4u);
  EXPECT_EQ(half->servers[0], service.servers[0]);
  const PlanServer& host = half->servers[3];
  EXPECT_TRUE(host.this_host);
  EXPECT_EQ(host.id, kThisHostId);
  EXPECT_EQ(host.name, kThisHost);
  EXPECT_EQ(host.weight, 50);
  EXPECT_EQ(host.connections_max, 12u);
  EXPECT_EQ(host.eligibility, Eligibility::kAll);
  EXPECT_EQ(host.operational, OperationalState::kUp);
  service.servers[2].connections_max = 0;
  EXPECT_EQ(DirectHalf(service)->servers[3].connections_max, 0u) << "one has no limit";
  service.servers[2].eligibility = Eligibility::kNone;
  EXPECT_EQ(DirectHalf(service)->servers[3].weight, 20);
  EXPECT_EQ(DirectHalf(service)->servers[3].connections_max, 5u);
  service.servers[1].way = service.servers[2].way = Way::kDirect;
  EXPECT_EQ(DirectHalf(service)->servers[3].weight, 0);
}

TEST(DirectHalfTest, AProxiedServerTakesNoNewFlowsAndKeepsItsOwn) {
  const auto half = DirectHalf(Mixed());
  for (const size_t i : {1, 2}) {
    EXPECT_EQ(half->servers[i].weight, 0);
    EXPECT_EQ(half->servers[i].eligibility, Eligibility::kPersistentOnly);
    EXPECT_NE(half->servers[i].operational, OperationalState::kDown);
  }
}

// Operational:  what either check says, the worse one.
TEST(DirectHalfTest, TheWorseOfBothChecksCounts) {
  using S = OperationalState;
  const struct {
    S operational, direct_path, joined;
  } cases[] = {
      {S::kUp, S::kUp, S::kUp},          {S::kUp, S::kUnknown, S::kUnknown},
      {S::kUp, S::kDown, S::kDown},      {S::kUnknown, S::kUp, S::kUnknown},
      {S::kUnknown, S::kDown, S::kDown}, {S::kUnknown, S::kUnknown, S::kUnknown},
      {S::kDown, S::kUp, S::kDown},      {S::kDown, S::kUnknown, S::kDown},
      {S::kDown, S::kDown, S::kDown},
  };
  for (const auto& cell : cases) {
    PlanService service = Mixed();
    service.servers[0].operational = cell.operational;
    service.servers[0].direct_path = cell.direct_path;
    EXPECT_EQ(DirectHalf(service)->servers[0].operational, cell.joined)
        << model::OperationalStateName(cell.operational) << " "
        << model::OperationalStateName(cell.direct_path);
  }
}

TEST(DirectHalfTest, TheFallbackIsTheProxys) {
  EXPECT_EQ(DirectHalf(Mixed())->fallback.action, model::Fallback::Action::kReset);
}

}  // namespace
}  // namespace fairlead::dataplane
