// Loads and limits: what a recorded flow adds to its server and VIP and when it is taken off, who
// gets new flows by it, and whom nobody takes.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>
#include <vector>

#include "tests/packet/program_test.h"

namespace fairlead::dataplane::dr {
namespace {

constexpr uint8_t kFin = 0x11;  // with ACK
constexpr uint32_t kVip = 3;    // index of the VIP's load

class LoadTest : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    if (IsSkipped()) return;
    for (const uint32_t index : {kTcp4, kUdp4}) {
      service(index).flags = bpf::kDrServiceTracked;
      service(index).vip = kVip;
    }
    for (uint32_t index = 1; index <= 9; ++index) {
      load(index).vip = kVip;
      load(index).weight = 100 * bpf::kDrWeightUnit;
    }
    SetCandidates({1, 2, 3});
  }

  bpf::DrServerLoad& load(uint32_t index) { return tables().loads[index]; }
  bpf::DrVipLoad& vip() { return tables().vips[kVip]; }
  void SetCandidates(const std::vector<uint16_t>& servers) {
    std::copy(servers.begin(), servers.end(), tables().candidates[kTcp4]);
    std::copy(servers.begin(), servers.end(), tables().candidates[kUdp4]);
    service(kTcp4).candidates = static_cast<uint32_t>(servers.size());
    service(kUdp4).candidates = service(kTcp4).candidates;
  }
  void SetLimit(uint32_t index, uint32_t max, uint32_t resume) {
    load(index).connections_max = max;
    load(index).connections_resume = resume;
  }
  // Least flows over servers 1 and 2 of weight 100 and 3 of weight 50; turns by weight.
  void MakeLeastFlows() {
    service(kTcp4).flags |= bpf::kDrServiceLeastFlows;
    load(3).weight = 50 * bpf::kDrWeightUnit;
    SetRing(RingKind::kPresent, kTcp4, [](uint32_t slot) {
      return static_cast<uint16_t>(std::array{1, 2, 1, 2, 3}[slot % 5]);
    });
  }
  static Flow FlowOf(uint16_t port) { return MakeFlow(kClient4, port, kVip4, 80); }
  int Send(uint16_t port, uint8_t flags) { return ServerOf(TcpFrame(FlowOf(port), flags)); }
  int Open(uint16_t port) {
    const int opened = Send(port, kSyn);
    EXPECT_EQ(Send(port, kAck), opened);
    return opened;
  }
};

TEST_F(LoadTest, AFlowCountsFromItsSynToItsFin) {
  EXPECT_EQ(Send(1000, kSyn), 1);
  EXPECT_EQ(load(1).active, 1);
  EXPECT_EQ(vip().active, 1);
  EXPECT_EQ(Send(1000, kSyn), 1);  // sent again
  EXPECT_EQ(Send(1000, kAck), 1);
  EXPECT_EQ(Open(1001), 1);
  EXPECT_EQ(load(1).active, 2);
  for (int i = 0; i < 3; ++i) {  // retransmitted
    EXPECT_EQ(Send(1000, kFin), 1);
    EXPECT_EQ(load(1).active, 1) << i;
    EXPECT_EQ(vip().active, 1) << i;
  }
  FillRing(RingKind::kPresent, kTcp4, 2);
  EXPECT_EQ(Send(1000, kAck), 1) << "the rest of the close goes where the flow was";
  EXPECT_EQ(Send(1001, kReset), 1);
  EXPECT_EQ(Send(1001, kReset), 1);
  EXPECT_EQ(load(1).active, 0);
  EXPECT_EQ(vip().active, 0);
}

TEST_F(LoadTest, AResetInsteadOfTheHandshakesEndCountsToo) {
  EXPECT_EQ(Send(1000, kSyn), 1);
  EXPECT_EQ(Send(1000, kReset), 1);
  EXPECT_EQ(load(1).active, 0);
  EXPECT_EQ(Send(1000, kSyn), 1);  // the port anew
  EXPECT_EQ(load(1).active, 1);
}

