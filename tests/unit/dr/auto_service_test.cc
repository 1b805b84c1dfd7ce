// A service in mode Auto from its half of the plan to the ring, and what `explain` says of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "pkg/dataplane/dr/explain.h"
#include "pkg/dataplane/dr/map_writer.h"
#include "pkg/dataplane/dr/plan_translation.h"
#include "pkg/dataplane/service_split.h"
#include "tests/unit/dr/memory_map_store.h"

namespace fairlead::dataplane::dr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr absl::Duration kNow = absl::Seconds(1000);

class AutoServiceTest : public testing::Test {
 protected:
  AutoServiceTest() {
    service_.name = "default/web";
    service_.mode = model::Mode::kAuto;
    service_.addresses = {*net::IpAddress::Parse("10.0.0.1")};
    service_.ports = *net::PortSet::Parse("80");
    service_.scheduler = model::Scheduler::kMaglev;
    for (const uint32_t i : {1, 2}) {
      PlanServer server;
      server.id = i;
      server.name = "srv-" + std::to_string(i);
      server.address = *net::IpAddress::Parse("10.0.0.1" + std::to_string(i));
      server.weight = 100;
      server.eligibility = model::Eligibility::kAll;
      server.operational = model::OperationalState::kUp;
      service_.servers.push_back(server);
    }
    Apply();
  }

  PlanServer& server(size_t i) { return service_.servers[i - 1]; }
  void GoDirectly(size_t i) {
    server(i).way = Way::kDirect;
    server(i).direct_path = model::OperationalState::kUp;
    Apply();
  }
  void GoByProxy(size_t i) {
    server(i).way = Way::kProxy;
    server(i).way_reason = "its port is translated";
    Apply();
  }
  void Apply() {
    half_ = DirectHalf(service_);
    const ServerLinks links = {{kThisHostId, {.local = true}},
                               {1, {.mac = {2, 0, 0, 0, 0, 1}, .ifindex = 2}},
                               {2, {.mac = {2, 0, 0, 0, 0, 2}, .ifindex = 2}}};
    for (const absl::Status& status : writer_.Apply(TranslateService(*half_, links, kNow), kNow)) {
      ASSERT_TRUE(status.ok()) << status;
    }
  }
  const RingState& Ring() { return writer_.RingOf(writer_.ServiceIndex("default/web TCP IPv4")); }
  uint32_t IndexOf(const std::string& name) { return writer_.ServerIndex("default/web", name); }
  // Owner -> share of the ring's slots.
  std::map<uint32_t, double> Shares(const std::vector<uint16_t>& ring) {
    std::map<uint32_t, double> shares;
    for (const uint16_t slot : ring) {
      shares[slot & bpf::kDrSlotServer] += 1.0 / static_cast<double>(ring.size());
    }
    return shares;
  }
  bool Usable(const std::string& name) {
    return (store_.tables().servers[IndexOf(name)].flags & bpf::kDrServerUsable) != 0;
  }
  Explanation Explain(uint16_t port) {
    return ExplainFlow({.service = *half_,
                        .client = {*net::IpAddress::Parse("10.9.0.1"), port},
                        .vip = {*net::IpAddress::Parse("10.0.0.1"), 80},
                        .problems = problems_,
                        .tables = store_.tables(),
                        .flows = store_.flows(),
                        .writer = writer_});
  }

  MemoryMapStore store_;
  MapWriter writer_{store_, {1, 2}};
  PlanService service_;
  std::shared_ptr<const PlanService> half_;
  std::map<uint32_t, std::string> problems_;
};

TEST_F(AutoServiceTest, BeforeTheFirstDirectServerThisHostHasTheWholeRing) {
  EXPECT_EQ(Shares(Ring().present).at(IndexOf("this host")), 1);
  EXPECT_EQ(store_.tables().servers[IndexOf("this host")].flags,
            bpf::kDrServerUsable | bpf::kDrServerLocal);
}

// In a slot that changes hands packets without a record follow the base ring: proxied flows go on
// to this host.
TEST_F(AutoServiceTest, AServerThatBecomesDirectTakesNoFlowFromTheProxy) {
  GoDirectly(1);
  const auto shares = Shares(Ring().present);
  EXPECT_NEAR(shares.at(IndexOf("srv-1")), 0.5, 0.02);
  EXPECT_NEAR(shares.at(IndexOf("this host")), 0.5, 0.02);
  EXPECT_EQ(Shares(Ring().base).at(IndexOf("this host")), 1);
  for (const uint16_t slot : Ring().present) {
    EXPECT_EQ((slot & bpf::kDrSlotDirty) != 0, (slot & bpf::kDrSlotServer) == IndexOf("srv-1"));
  }
}

TEST_F(AutoServiceTest, TheLastDirectServerKeepsItsFlowsWhenItLeaves) {
  GoDirectly(1);
  GoDirectly(2);
  EXPECT_EQ(Shares(Ring().present).count(IndexOf("this host")), 0u);
  EXPECT_TRUE(Usable("this host")) << "proxied flows are still there";
  GoByProxy(1);
  GoByProxy(2);
  EXPECT_EQ(Shares(Ring().present).at(IndexOf("this host")), 1);
  EXPECT_TRUE(Usable("srv-1"));
  EXPECT_TRUE(Usable("srv-2"));
}

// Its packets reach nobody there: this host answers with a RST instead.
TEST_F(AutoServiceTest, AFailedPathGivesItsFlowsUp) {
  GoDirectly(1);
  server(1).direct_path = model::OperationalState::kDown;
  GoByProxy(1);
  EXPECT_FALSE(Usable("srv-1"));
}

TEST_F(AutoServiceTest, ExplainFollowsThePacketToTheServerOrUpTheStack) {
  GoDirectly(1);
  int direct = 0;
  int proxied = 0;
  for (uint16_t port = 20000; port < 20100; ++port) {
    const Explanation explanation = Explain(port);
    if (explanation.passed_up) {
      ++proxied;
      EXPECT_EQ(explanation.server, "");
      EXPECT_THAT(explanation.reason,
                  HasSubstr("the program passes it up to the proxy: this host owns slot "));
    } else {
      ++direct;
      EXPECT_EQ(explanation.server, "srv-1");
    }
  }
  EXPECT_GT(direct, 20);
  EXPECT_GT(proxied, 20);
  EXPECT_THAT(Explain(20000).details,
              ElementsAre("srv-1 (10.0.0.11): weight 100: may serve",
                          "this host: weight 100: the proxied servers' share"));
}

}  // namespace
}  // namespace fairlead::dataplane::dr
