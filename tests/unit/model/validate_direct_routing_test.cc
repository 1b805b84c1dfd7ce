// Rules of modes DR and Auto.
#include <gtest/gtest.h>

#include "pkg/model/server_fit.h"
#include "tests/unit/model/model_testing.h"

namespace fairlead::model {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
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
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.healthCheck.port", "name the port"));
  vip.health_check.port = 80;
  vip.health_check.port_from_manifest = true;
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
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

TEST(ValidateDirectRoutingTest, ClientsHandshakesAreSeenByDirectRoutingAlone) {
  const std::string field = "spec.healthCheck.unansweredHandshakes";
  Vip vip = DirectVip();
  vip.health_check.unanswered_handshakes.threshold = 10;
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
  vip.mode = Mode::kAuto;
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
  vip.mode = Mode::kSnat;
  EXPECT_THAT(Lines(Validate(vip)), IsError(field, "use mode: DR or Auto"));
  vip.health_check.unanswered_handshakes.threshold = 0;
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
  vip = DirectVip();
  vip.health_check.type = HealthCheck::Type::kIcmp;
  vip.health_check.port = 0;
  vip.health_check.unanswered_handshakes.threshold = 10;
  vip.protocol = Protocol::kUdp;
  EXPECT_THAT(Lines(Validate(vip)), IsError(field, "UDP has no handshakes"));
  vip.protocol = Protocol::kTcpAndUdp;
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
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

Vip AutoVip() {
  Vip vip = DirectVip();
  vip.mode = Mode::kAuto;
  return vip;
}

TEST(ValidateAutoTest, WhatCannotGoDirectlyIsProxiedAndNoError) {
  Vip vip = AutoVip();
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
  vip.protocol = Protocol::kTcpAndUdp;
  vip.client_address = ClientAddress::kTransparent;
  vip.inline_servers = {MakeInline("a", "10.0.0.2"), MakeInline("b", "10.0.0.3"),
                        MakeInline("c", "10.0.0.4")};
  vip.inline_servers[0].spec.port = 8080;
  vip.inline_servers[1].spec.host_name = "srv.example.com";
  vip.inline_servers[2].spec.connections_max = 5;
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
  vip = AutoVip();
  vip.inline_servers = {MakeInline("a", "fd00::2")};
  vip.source = {SourceAddress::Type::kAddress, Address("fd00::9")};
  vip.fallback = {Fallback::Action::kServer, {Address("10.0.0.9"), 8080}};
  EXPECT_THAT(Lines(Validate(vip)),
              IsError("spec.fallback.address", "the source address fd00::9 is not"));
  vip.fallback.server.address = Address("fd00::8");
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
}

TEST(ValidateAutoTest, WhatWouldWorkInOneWayOnlyIsRefused) {
  for (const ClientAddress header :
       {ClientAddress::kProxyProtocolV1, ClientAddress::kProxyProtocolV2}) {
    Vip vip = AutoVip();
    vip.client_address = header;
    EXPECT_THAT(Lines(Validate(vip)), IsError("spec.clientAddress", "use mode: SNAT"));
  }
  Vip vip = AutoVip();
  vip.source.type = SourceAddress::Type::kVip;
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.source.type", "have the VIP too"));
  vip.source = {SourceAddress::Type::kAddress, vip.addresses[0]};
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.source.type", "have the VIP too"));
  vip = AutoVip();
  vip.protocol = Protocol::kUdp;
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.protocol", "use mode: DR"));
  vip = AutoVip();
  vip.ports = Ports("*");
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.ports", "list the ports"));
  vip = AutoVip();
  vip.scheduler = Scheduler::kWeightedLeastConnections;
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.scheduler", "with mode Auto"));
  vip = AutoVip();
  vip.connections_max = 10;
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.maxConnections", "with mode Auto"));
  vip = AutoVip();
  vip.health_check.each_port = true;
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.healthCheck.port", "with mode Auto"));
}

TEST(DirectMisfitTest, IsAReasonWithoutARemedy) {
  const Vip vip = AutoVip();
  ServerSpec spec = MakeInline("a", "10.0.0.2").spec;
  EXPECT_EQ(DirectMisfit(vip, spec), "");
  spec.port = 8080;
  EXPECT_EQ(DirectMisfit(vip, spec),
            "direct routing cannot translate the port to 8080, as the packet reaches the server as "
            "the client sent it");
  spec = MakeInline("a", "fd00::2").spec;
  EXPECT_THAT(DirectMisfit(vip, spec), EndsWith("the families must match"));
  spec.host_name = "srv.example.com";
  EXPECT_THAT(DirectMisfit(vip, spec), EndsWith("must be on a network of this host"));
  spec = MakeInline("a", "10.0.0.2").spec;
  spec.connections_max = 7;
  EXPECT_THAT(DirectMisfit(vip, spec), HasSubstr("maxConnections 7"));
}

TEST(ValidateDirectRoutingTest, AUdpVipIsWarnedOfItsTcpCheck) {
  Vip vip = DirectVip("53");
  vip.protocol = Protocol::kUdp;
  ASSERT_EQ(Validate(vip).size(), 1u);
  EXPECT_EQ(Validate(vip)[0].severity, Severity::kWarning);
  vip.health_check.type = HealthCheck::Type::kIcmp;
  vip.health_check.port = 0;
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
}

}  // namespace
}  // namespace fairlead::model