TEST_F(LoadTest, APortUsedAnewEndsTheFormerFlow) {
  EXPECT_EQ(Open(1000), 1);
  FillRing(RingKind::kPresent, kTcp4, 2);
  EXPECT_EQ(Open(1000), 2);
  EXPECT_EQ(load(1).active, 0);
  EXPECT_EQ(load(2).active, 1);
  EXPECT_EQ(vip().active, 1);
  EXPECT_EQ(Flows().size(), 1u);
}

TEST_F(LoadTest, AServerThatIsGoneLosesTheFlowThatBeginsAnewElsewhere) {
  EXPECT_EQ(Send(1000, kSyn), 1);
  server(1).flags = 0;
  FillRing(RingKind::kPresent, kTcp4, 2);
  EXPECT_EQ(Send(1000, kSyn), 2);
  EXPECT_EQ(load(1).active, 0);
  EXPECT_EQ(load(2).active, 1);
}

TEST_F(LoadTest, UdpFlowsCount) {
  const Flow flow = MakeFlow(kClient4, 1000, kVip4, 53);
  EXPECT_EQ(ServerOf(UdpFrame(flow)), 1);
  EXPECT_EQ(ServerOf(UdpFrame(flow)), 1);
  EXPECT_EQ(load(1).active, 1);
  EXPECT_EQ(vip().active, 1);
  vip().connections_max = 1;
  EXPECT_PASSED(UdpFrame(MakeFlow(kClient4, 1001, kVip4, 53)), bpf::kDrReasonVipLimit);
  EXPECT_EQ(ServerOf(UdpFrame(flow)), 1);
}

TEST_F(LoadTest, RecordsThatAreGivenUpLeaveTheLoad) {
  std::vector<uint16_t> ports;
  uint32_t bucket = 0;
  for (uint32_t port = 1; port < 65536 && ports.size() < 3; ++port) {
    const uint32_t place = bpf::DrFlowBucketIndex(HashOf(kTcp4, FlowOf(uint16_t(port))));
    if (ports.empty()) bucket = place;
    if (place == bucket) ports.push_back(static_cast<uint16_t>(port));
  }
  ASSERT_GE(ports.size(), 2u) << "no two ports meet in a bucket";
  for (__u64& entry : store().flows()[bucket].entries) {  // seven others, of server 2
    entry = (0x1234567890ULL + static_cast<uint64_t>(&entry - store().flows()[bucket].entries))
                << bpf::kDrFlowTagShift |
            DR_FLOW_ESTABLISHED | 2;
  }
  load(2).active = 8;
  vip().active = 8;
  EXPECT_EQ(Open(ports[0]), 1);
  EXPECT_EQ(load(2).active, 7);
  EXPECT_EQ(load(1).active, 1);
  EXPECT_EQ(vip().active, 8);
  // What has ended goes first, and is on no load any more.
  EXPECT_EQ(Send(ports[0], kFin), 1);
  EXPECT_EQ(Open(ports[1]), 1);
  EXPECT_EQ(load(2).active, 7);
  EXPECT_EQ(load(1).active, 1);
  EXPECT_EQ(vip().active, 8);
}

TEST_F(LoadTest, LeastFlowsSharesByWeight) {
  MakeLeastFlows();
  std::map<int, int> flows;
  for (uint16_t port = 1000; port < 1500; ++port) ++flows[Open(port)];
  EXPECT_NEAR(flows[1], 200, 1);
  EXPECT_NEAR(flows[2], 200, 1);
  EXPECT_NEAR(flows[3], 100, 1);
  // Server 2's flows end: new ones go there until it has caught up.
  for (uint16_t port = 1000; port < 1500; ++port) {
    if (Send(port, kAck) == 2) Send(port, kFin);
  }
  EXPECT_EQ(load(2).active, 0);
  flows.clear();
  for (uint16_t port = 2000; port < 2180; ++port) ++flows[Open(port)];
  EXPECT_GE(flows[2], 179);
}

