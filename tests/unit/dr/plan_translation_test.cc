#include "pkg/dataplane/dr/plan_translation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <string>
#include <vector>

#include "pkg/dataplane/dr/bpf/dr_maps.h"

namespace fairlead::dataplane::dr {
namespace {

using testing::ElementsAre;

constexpr absl::Duration kNow = absl::Seconds(100);

PlanServer Server(uint32_t id, const std::string& address) {
  PlanServer server;
  server.id = id;
  server.name = "srv-" + std::to_string(id);
  server.address = *net::IpAddress::Parse(address);
  server.weight = 100;
  server.eligibility = model::Eligibility::kAll;
  server.operational = model::OperationalState::kUp;
  return server;
}

PlanService Service() {
  PlanService service;
  service.name = "default/web";
  service.mode = model::Mode::kDr;
  service.addresses = {*net::IpAddress::Parse("10.0.0.1")};
  service.ports = *net::PortSet::Parse("80");
  service.scheduler = model::Scheduler::kMaglev;
  service.servers = {Server(1, "10.0.0.11"), Server(2, "10.0.0.12")};
  return service;
}

const ServerLinks& Links() {
  static const ServerLinks links = {{1, {.ifindex = 2}}, {2, {.ifindex = 2}}, {3, {.ifindex = 2}}};
  return links;
}

TEST(PlanTranslationTest, OneEntryForEachProtocolAndFamily) {
  PlanService service = Service();
  service.protocol = model::Protocol::kTcpAndUdp;
  service.addresses.push_back(*net::IpAddress::Parse("fd00::1"));
  service.servers.push_back(Server(3, "fd00::13"));
  std::vector<std::string> keys;
  std::vector<size_t> servers;
  for (const ServiceEntry& entry : TranslateService(service, Links(), kNow)) {
    keys.push_back(entry.Key());
    servers.push_back(entry.servers.size());
  }
  EXPECT_THAT(keys, ElementsAre("default/web TCP IPv4", "default/web TCP IPv6",
                                "default/web UDP IPv4", "default/web UDP IPv6"));
  EXPECT_THAT(servers, ElementsAre(2, 1, 2, 1));
}

TEST(PlanTranslationTest, WhoGetsNewFlowsAndWhoKeepsItsOwn) {
  PlanService service = Service();
  const auto first = [&](const ServerLinks& links) {
    return TranslateService(service, links, kNow)[0].servers[0];
  };
  EXPECT_TRUE(first(Links()).usable);
  EXPECT_EQ(first(Links()).weight, 100);
  service.servers[0].eligibility = model::Eligibility::kPersistentOnly;  // draining
  EXPECT_TRUE(first(Links()).usable);
  EXPECT_EQ(first(Links()).weight, 0);
  service.servers[0].cut_sessions_at = kNow;  // its deadline
  EXPECT_FALSE(first(Links()).usable);
  service.servers[0].cut_sessions_at = kNow + absl::Seconds(1);
  EXPECT_TRUE(first(Links()).usable);
  service.servers[0].operational = model::OperationalState::kDown;
  EXPECT_FALSE(first(Links()).usable);
  service.servers[0].operational = model::OperationalState::kUp;
  EXPECT_FALSE(first({}).usable) << "no way to it";
}

TEST(PlanTranslationTest, AServerThatIsHeldKeepsItsFlows) {
  PlanService service = Service();
  service.servers[0].held = "12 of 14 handshakes unanswered";
  service.servers[0].eligibility = model::Eligibility::kNone;
  const ServerEntry held = TranslateService(service, Links(), kNow)[0].servers[0];
  EXPECT_TRUE(held.usable);
  EXPECT_EQ(held.weight, 0);
  EXPECT_TRUE(held.held);
  EXPECT_FALSE(TranslateService(service, Links(), kNow)[0].servers[1].held);
}

TEST(PlanTranslationTest, HandshakesAreOfTcp) {
  PlanService service = Service();
  service.protocol = model::Protocol::kTcpAndUdp;
  service.watches_handshakes = true;
  const std::vector<ServiceEntry> entries = TranslateService(service, Links(), kNow);
  EXPECT_EQ(entries.at(0).flags, bpf::kDrServiceWatchesAll);
  EXPECT_EQ(entries.at(1).flags, 0u);
}

TEST(PlanTranslationTest, SchedulerPersistenceAndFallbackBecomeFlags) {
  PlanService service = Service();
  const auto entry = [&] { return TranslateService(service, Links(), kNow)[0]; };
  EXPECT_EQ(entry().flags, 0u);
  service.scheduler = model::Scheduler::kSourceHash;
  EXPECT_EQ(entry().flags, bpf::kDrServiceBySource);
  EXPECT_EQ(entry().client_prefix_length, 32);
  service.scheduler = model::Scheduler::kWeightedRoundRobin;
  EXPECT_EQ(entry().flags, bpf::kDrServiceTracked | bpf::kDrServiceByTurn);
  service.fallback.action = model::Fallback::Action::kDrop;
  service.persistence.type = model::Persistence::Type::kSourceIp;
  service.persistence.ipv4_prefix_length = 24;
  service.persistence.timeout = absl::Hours(48);
  EXPECT_EQ(entry().flags, bpf::kDrServiceDropUnserved | bpf::kDrServiceTracked |
                               bpf::kDrServiceByTurn | bpf::kDrServiceBySource |
                               bpf::kDrServicePersistent);
  EXPECT_EQ(entry().client_prefix_length, 24);
  EXPECT_EQ(entry().client_timeout, absl::Hours(48));
  EXPECT_EQ(entry().idle_timeout, service.timeouts.idle);
}

TEST(PlanTranslationTest, TheFallbackServerIsTheLastResort) {
  PlanService service = Service();
  service.id = 9;
  service.fallback = {model::Fallback::Action::kServer, {*net::IpAddress::Parse("10.0.0.99"), 0}};
  ServerLinks links = Links();
  const auto fallback = [&] {
    const ServiceEntry entry = TranslateService(service, links, kNow)[0];
    EXPECT_EQ(entry.servers.size(), 3u);
    EXPECT_EQ(entry.servers.back().name, kFallbackName);
    return entry.servers.back();
  };
  EXPECT_FALSE(fallback().usable) << "no way to it";
  links[9] = {.mac = {1, 2, 3, 4, 5, 6}, .ifindex = 7};
  EXPECT_TRUE(fallback().usable) << "for the flows that it has";
  EXPECT_EQ(fallback().weight, 0);
  EXPECT_EQ(fallback().link.ifindex, 7u);
  service.servers[0].operational = model::OperationalState::kDown;
  EXPECT_EQ(fallback().weight, 0);
  service.servers[1].eligibility = model::Eligibility::kPersistentOnly;  // draining
  EXPECT_GT(fallback().weight, 0);
  service.servers[1].eligibility = model::Eligibility::kAll;
  EXPECT_EQ(fallback().weight, 0);
  links.erase(2);
  EXPECT_GT(fallback().weight, 0);
  service.addresses = {*net::IpAddress::Parse("fd00::1")};
  EXPECT_TRUE(TranslateService(service, links, kNow)[0].servers.empty()) << "of another family";
}

TEST(PlanTranslationTest, WhatNeedsToKnowEveryFlowRecordsIt) {
  PlanService service = Service();
  EXPECT_FALSE(RecordsEveryFlow(service));
  service.scheduler = model::Scheduler::kSourceHash;
  EXPECT_FALSE(RecordsEveryFlow(service));
  service.servers[1].connections_max = 10;
  service.servers[1].connections_min = 5;
  EXPECT_TRUE(RecordsEveryFlow(service));
  ServiceEntry entry = TranslateService(service, Links(), kNow)[0];
  EXPECT_EQ(entry.flags, bpf::kDrServiceTracked | bpf::kDrServiceBySource);
  EXPECT_EQ(entry.servers[1].connections_max, 10u);
  EXPECT_EQ(entry.servers[1].connections_min, 5u);
  service = Service();
  service.connections_max = 100;
  entry = TranslateService(service, Links(), kNow)[0];
  EXPECT_EQ(entry.flags, bpf::kDrServiceTracked);
  EXPECT_EQ(entry.connections_max, 100u);
  service = Service();
  service.scheduler = model::Scheduler::kWeightedLeastConnections;
  EXPECT_EQ(TranslateService(service, Links(), kNow)[0].flags,
            bpf::kDrServiceTracked | bpf::kDrServiceLeastFlows);
}

// Mode Auto: the server behind the real ones stands for this host.
class AutoTranslationTest : public testing::Test {
 protected:
  AutoTranslationTest() {
    service_.mode = model::Mode::kAuto;
    service_.protocol = model::Protocol::kTcpAndUdp;
    service_.addresses.push_back(*net::IpAddress::Parse("fd00::1"));
    PlanServer host;
    host.name = "this host";
    host.this_host = true;
    host.weight = 50;
    host.eligibility = model::Eligibility::kAll;
    host.operational = model::OperationalState::kUp;
    service_.servers.push_back(host);
    links_[kThisHostId] = {.local = true};
  }
  // "NAME weight" of the usable ones.
  std::vector<std::string> Usable(const std::string& key) {
    std::vector<std::string> lines;
    for (const ServiceEntry& entry : TranslateService(service_, links_, kNow)) {
      if (entry.Key() != "default/web " + key) continue;
      for (const ServerEntry& server : entry.servers) {
        if (!server.usable) continue;
        lines.push_back(server.name + " " + std::to_string(static_cast<int>(server.weight)));
      }
    }
    return lines;
  }

