// Who gets a packet: the table of choose.bpf.h, row by row, and the flow table behind it.
#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <vector>

#include "tests/packet/program_test.h"

namespace fairlead::dataplane::dr {
namespace {

using ChooseTest = ProgramTest;

Flow TcpFlow(uint16_t client_port) { return MakeFlow(kClient4, client_port, kVip4, 80); }
Flow UdpFlow(uint16_t client_port) { return MakeFlow(kClient4, client_port, kVip4, 53); }

uint64_t NowNs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

uint32_t ServerIn(uint64_t entry) { return entry & bpf::kDrFlowServerMask; }
bool IsEstablished(uint64_t entry) { return (entry & DR_FLOW_ESTABLISHED) != 0; }

TEST_F(ChooseTest, ADirtySlotGivesASynToTheNewOwnerAndRecordsIt) {
  MakeDirty(kTcp4, 1, 2);
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), kSyn)), 2);
  ASSERT_EQ(Flows().size(), 1u);
  EXPECT_EQ(ServerIn(Flows()[0]), 2u);
  EXPECT_FALSE(IsEstablished(Flows()[0]));
  EXPECT_EQ(Flows()[0] >> bpf::kDrFlowTagShift,
            HashOf(kTcp4, TcpFlow(1000)) >> bpf::kDrFlowTagShift);
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), kAck)), 2);
  ASSERT_EQ(Flows().size(), 1u);
  EXPECT_TRUE(IsEstablished(Flows()[0]));
  EXPECT_EQ(ServerCounts(2).recorded, 1u);
  EXPECT_EQ(ServerCounts(2).flows, 1u);
}

TEST_F(ChooseTest, ADirtySlotLeavesOlderFlowsWithTheirServer) {
  MakeDirty(kTcp4, 1, 2);
  for (const uint8_t flags : {kAck, kSynAck, kReset, uint8_t{0x11}, uint8_t{0}}) {
    EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), flags)), 1) << int{flags};
  }
  EXPECT_TRUE(Flows().empty()) << "what did not begin here is not recorded";
}

TEST_F(ChooseTest, ARecordedFlowStaysThroughFurtherChanges) {
  MakeDirty(kTcp4, 1, 2);
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), kSyn)), 2);
  MakeDirty(kTcp4, 1, 3);
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1001), kSyn)), 3);
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), kAck)), 2);
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1001), kAck)), 3);
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1002), kAck)), 1);
  // Back to the first owner.
  MakeDirty(kTcp4, 1, 1);
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), kAck)), 2);
}

TEST_F(ChooseTest, ASynSentAgainStaysUntilTheFlowIsEstablished) {
  MakeDirty(kTcp4, 1, 2);
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), kSyn)), 2);
  MakeDirty(kTcp4, 1, 3);
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), kSyn)), 2);
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), kAck)), 2);
  // Now the client's port is used anew: a new connection.
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), kSyn)), 3);
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), kAck)), 3);
  EXPECT_EQ(Flows().size(), 1u);
}

TEST_F(ChooseTest, AServerThatIsGoneMovesItsOwnFlowsAlone) {
  MakeDirty(kTcp4, 1, 2);
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), kSyn)), 2);
  MakeDirty(kTcp4, 1, 3);
  server(2).flags = 0;
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), kAck)), 1);  // unrecorded: the base, as if older
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1001), kAck)), 1);
  server(1).flags = 0;
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1001), kAck)), 3);
}

TEST_F(ChooseTest, CleanSlotsOfAChangedRingTouchNoTable) {
  const Flow clean = TcpFlow(1000);
  const uint32_t slot = SlotOf(kTcp4, clean);
  SetRing(RingKind::kPresent, kTcp4,
          [&](uint32_t i) { return static_cast<uint16_t>(i == slot ? 1 : 2 | bpf::kDrSlotDirty); });
  EXPECT_EQ(ServerOf(TcpFrame(clean, kSyn)), 1);
  EXPECT_EQ(ServerOf(TcpFrame(clean, kAck)), 1);
  EXPECT_TRUE(Flows().empty());
}

TEST_F(ChooseTest, WithoutABaseAnOlderFlowGoesToTheOwner) {
  FillRing(RingKind::kPresent, kTcp4, 2 | bpf::kDrSlotDirty);
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), kAck)), 2);
}

TEST_F(ChooseTest, UdpWithinTheGraceIsTakenForOlder) {
  MakeDirty(kUdp4, 1, 2);
  service(kUdp4).udp_grace_until_ns = NowNs() + 60'000'000'000;
  EXPECT_EQ(ServerOf(UdpFrame(UdpFlow(1000))), 1);
  ASSERT_EQ(Flows().size(), 1u);
  // And stays there when the grace is over, as it is recorded.
  service(kUdp4).udp_grace_until_ns = NowNs() - 1'000'000'000;
  EXPECT_EQ(ServerOf(UdpFrame(UdpFlow(1000))), 1);
  EXPECT_EQ(ServerOf(UdpFrame(UdpFlow(1001))), 2);
  EXPECT_EQ(ServerOf(UdpFrame(UdpFlow(1001))), 2);
  EXPECT_EQ(Flows().size(), 2u);
  EXPECT_EQ(ServerCounts(2).flows, 1u);
}

