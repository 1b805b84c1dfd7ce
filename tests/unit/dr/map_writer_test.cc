#include "pkg/dataplane/dr/map_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/dr/memory_map_store.h"

namespace fairlead::dataplane::dr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr absl::Duration kNow = absl::Seconds(1000);
constexpr std::array<uint64_t, 2> kSecret = {1, 2};

ServerEntry Server(const std::string& name, uint8_t mac) {
  ServerEntry server;
  server.name = name;
  server.weight = 100;
  server.usable = true;
  server.link = {.mac = {2, 0, 0, 0, 1, mac}, .source_mac = {2, 0, 0, 0, 0, 1}, .ifindex = 1030};
  return server;
}

ServiceEntry Service(const std::string& vip, const std::string& address) {
  ServiceEntry entry;
  entry.vip = vip;
  entry.protocol = IPPROTO_TCP;
  entry.addresses = {*net::IpAddress::Parse(address)};
  entry.family = entry.addresses[0].family();
  entry.ports = *net::PortSet::Parse("80,5014-5019");
  entry.idle_timeout = absl::Seconds(600);
  entry.servers = {Server("srv-1", 1), Server("srv-2", 2), Server("srv-3", 3)};
  return entry;
}

class MapWriterTest : public testing::Test {
 protected:
  void Apply(const std::vector<ServiceEntry>& entries) {
    store_.writes.clear();
    for (const absl::Status& status : writer_.Apply(entries, kNow)) {
      EXPECT_TRUE(status.ok()) << status;
    }
  }
  // As the program does: 0 = not served.
  uint32_t ServiceAt(const std::string& address, uint8_t protocol, uint16_t port) {
    const bpf::DrTables& tables = store_.tables();
    const uint32_t half = tables.config.vip_half;
    const bpf::DrVipSlot key = MakeVipSlot({*net::IpAddress::Parse(address), protocol});
    const uint32_t place = bpf::DrVipIndex(key.address, key.kind, tables.config.vip_seed[half]);
    const bpf::DrVipSlot& slot = tables.vip_slots[half * bpf::kDrVipSlots + place];
    if (slot.kind != key.kind || !std::equal(key.address, key.address + 4, slot.address)) return 0;
    return store_.port_groups()[slot.port_table * bpf::kDrPortGroupsPerTable + port / 4]
        .services[port % 4];
  }
  std::map<uint32_t, int> Shares(uint32_t service) {
    std::map<uint32_t, int> shares;
    for (const uint16_t slot : writer_.RingOf(service).present) ++shares[slot & 0x7fff];
    return shares;
  }
  size_t DirtySlots(uint32_t service) {
    const auto& ring = writer_.RingOf(service).present;
    return static_cast<size_t>(
        std::count_if(ring.begin(), ring.end(), [](uint16_t slot) { return slot & 0x8000; }));
  }

  MemoryMapStore store_;
  MapWriter writer_{store_, kSecret};
};

TEST_F(MapWriterTest, AVipIsFoundByAddressProtocolAndPort) {
  Apply({Service("default/web", "10.0.0.1"), Service("default/web6", "fd00::1")});
  const uint32_t web = writer_.ServiceIndex("default/web TCP IPv4");
  const uint32_t web6 = writer_.ServiceIndex("default/web6 TCP IPv6");
  ASSERT_NE(web, 0u);
  ASSERT_NE(web6, web);
  for (const uint16_t port : {80, 5014, 5019}) {
    EXPECT_EQ(ServiceAt("10.0.0.1", IPPROTO_TCP, port), web);
    EXPECT_EQ(ServiceAt("fd00::1", IPPROTO_TCP, port), web6);
  }
  EXPECT_EQ(ServiceAt("10.0.0.1", IPPROTO_TCP, 81), 0u);
  EXPECT_EQ(ServiceAt("10.0.0.1", IPPROTO_UDP, 80), 0u);
  EXPECT_EQ(ServiceAt("10.0.0.2", IPPROTO_TCP, 80), 0u);
}

