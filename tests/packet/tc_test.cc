// tc's entry of the program: what XDP's does to a frame, it does too. VLAN tags, which tc finds
// beside the frame, are tested end to end: BPF_PROG_TEST_RUN gives a socket buffer none.
#include <gtest/gtest.h>
#include <linux/pkt_cls.h>

#include "tests/packet/program_test.h"

namespace fairlead::dataplane::dr {
namespace {

class TcTest : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    if (IsSkipped()) return;
    tables().interfaces[kArrival].ifindex = kArrival;
  }
  // The frame meets the same fate under both, for the same reason, and leaves with the same bytes.
  void ExpectSameAsXdp(const Bytes& frame, const char* what) {
    const ReasonCounts before = Reasons();
    const Outcome xdp = Run(frame);
    const ReasonCounts between = Reasons();
    const Outcome tc = RunTc(frame);
    const ReasonCounts after = Reasons();
    EXPECT_EQ(tc.frame, xdp.frame) << what;
    EXPECT_EQ(tc.verdict, TcVerdict(xdp.verdict)) << what;
    for (uint32_t reason = 0; reason < bpf::kDrReasons; ++reason) {
      EXPECT_EQ(after[reason] - between[reason], between[reason] - before[reason])
          << what << ", reason " << reason;
    }
  }
  static uint32_t TcVerdict(uint32_t xdp) {
    if (xdp == XDP_PASS) return static_cast<uint32_t>(TC_ACT_UNSPEC);
    return xdp == XDP_DROP ? TC_ACT_SHOT : TC_ACT_REDIRECT;
  }
  ReasonCounts Reasons() { return *store().Reasons(); }
};

TEST_F(TcTest, ForwardsWithNewMacsAlone) {
  for (const Bytes& frame : {TcpFrame(MakeFlow(kClient4, 40000, kVip4, 80), kSyn),
                             UdpFrame(MakeFlow(kClient4, 40000, kVip4, 53)),
                             TcpFrame(MakeFlow(kClient6, 40000, kVip6, 80), kAck),
                             UdpFrame(MakeFlow(kClient6, 40000, kVip6, 53))}) {
    const Outcome outcome = RunTc(frame);
    EXPECT_EQ(outcome.verdict, uint32_t{TC_ACT_REDIRECT});
    Bytes wanted = frame;
    std::copy_n(ServerMac(1).begin(), 6, wanted.begin());
    std::copy_n(kOwnMac.begin(), 6, wanted.begin() + 6);
    EXPECT_EQ(outcome.frame, wanted);
  }
  EXPECT_EQ(ServerCounts(1).packets, 4u);
}

TEST_F(TcTest, MeetsTheSameFateAsUnderXdp) {
  const Flow flow = MakeFlow(kClient4, 40000, kVip4, 80);
  const Flow flow6 = MakeFlow(kClient6, 40000, kVip6, 80);
  ExpectSameAsXdp(TcpFrame(flow, kSyn), "SYN");
  ExpectSameAsXdp(TcpFrame(flow6, kSyn), "SYN over IPv6");
  ExpectSameAsXdp(TcpFrame(MakeFlow(kClient4, 40000, kVip4, 81), kSyn), "port not served");
  ExpectSameAsXdp(TcpFrame(MakeFlow(kClient4, 40000, "10.10.10.9", 80), kSyn), "not to a VIP");
  ExpectSameAsXdp(Ethernet(kTypeIpv4, Ipv4(flow, IPPROTO_TCP, Tcp(flow, kSyn)), kRouterMac),
                  "another MAC");
  ExpectSameAsXdp(
      Ethernet(kTypeIpv4, Ipv4(flow, IPPROTO_TCP, Tcp(flow, kSyn), {.options = Bytes(40, 1)})),
      "options");
  ExpectSameAsXdp(Ethernet(kTypeIpv4, Ipv4(flow, IPPROTO_TCP, Bytes(8, 0))), "no whole header");
  const Flow udp = MakeFlow(kClient4, 40000, kVip4, 53);
  ExpectSameAsXdp(
      Ethernet(kTypeIpv4, Ipv4(udp, IPPROTO_UDP, Bytes(64, 7), {.fragment = 0x2005, .id = 9})),
      "fragment without its first");
  const Bytes quoted = Ipv4(flow.Reversed(), IPPROTO_TCP, Tcp(flow.Reversed(), kAck));
  ExpectSameAsXdp(Ethernet(kTypeIpv4, Ipv4(MakeFlow("10.10.10.1", 0, kVip4, 0), IPPROTO_ICMP,
                                           Icmp(3, 4, quoted))),
                  "ICMP error");
  ExpectSameAsXdp(Ethernet(kTypeIpv6, Ipv6(flow6, IPPROTO_HOPOPTS,
                                           Extension(IPPROTO_TCP, 1, Tcp(flow6, kSyn)))),
                  "extension header");
  server(1).flags = 0;
  ExpectSameAsXdp(TcpFrame(flow, kSyn), "unserved");
  service(kTcp4).flags = bpf::kDrServiceDropUnserved;
  ExpectSameAsXdp(TcpFrame(flow, kSyn), "unserved, dropped");
}

TEST_F(TcTest, TheTagInTheFrameIsTheServers) {
  const Flow flow = MakeFlow(kClient4, 40000, kVip4, 80);
  const Bytes tagged =
      Ethernet(kTypeVlan, VlanTag(5, kTypeIpv4, Ipv4(flow, IPPROTO_TCP, Tcp(flow, kSyn))));
  ExpectSameAsXdp(tagged, "another VLAN");
  server(1).flags = bpf::kDrServerUsable | 5;
  ExpectSameAsXdp(tagged, "the server's VLAN");
}

TEST_F(TcTest, AnotherInterfaceIsFoundByItsIndex) {
  const Bytes frame = TcpFrame(MakeFlow(kClient4, 40000, kVip4, 80), kSyn);
  server(1).interface = 7;
  EXPECT_EQ(RunTc(frame).verdict, uint32_t{TC_ACT_SHOT});
  EXPECT_EQ(Count(bpf::kDrReasonMapMissing), 1u);
  tables().interfaces[7].ifindex = 7;
  EXPECT_EQ(RunTc(frame).verdict, uint32_t{TC_ACT_REDIRECT});
  EXPECT_EQ(Count(bpf::kDrReasonMapMissing), 1u);
}

TEST_F(TcTest, SharesTheFlowTableWithXdp) {
  MakeDirty(kTcp4, 1, 2);
  const Flow flow = MakeFlow(kClient4, 40000, kVip4, 80);
  EXPECT_EQ(ServerOf(TcpFrame(flow, kSyn)), 2);  // by XDP, recorded
  FillRing(RingKind::kBase, kTcp4, 3);
  const Outcome outcome = RunTc(TcpFrame(flow, kAck));
  EXPECT_EQ(outcome.verdict, uint32_t{TC_ACT_REDIRECT});
  EXPECT_EQ(outcome.frame[5], 2);
  EXPECT_EQ(ServerCounts(2).recorded, 1u);
}

}  // namespace
}  // namespace fairlead::dataplane::dr