TEST_F(ChooseTest, ATrackedServiceRecordsEveryFlow) {
  service(kTcp4).flags = bpf::kDrServiceTracked;
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), kSyn)), 1);
  FillRing(RingKind::kPresent, kTcp4, 2);  // clean: there is no window
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), kAck)), 1);
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1001), kSyn)), 2);
  EXPECT_EQ(Flows().size(), 2u);
}

TEST_F(ChooseTest, ByTurnNewFlowsGoRoundByWeight) {
  service(kTcp4).flags = bpf::kDrServiceTracked | bpf::kDrServiceByTurn;
  service(kTcp4).candidates = 3;
  const std::array<int, 4> shares = {0, 200, 150, 50};
  for (uint16_t index = 1; index <= 3; ++index) {
    tables().candidates[kTcp4][index - 1] = index;
    tables().loads[index].weight = static_cast<uint32_t>(shares[index]) * bpf::kDrWeightUnit;
  }
  std::array<int, 4> flows{};
  std::vector<int> servers;
  for (uint16_t port = 1000; port < 1400; ++port) {
    servers.push_back(ServerOf(TcpFrame(TcpFlow(port), kSyn)));
    ++flows[static_cast<size_t>(servers.back())];
  }
  // Each CPU counts for itself; the test may move from one to another now and then.
  for (size_t index = 1; index <= 3; ++index) EXPECT_NEAR(flows[index], shares[index], 4) << index;
  for (uint16_t port = 1000; port < 1400; ++port) {
    EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(port), kAck)), servers[port - 1000u]);
  }
}

TEST_F(ChooseTest, ByTurnOverManyServersTheRingIsFollowed) {
  service(kTcp4).flags = bpf::kDrServiceTracked | bpf::kDrServiceByTurn;
  service(kTcp4).candidates = bpf::kDrCandidatesMax + 1;
  SetRing(RingKind::kPresent, kTcp4, [](uint32_t slot) { return uint16_t(1 + slot % 4); });
  std::array<int, 5> flows{};
  for (uint16_t port = 1000; port < 1400; ++port) {
    ++flows[static_cast<size_t>(ServerOf(TcpFrame(TcpFlow(port), kSyn)))];
  }
  for (size_t index = 1; index <= 4; ++index) EXPECT_NEAR(flows[index], 100, 8);
}

TEST_F(ChooseTest, APersistentClientKeepsItsServerForNewConnections) {
  service(kTcp4).flags =
      bpf::kDrServiceTracked | bpf::kDrServiceBySource | bpf::kDrServicePersistent;
  service(kTcp4).client_mask_ipv4 = 0xffffffff;
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), kSyn)), 1);
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), kAck)), 1);
  FillRing(RingKind::kPresent, kTcp4, 2);
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1001), kSyn)), 1);
  EXPECT_EQ(ServerOf(TcpFrame(MakeFlow("10.10.10.21", 1, kVip4, 80), kSyn)), 2);
  server(1).flags = 0;  // persistence to a dead server is broken
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1002), kSyn)), 2);
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1002), kAck)), 2);
}

// Client ports whose flows meet in one bucket.
std::vector<Flow> FlowsOfOneBucket(size_t count, const std::function<uint64_t(const Flow&)>& hash) {
  std::vector<Flow> flows;
  uint32_t bucket = 0;
  for (uint32_t i = 0; flows.size() < count; ++i) {
    const std::string client =
        "10." + std::to_string(i >> 22) + "." + std::to_string(i >> 14 & 255) + ".1";
    const Flow flow = MakeFlow(client, static_cast<uint16_t>(1024 + (i & 16383)), kVip4, 80);
    const uint32_t place = bpf::DrFlowBucketIndex(hash(flow));
    if (flows.empty()) bucket = place;
    if (place == bucket) flows.push_back(flow);
  }
  return flows;
}

TEST_F(ChooseTest, AFullBucketGivesUpSynsBeforeEstablishedFlows) {
  MakeDirty(kTcp4, 1, 2);
  const std::vector<Flow> flows =
      FlowsOfOneBucket(40, [this](const Flow& flow) { return HashOf(kTcp4, flow); });
  for (size_t i = 0; i < 7; ++i) {
    EXPECT_EQ(ServerOf(TcpFrame(flows[i], kSyn)), 2);
    EXPECT_EQ(ServerOf(TcpFrame(flows[i], kAck)), 2);
  }
  // A flood: each takes the place of the one before.
  for (size_t i = 7; i < flows.size(); ++i) EXPECT_EQ(ServerOf(TcpFrame(flows[i], kSyn)), 2);
  EXPECT_EQ(Flows().size(), 8u);
  for (size_t i = 0; i < 7; ++i) EXPECT_EQ(ServerOf(TcpFrame(flows[i], kAck)), 2) << i;
  EXPECT_EQ(ServerOf(TcpFrame(flows.back(), kAck)), 2);
  EXPECT_EQ(ServerOf(TcpFrame(flows[7], kAck)), 1) << "given up: taken for older than the change";
  EXPECT_EQ(Count(bpf::kDrReasonTableContended), 0u);
}

