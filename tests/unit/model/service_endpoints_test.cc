#include "pkg/model/service_endpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pkg/model/desired_state.h"
#include "pkg/model/server_fit.h"

namespace fairlead::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

net::IpAddress Address(const std::string& text) { return *net::IpAddress::Parse(text); }

Vip MakeVip(const std::string& ports) {
  Vip vip;
  vip.id = {ObjectKind::kVip, "default", "web"};
  vip.addresses = {Address("10.0.0.1")};
  vip.ports = *net::PortSet::Parse(ports);
  vip.service.name = "pods";
  return vip;
}

ServiceEndpoints MakeService(std::vector<EndpointPort> ports, std::vector<Endpoint> endpoints) {
  return {.name_space = "default",
          .name = "pods",
          .groups = {{std::move(ports), std::move(endpoints)}}};
}

// "name address[:port]" of each server.
std::vector<std::string> Lines(const EndpointServers& found) {
  std::vector<std::string> lines;
  for (const VipServer& server : found.servers) {
    lines.push_back(server.name + " " + PlaceOf(server.spec).ToString());
  }
  return lines;
}

const std::vector<Endpoint> kPod = {{"pod-1", Address("10.9.0.1")}};

TEST(ServiceEndpointsTest, TheClientsPortStaysWhenEndpointsListenOnAllOfThem) {
  const ServiceEndpoints service =
      MakeService({{"http", 80}, {"https", 443}, {"metrics", 9090}}, kPod);
  EXPECT_THAT(Lines(EndpointsOf(MakeVip("80,443"), service)), ElementsAre("pod-1 10.9.0.1"));
  // No ports in the slice, or one without a number: every port.
  EXPECT_THAT(Lines(EndpointsOf(MakeVip("80,443"), MakeService({}, kPod))),
              ElementsAre("pod-1 10.9.0.1"));
  EXPECT_THAT(Lines(EndpointsOf(MakeVip("80,443"), MakeService({{"any", 0}}, kPod))),
              ElementsAre("pod-1 10.9.0.1"));
}

TEST(ServiceEndpointsTest, OnePortOfEachIsTranslated) {
  EXPECT_THAT(Lines(EndpointsOf(MakeVip("80"), MakeService({{"", 8080}}, kPod))),
              ElementsAre("pod-1 10.9.0.1:8080"));
  // A port of another protocol does not count.
  EXPECT_THAT(Lines(EndpointsOf(MakeVip("80"),
                                MakeService({{"http", 8080}, {"dns", 53, Protocol::kUdp}}, kPod))),
              ElementsAre("pod-1 10.9.0.1:8080"));
}

TEST(ServiceEndpointsTest, AnythingElseNeedsAWord) {
  const ServiceEndpoints service = MakeService({{"http", 8080}, {"metrics", 9090}}, kPod);
  const EndpointServers none = EndpointsOf(MakeVip("80"), service);
  EXPECT_THAT(none.servers, IsEmpty());
  EXPECT_THAT(none.problem, HasSubstr("listen on http 8080, metrics 9090 (TCP)"));
  EXPECT_THAT(none.problem, HasSubstr("service: {port: NAME or NUMBER}"));

  Vip vip = MakeVip("80,81");
  vip.service.port_name = "metrics";
  EXPECT_THAT(Lines(EndpointsOf(vip, service)), ElementsAre("pod-1 10.9.0.1:9090"));
  vip.service.port_name = "admin";
  EXPECT_THAT(EndpointsOf(vip, service).problem, HasSubstr("have no port admin, but http 8080"));
  vip.service = {"pods", "", 7000};
  EXPECT_THAT(Lines(EndpointsOf(vip, service)), ElementsAre("pod-1 10.9.0.1:7000"));
}

TEST(ServiceEndpointsTest, APodIsOneServerAtTheAddressOfTheVipsFamily) {
  ServiceEndpoints service = MakeService({{"", 80}}, {{"pod-1", Address("10.9.0.1")}});
  service.groups.push_back(
      {{{"", 80}}, {{"pod-1", Address("fd00::1")}, {"pod-2", Address("fd00::2")}}});
  Vip vip = MakeVip("80");
  EXPECT_THAT(Lines(EndpointsOf(vip, service)), ElementsAre("pod-1 10.9.0.1", "pod-2 fd00::2"));
  vip.addresses = {Address("fd01::1")};
  EXPECT_THAT(Lines(EndpointsOf(vip, service)), ElementsAre("pod-1 fd00::1", "pod-2 fd00::2"));
}

TEST(ServiceEndpointsTest, WhatTheVipCannotReachIsLeftOut) {
  Vip vip = MakeVip("80");
  vip.mode = Mode::kDr;
  const EndpointServers found = EndpointsOf(vip, MakeService({{"", 8080}}, kPod));
  EXPECT_THAT(found.servers, IsEmpty());
  EXPECT_THAT(found.problem, HasSubstr("direct routing cannot translate the port to 8080"));
}

TEST(ServiceEndpointsTest, ServersOfAVipAreTheUnionAndTheEarlierSourceWins) {
  DesiredState desired;
  Vip vip = MakeVip("80");
  vip.selector = {{"a", "b"}};
  vip.inline_servers = {{"pod-1", {}}};
  vip.inline_servers[0].spec.address = Address("10.1.0.1");
  RealServer object;
  object.id = {ObjectKind::kRealServer, "default", "same-place"};
  object.labels = {{"a", "b"}};
  object.spec.address = Address("10.9.0.2");
  desired.vips = {vip};
  desired.real_servers = {object};
  desired.services = {
      MakeService({{"", 80}}, {{"pod-1", Address("10.9.0.1")},
                               {"pod-2", Address("10.9.0.2")},
                               {"pod-3", Address("10.9.0.3"), AdminState::kDrain}})};
  const std::vector<VipServer> servers = ServersOf(desired, vip);
  ASSERT_EQ(servers.size(), 3u);
  EXPECT_EQ(servers[0].name, "pod-1");
  EXPECT_EQ(servers[0].spec.address, Address("10.1.0.1"));
  EXPECT_EQ(servers[1].name, "pod-3");
  EXPECT_EQ(servers[1].spec.state, AdminState::kDrain);
  EXPECT_FALSE(servers[1].is_object);
  EXPECT_EQ(servers[2].name, "same-place");
  EXPECT_EQ(ServerIndex(desired).ServersOf(vip), servers);
  // A Service of another namespace is another one.
  desired.services[0].name_space = "other";
  EXPECT_EQ(ServersOf(desired, vip).size(), 2u);
}

TEST(ServiceEndpointsTest, AVipIsWarnedOfAServiceThatGivesItNothing) {
  DesiredState desired;
  desired.vips = {MakeVip("80")};
  ValidateTogether(desired, std::nullopt, {});
  ASSERT_EQ(desired.findings.size(), 1u);
  EXPECT_EQ(desired.findings[0].field, "spec.realServers.service");
  EXPECT_THAT(desired.findings[0].message,
              HasSubstr("Service pods: it has no endpoint that is ready"));
  desired.findings.clear();
  desired.services = {MakeService({{"", 80}}, kPod)};
  ValidateTogether(desired, std::nullopt, {});
  EXPECT_THAT(desired.findings, IsEmpty());
}

}  // namespace
}  // namespace fairlead::model
