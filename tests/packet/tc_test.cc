// tc's entry of the program: what XDP's does to a frame, it does too. VLAN tags, which tc finds
// beside the frame, are tested on a veth: BPF_PROG_TEST_RUN gives a socket buffer none.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <optional>

#include "pkg/dataplane/dr/attach_point.h"
#include "tests/packet/program_test.h"
#include "tests/packet/veth_pair.h"

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

// Sends at the far end of the pair, and hears what comes back there.
class FarEnd {
 public:
  FarEnd() : fd_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);  // others get a frame without its tag
    address.sll_ifindex = static_cast<int>(::if_nametoindex("far"));
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    const int on = 1;
    EXPECT_EQ(::setsockopt(fd_.get(), SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)), 0);
  }
  void Send(const Bytes& frame) {
    EXPECT_EQ(::send(fd_.get(), frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size()));
  }
  // The VLAN (0 = untagged) that a frame to this MAC comes back in; nothing within the time.
  std::optional<uint16_t> VlanOfFrameTo(const Mac& mac, int milliseconds) {
    pollfd wait = {fd_.get(), POLLIN, 0};
    while (::poll(&wait, 1, milliseconds) == 1) {
      Bytes frame(2048);
      iovec part = {frame.data(), frame.size()};
      alignas(cmsghdr) char control[256];
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = sizeof(control);
      if (::recvmsg(fd_.get(), &message, 0) < 14) continue;
      if (!std::equal(mac.begin(), mac.end(), frame.begin())) continue;
      for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
        if (at->cmsg_level != SOL_PACKET || at->cmsg_type != PACKET_AUXDATA) continue;
        tpacket_auxdata data{};
        std::memcpy(&data, CMSG_DATA(at), sizeof(data));
        return (data.tp_status & TP_STATUS_VLAN_VALID) != 0 ? data.tp_vlan_tci & 0xfff : 0;
      }
    }
    return std::nullopt;
  }

 private:
  base::UniqueFd fd_;
};

TEST_F(TcTest, TheTagBesideTheFrameIsTheServersAndLeavesWithIt) {
  WithVethPair([&](uint32_t near) {
    ASSERT_EQ(OutputOf("ip link set near address 02:00:00:00:00:01"), "");  // kOwnMac
    const auto link = Attach({AttachMode::kTcx, near}, tc_program(), directory());
    if (!link.ok()) GTEST_SKIP() << "TCX needs Linux 6.6: " << link.status();
    server(1).interface = static_cast<uint16_t>(near);
    server(1).flags = bpf::kDrServerUsable | 5;
    const Flow flow = MakeFlow(kClient4, 40000, kVip4, 80);
    const Bytes datagram = Ipv4(flow, IPPROTO_TCP, Tcp(flow, kSyn));
    FarEnd far;
    far.Send(Ethernet(kTypeVlan, VlanTag(5, kTypeIpv4, datagram)));
    EXPECT_EQ(far.VlanOfFrameTo(ServerMac(1), 2000), 5);
    far.Send(Ethernet(kTypeVlan, VlanTag(6, kTypeIpv4, datagram)));
    far.Send(Ethernet(kTypeIpv4, datagram));
    EXPECT_EQ(far.VlanOfFrameTo(ServerMac(1), 200), std::nullopt);
    EXPECT_EQ(Count(bpf::kDrReasonOtherVlan), 2u);
    server(1).flags = bpf::kDrServerUsable;
    far.Send(Ethernet(kTypeIpv4, datagram));
    EXPECT_EQ(far.VlanOfFrameTo(ServerMac(1), 2000), 0);
    ::unlink((directory() + "/" + AttachPoint{AttachMode::kTcx, near}.PinName()).c_str());
  });
}

}  // namespace
}  // namespace fairlead::dataplane::dr
