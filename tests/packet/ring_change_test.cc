// What MapWriter writes, run by the program: no flow changes its server through any change that
// does not name it.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <vector>

#include "pkg/dataplane/dr/map_writer.h"
#include "tests/packet/program_test.h"

namespace fairlead::dataplane::dr {
namespace {

constexpr std::array<uint64_t, 2> kSecret = {11, 22};
constexpr absl::Duration kNow = absl::Seconds(1000);

class RingChangeTest : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    if (IsSkipped()) return;
    std::memset(&tables(), 0, sizeof(tables()));
    for (uint32_t service = 1; service <= 4; ++service) {
      ASSERT_TRUE(store().SetRing(RingKind::kPresent, service, {}).ok());
      ASSERT_TRUE(store().SetRing(RingKind::kBase, service, {}).ok());
    }
    writer_ = std::make_unique<MapWriter>(store(), kSecret);
    entry_.vip = "default/web";
    entry_.protocol = IPPROTO_TCP;
    entry_.addresses = {*net::IpAddress::Parse(kVip4)};
    entry_.ports = *net::PortSet::Parse("80");
    entry_.idle_timeout = absl::Seconds(600);
    for (uint8_t i = 1; i <= 3; ++i) AddServer(i);
    Apply();
  }

  void AddServer(uint8_t index) {
    ServerEntry server;
    server.name = "srv-" + std::to_string(index);
    server.weight = 100;
    server.usable = true;
    server.link.mac = ServerMac(index);
    server.link.source_mac = kOwnMac;
    server.link.ifindex = kArrival;
    entry_.servers.push_back(server);
  }
  void Apply() {
    for (const absl::Status& status : writer_->Apply({entry_}, kNow)) {
      ASSERT_TRUE(status.ok()) << status;
    }
  }
  static Flow FlowOf(uint16_t port) { return MakeFlow(kClient4, port, kVip4, 80); }
  // The real server's number by its MAC, or 0.
  int Send(uint16_t port, uint8_t flags) {
    const Outcome outcome = Run(TcpFrame(FlowOf(port), flags));
    return outcome.verdict == XDP_TX ? outcome.frame[5] : 0;
  }
  void Open(uint16_t first_port, uint16_t count) {
    for (uint16_t port = first_port; port < first_port + count; ++port) {
      server_of_[port] = Send(port, kSyn);
      EXPECT_EQ(Send(port, kAck), server_of_[port]);
    }
  }
  int Broken() {
    int broken = 0;
    for (const auto& [port, server] : server_of_) broken += Send(port, kAck) == server ? 0 : 1;
    return broken;
  }
  std::map<int, int> Shares() const {
    std::map<int, int> shares;
    for (const auto& [port, server] : server_of_) ++shares[server];
    return shares;
  }

  ServiceEntry entry_;
  std::unique_ptr<MapWriter> writer_;
  std::map<uint16_t, int> server_of_;  // by the client's port
};

TEST_F(RingChangeTest, AddDrainWeightsAndRestartBreakNoFlow) {
  Open(1000, 300);
  EXPECT_EQ(Shares().size(), 3u);
  AddServer(4);
  Apply();
  EXPECT_EQ(Broken(), 0);
  Open(2000, 300);
  EXPECT_NEAR(Shares()[4], 75, 40);
  entry_.servers[0].weight = 0;  // drain
  Apply();
  EXPECT_EQ(Broken(), 0);
  std::map<uint16_t, int> before = server_of_;
  Open(3000, 300);
  for (uint16_t port = 3000; port < 3300; ++port) EXPECT_NE(server_of_[port], 1);
  entry_.servers[1].weight = 10;
  Apply();
  EXPECT_EQ(Broken(), 0);
  Open(4000, 300);
  // The next process: it adopts the maps, and the administrator changed weights meanwhile.
  writer_ = std::make_unique<MapWriter>(store(), std::array<uint64_t, 2>{1, 1});
  ASSERT_TRUE(writer_->Adopt().ok());
  Apply();
  EXPECT_EQ(Broken(), 0);
  entry_.servers[0].weight = 100;
  entry_.servers[3].weight = 1;
  Apply();
  EXPECT_EQ(Broken(), 0);
}

TEST_F(RingChangeTest, AServerThatGoesDownMovesItsOwnFlowsAlone) {
  Open(1000, 600);
  const int of_second = Shares()[2];
  entry_.servers[1].usable = false;
  Apply();
  EXPECT_EQ(Broken(), of_second);
  for (uint16_t port = 1000; port < 1600; ++port) EXPECT_NE(Send(port, kAck), 2);
}

TEST_F(RingChangeTest, ARemovedServerMovesItsOwnFlowsAlone) {
  Open(1000, 600);
  const int of_second = Shares()[2];
  entry_.servers.erase(entry_.servers.begin() + 1);
  Apply();
  EXPECT_EQ(Broken(), of_second);
  // Its index goes to another one, which inherits neither flows nor counts.
  AddServer(5);
  Apply();
  const auto counts = store().ServerCounts();
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ((*counts)[writer_->ServerIndex("default/web", "srv-5")].packets, 0u);
  EXPECT_EQ(Broken(), of_second);
}