TEST_F(MapWriterTest, ARealServersRecordHoldsItsWay) {
  ServiceEntry entry = Service("default/web", "10.0.0.1");
  entry.servers[1].link.vlan = 100;
  entry.servers[2].link = {.local = true};
  Apply({entry});
  const bpf::DrServer& first = store_.tables().servers[writer_.ServerIndex("default/web", "srv-1")];
  const auto* mac = reinterpret_cast<const uint8_t*>(first.mac);
  EXPECT_THAT(std::vector<uint8_t>(mac, mac + 6), ElementsAre(2, 0, 0, 0, 1, 1));
  EXPECT_EQ(first.flags, bpf::kDrServerUsable);
  EXPECT_EQ(first.interface, 1030 % bpf::kDrInterfaces);
  EXPECT_EQ(store_.tables().servers[writer_.ServerIndex("default/web", "srv-2")].flags,
            bpf::kDrServerUsable | 100);
  EXPECT_EQ(store_.tables().servers[writer_.ServerIndex("default/web", "srv-3")].flags,
            bpf::kDrServerUsable | bpf::kDrServerLocal);
}

TEST_F(MapWriterTest, TheSamePlanAgainWritesNothing) {
  Apply({Service("default/web", "10.0.0.1")});
  const auto& ring = writer_.RingOf(writer_.ServiceIndex("default/web TCP IPv4"));
  const RingState before = ring;
  Apply({Service("default/web", "10.0.0.1")});
  EXPECT_TRUE(store_.writes.empty());
  EXPECT_EQ(ring, before);
}

TEST_F(MapWriterTest, AChangeOfWeightsDirtiesWhatMovedAndKeepsTheBase) {
  ServiceEntry entry = Service("default/web", "10.0.0.1");
  Apply({entry});
  const uint32_t web = writer_.ServiceIndex("default/web TCP IPv4");
  EXPECT_EQ(DirtySlots(web), 0u);
  const std::vector<uint16_t> first = writer_.RingOf(web).present;
  entry.servers[0].weight = 0;  // as a drain does
  Apply({entry});
  EXPECT_THAT(store_.writes, ElementsAre(absl::StrCat("base ", web), absl::StrCat("present ", web)))
      << "the base is there before a packet may ask for it";
  EXPECT_EQ(writer_.RingOf(web).base, first);
  EXPECT_EQ(Shares(web).count(writer_.ServerIndex("default/web", "srv-1")), 0u);
  EXPECT_GE(DirtySlots(web), first.size() / 3);
  EXPECT_LT(DirtySlots(web), first.size() * 2 / 3);
  // Still usable: its flows go on.
  const uint32_t drained = writer_.ServerIndex("default/web", "srv-1");
  EXPECT_NE(store_.tables().servers[drained].flags & bpf::kDrServerUsable, 0u);
  const uint64_t until = store_.tables().notes.window_until_ns[web];
  EXPECT_EQ(until, static_cast<uint64_t>(absl::ToInt64Nanoseconds(kNow + entry.idle_timeout)));
  entry.servers[0].weight = 100;
  Apply({entry});
  EXPECT_EQ(writer_.RingOf(web).base, first);
  EXPECT_GE(DirtySlots(web), first.size() / 3) << "dirty is the union over the window";
}

TEST_F(MapWriterTest, TheWindowEndsWhenItsTimeHasPassed) {
  ServiceEntry entry = Service("default/web", "10.0.0.1");
  Apply({entry});
  entry.servers[0].weight = 0;
  Apply({entry});
  const uint32_t web = writer_.ServiceIndex("default/web TCP IPv4");
  ASSERT_TRUE(writer_.Tick(kNow + absl::Seconds(599)).ok());
  EXPECT_GT(DirtySlots(web), 0u);
  ASSERT_TRUE(writer_.Tick(kNow + absl::Seconds(601)).ok());
  EXPECT_EQ(DirtySlots(web), 0u);
  EXPECT_TRUE(writer_.RingOf(web).base.empty());
  EXPECT_EQ(store_.tables().notes.window_until_ns[web], 0u);
}