TEST_F(ChooseTest, AmongEstablishedFlowsTheLongestUnusedIsGivenUp) {
  MakeDirty(kTcp4, 1, 2);
  service(kTcp4).age_shift = 0;  // a unit of 1 ns: every age is made below
  const std::vector<Flow> flows =
      FlowsOfOneBucket(9, [this](const Flow& flow) { return HashOf(kTcp4, flow); });
  service(kTcp4).age_shift = 63;  // ages by hand: now is 0
  bpf::DrFlowBucket& bucket = store().flows()[bpf::DrFlowBucketIndex(HashOf(kTcp4, flows[0]))];
  for (size_t i = 0; i < 8; ++i) {
    const uint64_t tag = HashOf(kTcp4, flows[i]) >> bpf::kDrFlowTagShift << bpf::kDrFlowTagShift;
    const uint64_t idle_units = i == 5 ? 100 : 10 + i;
    const uint64_t age = (0 - idle_units) & bpf::kDrFlowAgeMask;
    bucket.entries[i] = tag | DR_FLOW_ESTABLISHED | age << bpf::kDrFlowAgeShift | 2;
  }
  EXPECT_EQ(ServerOf(TcpFrame(flows[8], kSyn)), 2);
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(ServerOf(TcpFrame(flows[i], kAck)), i == 5 ? 1 : 2) << i;
  }
}

TEST_F(ChooseTest, APacketOfTheFlowRenewsItsAge) {
  MakeDirty(kTcp4, 1, 2);
  service(kTcp4).age_shift = 20;  // 1 ms: some units after boot
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), kSyn)), 2);
  bpf::DrFlowBucket& bucket = store().flows()[bpf::DrFlowBucketIndex(HashOf(kTcp4, TcpFlow(1000)))];
  const auto age_now = [] { return NowNs() >> 20 & bpf::kDrFlowAgeMask; };
  for (__u64& entry : bucket.entries) {
    if (entry == 0) continue;
    entry &= ~(uint64_t{bpf::kDrFlowAgeMask} << bpf::kDrFlowAgeShift);
    entry |= ((age_now() + 64) & bpf::kDrFlowAgeMask) << bpf::kDrFlowAgeShift;
  }
  EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), kAck)), 2);
  ASSERT_EQ(Flows().size(), 1u);
  const uint64_t age = Flows()[0] >> bpf::kDrFlowAgeShift & bpf::kDrFlowAgeMask;
  // CLOCK_MONOTONIC_COARSE lags by a tick of up to 10 ms.
  EXPECT_LE((age_now() - age) & bpf::kDrFlowAgeMask, 30u);
}

TEST_F(ChooseTest, TheClockThatIsKeptFollowsTheKernels) {
  MakeDirty(kTcp4, 1, 2);
  const auto behind_ns = [this] {
    EXPECT_EQ(ServerOf(TcpFrame(TcpFlow(1000), kAck)), 1);
    return NowNs() - tables().config.clock;
  };
  for (int i = 0; i < 3; ++i) {
    EXPECT_LT(behind_ns(), 100'000'000u);  // ticks are of 10 ms at most
    ::usleep(150'000);
    EXPECT_GE(NowNs() - tables().config.clock, 150'000'000u) << "nobody writes it but the program";
  }
}

TEST_F(ChooseTest, AFloodOfSynsEvictsNoEstablishedFlow) {
  MakeDirty(kTcp4, 1, 2);
  std::vector<Flow> established;
  for (uint16_t port = 1; port <= 1000; ++port) {
    established.push_back(MakeFlow("10.1.0.1", port, kVip4, 80));
    EXPECT_EQ(ServerOf(TcpFrame(established.back(), kSyn)), 2);
    EXPECT_EQ(ServerOf(TcpFrame(established.back(), kAck)), 2);
  }
  // Every other place is taken by a flow that never got past its SYN.
  for (bpf::DrFlowBucket& bucket : store().flows()) {
    for (__u64& entry : bucket.entries) {
      if (entry == 0) entry = 0x1234567890ULL << bpf::kDrFlowTagShift | 2;
    }
  }
  for (uint32_t i = 0; i < 20'000; ++i) {
    const std::string client =
        "10.2." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255);
    Run(TcpFrame(MakeFlow(client, static_cast<uint16_t>(i), kVip4, 80), kSyn));
  }
  for (const Flow& flow : established) EXPECT_EQ(ServerOf(TcpFrame(flow, kAck)), 2);
}

}  // namespace
}  // namespace fairlead::dataplane::dr