TEST_F(RingChangeTest, SchedulersAndLimitsComeAndGoWithoutABrokenFlow) {
  const std::vector<uint32_t> schedulers = {0, bpf::kDrServiceTracked | bpf::kDrServiceLeastFlows,
                                            bpf::kDrServiceTracked,
                                            bpf::kDrServiceTracked | bpf::kDrServiceByTurn};
  uint16_t first_port = 1000;
  for (const uint32_t from : schedulers) {
    for (const uint32_t to : schedulers) {
      for (const uint32_t flags : {from, to}) {
        entry_.flags = flags;
        Apply();
        EXPECT_EQ(Broken(), 0) << from << " to " << to;
        Open(first_port, 60);
        first_port = static_cast<uint16_t>(first_port + 60);
      }
    }
  }
  entry_.flags = 0;
  Apply();
  const uint32_t web = writer_->ServiceIndex(entry_.Key());
  EXPECT_EQ(tables().services[web].flags, 0u);
  EXPECT_EQ(Broken(), 0);
}

TEST_F(RingChangeTest, LimitsAreOfTheManifestAndMayChange) {
  entry_.flags = bpf::kDrServiceTracked;
  for (ServerEntry& server : entry_.servers) {
    server.connections_max = 10;
    server.connections_min = 5;
  }
  entry_.connections_max = 25;
  Apply();
  for (uint16_t port = 1000; port < 1025; ++port) EXPECT_NE(Send(port, kSyn), 0) << port;
  EXPECT_PASSED(TcpFrame(FlowOf(1025), kSyn), bpf::kDrReasonVipLimit);
  entry_.connections_max = 0;
  Apply();
  for (uint16_t port = 1025; port < 1030; ++port) EXPECT_NE(Send(port, kSyn), 0) << port;
  EXPECT_PASSED(TcpFrame(FlowOf(1030), kSyn), bpf::kDrReasonServersFull);
  entry_.servers[0].connections_max = 11;
  Apply();
  EXPECT_EQ(Send(1030, kSyn), 1) << "a higher limit ends being full";
  EXPECT_PASSED(TcpFrame(FlowOf(1031), kSyn), bpf::kDrReasonServersFull);
  // The next process finds the loads as they are.
  writer_ = std::make_unique<MapWriter>(store(), std::array<uint64_t, 2>{1, 1});
  ASSERT_TRUE(writer_->Adopt().ok());
  Apply();
  EXPECT_PASSED(TcpFrame(FlowOf(1031), kSyn), bpf::kDrReasonServersFull);
  EXPECT_EQ(tables().vips[writer_->VipIndex("default/web")].active, 31);
}

TEST_F(RingChangeTest, AServerThatComesBackIsNotTakenForFull) {
  entry_.flags = bpf::kDrServiceTracked | bpf::kDrServiceLeastFlows;
  for (ServerEntry& server : entry_.servers) server.connections_max = 20;
  Apply();
  Open(1000, 60);
  EXPECT_EQ(Shares()[2], 20);
  entry_.servers[1].usable = false;
  Apply();
  EXPECT_EQ(Broken(), 20);
  entry_.servers[1].usable = true;
  Apply();
  EXPECT_EQ(Broken(), 0) << "flows that outlast its absence are where they were";
  std::map<uint16_t, int> before;
  std::swap(before, server_of_);
  Open(2000, 20);
  EXPECT_EQ(Shares()[2], 20);
}

TEST_F(RingChangeTest, EveryVipOfTheTableIsForwarded) {
  std::vector<ServiceEntry> entries;
  for (uint32_t i = 0; i < bpf::kDrPortTables; ++i) {
    entries.push_back(entry_);
    entries.back().vip = "default/web-" + std::to_string(i);
    entries.back().addresses = {*net::IpAddress::Parse("10.9.0." + std::to_string(i + 1))};
  }
  // The table of the VIP that goes is not free yet while the others come.
  EXPECT_FALSE(writer_->Apply(entries, kNow).back().ok());
  for (const absl::Status& status : writer_->Apply(entries, kNow)) {
    ASSERT_TRUE(status.ok()) << status;
  }
  for (uint32_t i = 0; i < bpf::kDrPortTables; ++i) {
    const Flow flow = MakeFlow(kClient4, 1000, "10.9.0." + std::to_string(i + 1), 80);
    EXPECT_EQ(Run(TcpFrame(flow, kSyn)).verdict, XDP_TX) << i;
  }
  EXPECT_PASSED(TcpFrame(FlowOf(1), kSyn), bpf::kDrReasonNotOurs);
}

}  // namespace
}  // namespace fairlead::dataplane::dr