TEST_F(MapWriterTest, ASlotStaysDirtyWhileAForeignFlowOfItLives) {
  ServiceEntry entry = Service("default/web", "10.0.0.1");
  Apply({entry});
  entry.servers[0].weight = 0;
  Apply({entry});
  const uint32_t web = writer_.ServiceIndex("default/web TCP IPv4");
  const uint64_t drained = writer_.ServerIndex("default/web", "srv-1");
  const auto& ring = writer_.RingOf(web).present;
  const auto dirty = static_cast<uint64_t>(
      std::find_if(ring.begin(), ring.end(), [](uint16_t slot) { return slot & 0x8000; }) -
      ring.begin());
  const absl::Duration late = kNow + absl::Seconds(601);
  const uint64_t age = static_cast<uint64_t>(absl::ToInt64Nanoseconds(late)) >>
                           store_.tables().services[web].age_shift &
                       bpf::kDrFlowAgeMask;
  store_.flows()[7].entries[3] =
      dirty << bpf::kDrFlowTagShift | DR_FLOW_ESTABLISHED | age << bpf::kDrFlowAgeShift | drained;
  ASSERT_TRUE(writer_.Tick(late).ok());
  EXPECT_EQ(DirtySlots(web), 1u);
  EXPECT_NE(store_.flows()[7].entries[3], 0u);
  // It falls silent: forgotten, and then the window ends.
  ASSERT_TRUE(writer_.Tick(late + absl::Seconds(1200)).ok());
  EXPECT_EQ(store_.flows()[7].entries[3], 0u);
  EXPECT_EQ(DirtySlots(web), 0u);
}

TEST_F(MapWriterTest, AServerThatIsDownLosesItsFlowsAfterTheRingLeftIt) {
  ServiceEntry entry = Service("default/web", "10.0.0.1");
  Apply({entry});
  const uint32_t down = writer_.ServerIndex("default/web", "srv-2");
  entry.servers[1].usable = false;
  Apply({entry});
  const uint32_t web = writer_.ServiceIndex("default/web TCP IPv4");
  EXPECT_EQ(Shares(web).count(down), 0u);
  EXPECT_EQ(store_.tables().servers[down].flags, 0u);
  EXPECT_EQ(writer_.ServerIndex("default/web", "srv-2"), down) << "its index stays";
  entry.servers[1].usable = true;
  Apply({entry});
  EXPECT_NEAR(Shares(web)[down], 1365, 2);
}

TEST_F(MapWriterTest, WhatIsRemovedLeavesNoTrace) {
  ServiceEntry web = Service("default/web", "10.0.0.1");
  Apply({web, Service("default/other", "10.0.0.2")});
  const uint32_t index = writer_.ServiceIndex("default/web TCP IPv4");
  const uint32_t server = writer_.ServerIndex("default/web", "srv-1");
  const uint32_t other_server = writer_.ServerIndex("default/other", "srv-1");
  store_.flows()[1].entries[0] = 0x123ULL << bpf::kDrFlowTagShift | server;
  store_.flows()[1].entries[1] = 0x123ULL << bpf::kDrFlowTagShift | other_server;
  Apply({Service("default/other", "10.0.0.2")});
  EXPECT_EQ(ServiceAt("10.0.0.1", IPPROTO_TCP, 80), 0u);
  EXPECT_NE(ServiceAt("10.0.0.2", IPPROTO_TCP, 80), 0u);
  EXPECT_EQ(store_.tables().servers[server].flags, 0u);
  EXPECT_THAT(store_.cleared, testing::Contains(server));
  EXPECT_EQ(store_.flows()[1].entries[0], 0u);
  EXPECT_NE(store_.flows()[1].entries[1], 0u);
  EXPECT_EQ(writer_.ServiceIndex("default/web TCP IPv4"), 0u);
  EXPECT_EQ(store_.tables().services[index].ring_mask, 0u);
  EXPECT_EQ(store_.writes.back(), "wait") << "before the indexes are free";
}