TEST_F(LoadTest, ShortFlowsShareByWeightToo) {
  MakeLeastFlows();
  std::map<int, int> flows;
  for (uint16_t port = 1000; port < 1500; ++port) {
    ++flows[Open(port)];
    Send(port, kFin);
  }
  // Each CPU has turns of its own; the test may move from one to another now and then.
  EXPECT_NEAR(flows[1], 200, 5);
  EXPECT_NEAR(flows[2], 200, 5);
  EXPECT_NEAR(flows[3], 100, 5);
}

TEST_F(LoadTest, LeastFlowsLooksAtABoundedNumberOfServers) {
  service(kTcp4).flags |= bpf::kDrServiceLeastFlows;
  for (uint32_t i = 0; i < 2 * bpf::kDrCandidatesMax; ++i) {
    const uint32_t index = 100 + i;
    server(index) = server(9);
    load(index).active = 5;
    load(index).weight = bpf::kDrWeightUnit;
    load(index).vip = kVip;
    if (i < bpf::kDrCandidatesMax) tables().candidates[kTcp4][i] = static_cast<uint16_t>(index);
  }
  bpf::DrServerLoad& least = load(100 + bpf::kDrCandidatesMax - 1);
  least.active = 3;
  service(kTcp4).candidates = bpf::kDrCandidatesMax;
  EXPECT_EQ(Send(1000, kSyn), 9);
  EXPECT_EQ(least.active, 4) << "the last one is seen";
  // Of more servers, the least loaded among the next ones in turn: within two turns, of all.
  SetRing(RingKind::kPresent, kTcp4, [](uint32_t slot) {
    return static_cast<uint16_t>(100 + slot % (2 * bpf::kDrCandidatesMax));
  });
  service(kTcp4).candidates = 2 * bpf::kDrCandidatesMax;
  load(100 + 2 * bpf::kDrCandidatesMax - 1).active = 1;
  least.active = 2;
  for (uint16_t port = 2000; port < 2012; ++port) EXPECT_EQ(Send(port, kSyn), 9);
  EXPECT_GE(least.active, 5);
  EXPECT_GE(load(100 + 2 * bpf::kDrCandidatesMax - 1).active, 5);
}

TEST_F(LoadTest, AFullServersFlowsGoToTheNextOneAndStay) {
  SetRing(RingKind::kPresent, kTcp4,
          [](uint32_t slot) { return static_cast<uint16_t>(1 + slot / 2048); });
  uint16_t port = 1000;
  const auto next_of_first = [&] {
    while (SlotOf(kTcp4, FlowOf(port)) >= 2048 - 40) ++port;
    return port++;
  };
  SetLimit(1, 3, 1);
  SetCandidates({1, 2});
  const std::vector<uint16_t> first = {next_of_first(), next_of_first(), next_of_first()};
  for (const uint16_t opened : first) EXPECT_EQ(Open(opened), 1);
  const uint16_t moved = next_of_first();
  EXPECT_EQ(Open(moved), 2) << "too far from the next owner: the least loaded takes it";
  EXPECT_EQ(Send(first[0], kFin), 1);
  EXPECT_EQ(load(1).active, 2);
  EXPECT_EQ(Open(next_of_first()), 2) << "full until it is at 1";
  EXPECT_EQ(Send(first[1], kFin), 1);
  EXPECT_EQ(Open(next_of_first()), 1);
  EXPECT_EQ(Open(next_of_first()), 1);
  EXPECT_EQ(load(1).active, 3);
  EXPECT_EQ(Open(next_of_first()), 2);
  EXPECT_EQ(Send(moved, kAck), 2);
  EXPECT_EQ(Send(first[2], kAck), 1);
}

TEST_F(LoadTest, ByTurnAFullServerIsPassedOver) {
  service(kTcp4).flags |= bpf::kDrServiceByTurn;
  SetRing(RingKind::kPresent, kTcp4, [](uint32_t slot) { return uint16_t(1 + slot % 3); });
  SetLimit(2, 5, 4);
  std::map<int, int> flows;
  for (uint16_t port = 1000; port < 1090; ++port) ++flows[Open(port)];
  EXPECT_EQ(flows[2], 5);
  EXPECT_EQ(flows[1] + flows[3], 85);
}