  PlanService service_ = Service();
  ServerLinks links_ = Links();
};

TEST_F(AutoTranslationTest, ThisHostIsInEveryTcpEntryAndInNoUdpEntry) {
  EXPECT_THAT(Usable("TCP IPv4"), ElementsAre("srv-1 100", "srv-2 100", "this host 50"));
  EXPECT_THAT(Usable("TCP IPv6"), ElementsAre("this host 50"));
  EXPECT_THAT(Usable("UDP IPv4"), ElementsAre("srv-1 100", "srv-2 100"));
  EXPECT_THAT(Usable("UDP IPv6"), ElementsAre());
}

TEST_F(AutoTranslationTest, ThisHostTakesWhatNobodyElseDoes) {
  service_.servers[2].weight = 0;
  EXPECT_THAT(Usable("TCP IPv4"), ElementsAre("srv-1 100", "srv-2 100", "this host 0"));
  EXPECT_THAT(Usable("TCP IPv6"), ElementsAre("this host 1"));
  service_.servers[0].weight = 0;
  service_.servers[1].operational = model::OperationalState::kDown;
  EXPECT_THAT(Usable("TCP IPv4"), ElementsAre("srv-1 0", "this host 1"));
}

}  // namespace
}  // namespace fairlead::dataplane::dr