TEST_F(MapWriterTest, PortsAreTakenOutAndPutInAlone) {
  ServiceEntry entry = Service("default/web", "10.0.0.1");
  Apply({entry});
  entry.ports = *net::PortSet::Parse("443");
  Apply({entry});
  EXPECT_EQ(ServiceAt("10.0.0.1", IPPROTO_TCP, 80), 0u);
  EXPECT_NE(ServiceAt("10.0.0.1", IPPROTO_TCP, 443), 0u);
  EXPECT_TRUE(store_.writes.empty()) << "neither the ring nor the VIP table changes";
  entry.ports = *net::PortSet::Parse("*");
  Apply({entry});
  EXPECT_EQ(ServiceAt("10.0.0.1", IPPROTO_TCP, 0), 0u);
  EXPECT_NE(ServiceAt("10.0.0.1", IPPROTO_TCP, 65535), 0u);
}

TEST_F(MapWriterTest, TheNextProcessFindsEverythingAndChangesNothing) {
  std::vector<ServiceEntry> entries = {Service("default/web", "10.0.0.1"),
                                       Service("default/web6", "fd00::1")};
  Apply(entries);
  entries[0].servers[0].weight = 0;
  Apply(entries);
  const uint32_t web = writer_.ServiceIndex("default/web TCP IPv4");
  const RingState ring = writer_.RingOf(web);
  store_.writes.clear();
  MapWriter next(store_, {77, 78});
  ASSERT_TRUE(next.Adopt().ok());
  std::swap(entries[0], entries[1]);  // whatever the order
  for (const absl::Status& status : next.Apply(entries, kNow)) EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(store_.writes.empty());
  EXPECT_EQ(next.ServiceIndex("default/web TCP IPv4"), web);
  EXPECT_EQ(next.RingOf(web), ring);
  EXPECT_EQ(store_.tables().notes.secret[0], kSecret[0]);
}

TEST_F(MapWriterTest, LimitsWeightsAndCandidatesAreWritten) {
  ServiceEntry entry = Service("default/web", "10.0.0.1");
  entry.connections_max = 1000;
  entry.servers[0].connections_max = 100;
  entry.servers[0].connections_min = 60;
  entry.servers[1].connections_max = 100;
  entry.servers[1].weight = 2.5;  // slow start
  entry.servers[2].weight = 0;
  ServiceEntry udp = entry;
  udp.protocol = IPPROTO_UDP;
  Apply({entry, udp});
  const bpf::DrTables& tables = store_.tables();
  const uint32_t vip = writer_.VipIndex("default/web");
  ASSERT_NE(vip, 0u);
  EXPECT_EQ(tables.vips[vip].connections_max, 1000u);
  const auto load = [&](const char* name) {
    return tables.loads[writer_.ServerIndex("default/web", name)];
  };
  EXPECT_EQ(load("srv-1").vip, vip);
  EXPECT_EQ(load("srv-1").connections_max, 100u);
  EXPECT_EQ(load("srv-1").connections_resume, 60u);
  EXPECT_EQ(load("srv-2").connections_resume, 99u) << "just below the maximum";
  EXPECT_EQ(load("srv-2").weight, 320u);
  EXPECT_EQ(load("srv-3").weight, 0u);
  for (const char* key : {"default/web TCP IPv4", "default/web UDP IPv4"}) {
    const uint32_t index = writer_.ServiceIndex(key);
    EXPECT_EQ(tables.services[index].vip, vip) << "one load of all its services";
    ASSERT_EQ(tables.services[index].candidates, 2u);
    EXPECT_EQ(tables.candidates[index][0], writer_.ServerIndex("default/web", "srv-1"));
    EXPECT_EQ(tables.candidates[index][1], writer_.ServerIndex("default/web", "srv-2"));
  }
}

