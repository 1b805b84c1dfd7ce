// Rules of mode DR.
#include <gtest/gtest.h>

#include "tests/unit/model/model_testing.h"

namespace fairlead::model {
namespace {

using ::testing::IsEmpty;

Vip DirectVip(const std::string& ports = "80") {
  Vip vip = GoodVip("a", "10.0.0.1", ports);
  vip.mode = Mode::kDr;
  vip.scheduler = Scheduler::kMaglev;
  return vip;
}

TEST(ValidateDirectRoutingTest, EveryProtocolAndEveryPortMayBeServed) {
  EXPECT_THAT(Lines(Validate(DirectVip())), IsEmpty());
  for (const Scheduler scheduler : {Scheduler::kSourceHash, Scheduler::kWeightedRoundRobin,
                                    Scheduler::kWeightedLeastConnections}) {
    Vip vip = DirectVip();
    vip.scheduler = scheduler;
    vip.connections_max = 100;
    vip.inline_servers = {MakeInline("a", "10.0.0.2")};
    vip.inline_servers[0].spec.connections_max = 5;
    EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
  }
  Vip vip = DirectVip("*");
  vip.protocol = Protocol::kTcpAndUdp;
  vip.health_check.port = 80;
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
  vip.health_check.port = 0;
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.healthCheck.port", "name the port"));
}

TEST(ValidateDirectRoutingTest, WhatOnlyAProxyCanDoIsRefusedWithTheReason) {
  Vip vip = DirectVip();
  vip.client_address = ClientAddress::kProxyProtocolV2;
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.clientAddress", "remove clientAddress"));
  vip = DirectVip();
  vip.source.type = SourceAddress::Type::kVip;
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.source.type", "use mode: SNAT"));
}

TEST(ValidateDirectRoutingTest, WhatIsNotBuiltYetIsRefusedInWords) {
  const std::string not_yet = "not supported yet in this version: ";
  Vip vip = DirectVip();
  vip.health_check.each_port = true;
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.healthCheck.port", not_yet));
}

TEST(ValidateDirectRoutingTest, AServerNeedsTheVipsPortsAndFamily) {
  Vip vip = DirectVip();
  vip.inline_servers = {MakeInline("a", "10.0.0.2")};
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
  vip.inline_servers[0].spec.port = 8080;
  EXPECT_THAT(Lines(Validate(vip)),
              IsError("spec.realServers.list[0].address", "cannot translate the port to 8080"));
  vip.inline_servers = {MakeInline("a", "fd00::2")};
  EXPECT_THAT(Lines(Validate(vip)),
              IsError("spec.realServers.list[0].address", "families must match"));
  vip.inline_servers[0].spec.host_name = "srv.example.com";
  EXPECT_THAT(Lines(Validate(vip)),
              IsError("spec.realServers.list[0].address", "needs the address of srv.example.com"));
}

TEST(ValidateDirectRoutingTest, TheFallbackServerHasTheVipsPortsAndFamily) {
  Vip vip = DirectVip();
  vip.fallback.action = Fallback::Action::kServer;
  vip.fallback.server = {Address("10.0.0.9"), 0};
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
  vip.fallback.server.port = 8080;
  EXPECT_THAT(Lines(Validate(vip)),
              IsError("spec.fallback.address", "cannot translate the port to 8080"));
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.fallback.address", "use mode: SNAT"));
  vip.fallback.server = {Address("fd00::9"), 0};
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.fallback.address", "families must match"));
}

TEST(ValidateDirectRoutingTest, AUdpVipIsWarnedOfItsTcpCheck) {
  Vip vip = DirectVip("53");
  vip.protocol = Protocol::kUdp;
  vip.health_check.port = 0;
  ASSERT_EQ(Validate(vip).size(), 1u);
  EXPECT_EQ(Validate(vip)[0].severity, Severity::kWarning);
  vip.health_check.type = HealthCheck::Type::kIcmp;
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
}

}  // namespace
}  // namespace fairlead::model