TEST_F(LoadTest, WhenAllAreFullNewFlowsAreTurnedAway) {
  for (const uint32_t index : {1u, 2u, 3u}) SetLimit(index, 2, 1);
  std::map<int, int> flows;
  for (uint16_t port = 1000; port < 1006; ++port) ++flows[Open(port)];
  EXPECT_EQ(flows, (std::map<int, int>{{1, 2}, {2, 2}, {3, 2}}));
  EXPECT_PASSED(TcpFrame(FlowOf(2000), kSyn), bpf::kDrReasonServersFull);
  service(kTcp4).flags |= bpf::kDrServiceLeastFlows;
  EXPECT_PASSED(TcpFrame(FlowOf(2000), kSyn), bpf::kDrReasonServersFull);
  service(kTcp4).flags |= bpf::kDrServiceDropUnserved;
  EXPECT_DROPPED(TcpFrame(FlowOf(2000), kSyn), bpf::kDrReasonServersFull);
  EXPECT_EQ(vip().active, 6);
  EXPECT_EQ(Count(bpf::kDrReasonUnserved), 0u);
  EXPECT_NE(Send(1005, kAck), 0) << "running flows go on";
}

TEST_F(LoadTest, AVipAtItsLimitTurnsNewFlowsAway) {
  vip().connections_max = 2;
  EXPECT_EQ(Open(1000), 1);
  EXPECT_EQ(Open(1001), 1);
  EXPECT_PASSED(TcpFrame(FlowOf(1002), kSyn), bpf::kDrReasonVipLimit);
  service(kTcp4).flags |= bpf::kDrServiceDropUnserved;
  EXPECT_DROPPED(TcpFrame(FlowOf(1002), kSyn), bpf::kDrReasonVipLimit);
  EXPECT_EQ(vip().refused, 2u);
  EXPECT_EQ(vip().active, 2);
  EXPECT_EQ(load(1).active, 2);
  EXPECT_EQ(Send(1000, kFin), 1);
  EXPECT_EQ(Open(1002), 1);
}

TEST_F(LoadTest, WithoutAUsableServerItIsNotTheLimitThatIsBlamed) {
  for (const uint32_t index : {1u, 2u, 3u}) server(index).flags = 0;
  EXPECT_PASSED(TcpFrame(FlowOf(1000), kSyn), bpf::kDrReasonUnserved);
  FillRing(RingKind::kPresent, kTcp4, 0);
  SetCandidates({});
  EXPECT_PASSED(TcpFrame(FlowOf(1000), kSyn), bpf::kDrReasonUnserved);
  EXPECT_EQ(vip().active, 0);
}

TEST_F(LoadTest, APersistentClientsFlowsCountOneByOne) {
  service(kTcp4).flags |= bpf::kDrServiceBySource | bpf::kDrServicePersistent;
  service(kTcp4).client_mask_ipv4 = 0xffffffff;
  EXPECT_EQ(Open(1000), 1);
  FillRing(RingKind::kPresent, kTcp4, 2);
  EXPECT_EQ(Open(1001), 1) << "the client keeps its server";
  EXPECT_EQ(load(1).active, 2);
  EXPECT_EQ(Flows().size(), 3u);
  EXPECT_EQ(Send(1000, kFin), 1);
  EXPECT_EQ(load(1).active, 1);
  SetLimit(1, 1, 0);
  load(1).full = 1;
  EXPECT_EQ(Open(1002), 2) << "the limit breaks persistence";
  EXPECT_EQ(Send(1001, kAck), 1);
  EXPECT_EQ(Send(1001, kFin), 1);
  EXPECT_EQ(Open(1003), 2) << "and the client stays where it went";
}