TEST_F(MapWriterTest, ALoadGoesWithItsServerAndVip) {
  Apply({Service("default/web", "10.0.0.1"), Service("default/other", "10.0.0.2")});
  const uint32_t vip = writer_.VipIndex("default/web");
  const uint32_t server = writer_.ServerIndex("default/web", "srv-1");
  store_.flows()[1].entries[0] = 0x123ULL << bpf::kDrFlowTagShift | server;
  store_.tables().loads[server].active = 3;  // two of them are drift
  store_.tables().vips[vip].active = 4;
  ServiceEntry smaller = Service("default/web", "10.0.0.1");
  smaller.servers.erase(smaller.servers.begin());
  Apply({smaller, Service("default/other", "10.0.0.2")});
  EXPECT_EQ(store_.tables().loads[server].active, 0);
  EXPECT_EQ(store_.tables().vips[vip].active, 1) << "of the servers that are left";
  Apply({Service("default/other", "10.0.0.2")});
  EXPECT_EQ(writer_.VipIndex("default/web"), 0u);
  EXPECT_EQ(store_.tables().vips[vip].active, 0);
}

TEST_F(MapWriterTest, AServiceThatIsTrackedNoLongerStillLooksUpItsFlows) {
  ServiceEntry entry = Service("default/web", "10.0.0.1");
  entry.flags = bpf::kDrServiceTracked | bpf::kDrServiceByTurn;
  Apply({entry});
  const uint32_t web = writer_.ServiceIndex("default/web TCP IPv4");
  entry.flags = 0;
  store_.ring_error = absl::ResourceExhaustedError("no memory");
  EXPECT_FALSE(writer_.Apply({entry}, kNow)[0].ok());
  EXPECT_EQ(store_.tables().services[web].flags, bpf::kDrServiceTracked) << "until slots are dirty";
  store_.ring_error = absl::OkStatus();
  Apply({entry});
  EXPECT_EQ(store_.tables().services[web].flags, 0u);
  EXPECT_EQ(DirtySlots(web), writer_.RingOf(web).present.size());
  Apply({entry});
  EXPECT_TRUE(store_.writes.empty());
  ASSERT_TRUE(writer_.Tick(kNow + absl::Seconds(601)).ok());
  EXPECT_EQ(DirtySlots(web), 0u);
}

TEST_F(MapWriterTest, AFullTableFailsTheServiceThatDoesNotFit) {
  std::vector<ServiceEntry> entries;
  for (uint32_t i = 0; i <= bpf::kDrPortTables; ++i) {
    entries.push_back(Service(absl::StrCat("default/web-", i), absl::StrCat("10.0.0.", i + 1)));
  }
  const std::vector<absl::Status> statuses = writer_.Apply(entries, kNow);
  for (uint32_t i = 0; i < bpf::kDrPortTables; ++i) EXPECT_TRUE(statuses[i].ok()) << statuses[i];
  EXPECT_THAT(statuses.back().message(), HasSubstr("more than 64 pairs of address and protocol"));
  EXPECT_NE(ServiceAt("10.0.0.1", IPPROTO_TCP, 80), 0u);
}

TEST_F(MapWriterTest, ARefusedRingIsTriedAgain) {
  ServiceEntry entry = Service("default/web", "10.0.0.1");
  Apply({entry});
  const uint32_t web = writer_.ServiceIndex("default/web TCP IPv4");
  const RingState before = writer_.RingOf(web);
  entry.servers[0].weight = 0;
  store_.ring_error = absl::ResourceExhaustedError("no memory");
  EXPECT_EQ(writer_.Apply({entry}, kNow)[0].message(), "no memory");
  EXPECT_EQ(writer_.RingOf(web), before);
  store_.ring_error = absl::OkStatus();
  Apply({entry});
  EXPECT_GT(DirtySlots(web), 0u);
}

}  // namespace
}  // namespace fairlead::dataplane::dr