TEST_F(LoadTest, AHeldServerKeepsItsFlowsButNoClients) {
  service(kTcp4).flags |= bpf::kDrServiceBySource | bpf::kDrServicePersistent;
  service(kTcp4).client_mask_ipv4 = 0xffffffff;
  EXPECT_EQ(Open(1000), 1);
  EXPECT_EQ(Send(1001, kSyn), 1) << "to which nothing comes back";
  server(1).flags |= bpf::kDrServerHeld;
  FillRing(RingKind::kPresent, kTcp4, 2);
  EXPECT_EQ(Send(1000, kAck), 1);
  EXPECT_EQ(Send(1001, kSyn), 2) << "and is sent again";
  EXPECT_EQ(Send(1001, kAck), 2);
  EXPECT_EQ(Open(1002), 2);
  EXPECT_EQ(load(1).active, 1);
  EXPECT_EQ(load(2).active, 2);
  EXPECT_EQ(vip().active, 3);
  server(1).flags &= static_cast<uint16_t>(~bpf::kDrServerHeld);
  EXPECT_EQ(Open(1003), 2) << "the client stays where it went";
  EXPECT_EQ(Send(1000, kAck), 1);
}

TEST_F(LoadTest, ALocalServerIsChosenCountedAndPassed) {
  MakeLeastFlows();
  server(3).flags |= bpf::kDrServerLocal;
  load(1).active = 10;
  load(2).active = 10;
  vip().active = 20;
  EXPECT_PASSED(TcpFrame(FlowOf(1000), kSyn), bpf::kDrReasonLocalServer);
  EXPECT_PASSED(TcpFrame(FlowOf(1000), kAck), bpf::kDrReasonLocalServer);
  EXPECT_EQ(load(3).active, 1);
  EXPECT_PASSED(TcpFrame(FlowOf(1000), kFin), bpf::kDrReasonLocalServer);
  EXPECT_EQ(load(3).active, 0);
}

TEST_F(LoadTest, AQuotedFlowChangesNothing) {
  EXPECT_EQ(Open(1000), 1);
  const std::vector<uint64_t> before = Flows();
  const Flow flow = FlowOf(1000);
  const Bytes quoted = Ipv4(flow.Reversed(), IPPROTO_TCP, Tcp(flow.Reversed(), kFin));
  const Bytes error = Ethernet(kTypeIpv4, Ipv4(flow, IPPROTO_ICMP, Icmp(3, 4, quoted)));
  EXPECT_EQ(ServerOf(error), 1);
  EXPECT_EQ(Flows(), before);
  EXPECT_EQ(load(1).active, 1);
}

TEST_F(LoadTest, WhereNotEveryFlowIsRecordedNoneCounts) {
  service(kTcp4).flags = 0;
  service(kUdp4).flags = 0;
  MakeDirty(kTcp4, 1, 2);
  MakeDirty(kUdp4, 1, 2);
  vip().connections_max = 1;
  for (uint16_t port = 1000; port < 1005; ++port) {
    EXPECT_EQ(Open(port), 2);
    EXPECT_EQ(ServerOf(UdpFrame(MakeFlow(kClient4, port, kVip4, 53))), 2);
  }
  EXPECT_EQ(Flows().size(), 10u);
  EXPECT_EQ(load(2).active, 0);
  EXPECT_EQ(vip().active, 0);
  for (const uint32_t index : {kTcp4, kUdp4}) service(index).flags = bpf::kDrServiceTracked;
  EXPECT_EQ(Send(1000, kFin), 2) << "begun before that: not taken off";
  EXPECT_EQ(load(2).active, 0);
  EXPECT_EQ(Open(2000), 2);
  EXPECT_EQ(vip().active, 1);
}

// A client of a dirty slot has a flow that is older than the change, and opens another one.
TEST_F(LoadTest, BySourceEveryFlowOfAClientHasARecordOfItsOwn) {
  service(kTcp4).flags = bpf::kDrServiceBySource;
  service(kTcp4).client_mask_ipv4 = 0xffffffff;
  MakeDirty(kTcp4, 1, 2);
  EXPECT_EQ(Send(1000, kAck), 1);
  EXPECT_EQ(Open(1001), 2);
  EXPECT_EQ(Send(1000, kAck), 1);
  ASSERT_EQ(Flows().size(), 1u);
  EXPECT_EQ(bpf::DrRingSlot(Flows()[0], bpf::kDrRingSlotsMin - 1), SlotOf(kTcp4, FlowOf(1)))
      << "the record tells the slot";
}

}  // namespace
}  // namespace fairlead::dataplane::dr
