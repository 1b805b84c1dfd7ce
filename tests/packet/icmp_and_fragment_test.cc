// Packets that carry no ports of their own: errors that quote a flow, and later fragments.
#include <gtest/gtest.h>

#include <vector>

#include "tests/packet/program_test.h"

namespace fairlead::dataplane::dr {
namespace {

using IcmpTest = ProgramTest;
using FragmentTest = ProgramTest;

constexpr char kRouter4[] = "192.0.2.1";
constexpr char kRouter6[] = "2001:db8::1";

// An error of a router on the way to the client, about a packet of the flow's server.
Bytes ErrorFrame(const Flow& flow, uint8_t type, uint8_t protocol, size_t quoted_transport = 8) {
  const Flow back = flow.Reversed();
  Bytes transport = protocol == IPPROTO_TCP ? Tcp(back, kAck) : Udp(back);
  transport.resize(quoted_transport);
  if (flow.vip.is_ipv4()) {
    const Flow outer = MakeFlow(kRouter4, 0, flow.vip.ToString(), 0);
    return Ethernet(kTypeIpv4,
                    Ipv4(outer, IPPROTO_ICMP, Icmp(type, 4, Ipv4(back, protocol, transport))));
  }
  const Flow outer = MakeFlow(kRouter6, 0, flow.vip.ToString(), 0);
  return Ethernet(kTypeIpv6,
                  Ipv6(outer, IPPROTO_ICMPV6, Icmp(type, 0, Ipv6(back, protocol, transport))));
}

uint16_t SlotModulo9(uint32_t slot) { return static_cast<uint16_t>(1 + slot % 9); }

TEST_F(IcmpTest, AnErrorGoesToTheOwnerOfTheFlowThatItQuotes) {
  for (const uint32_t index : {kTcp4, kUdp4, kTcp6, kUdp6}) {
    SetRing(RingKind::kPresent, index, SlotModulo9);
  }
  for (uint16_t port = 1000; port < 1030; ++port) {
    const Flow tcp4 = MakeFlow(kClient4, port, kVip4, 80);
    const Flow udp4 = MakeFlow(kClient4, port, kVip4, 53);
    const Flow tcp6 = MakeFlow(kClient6, port, kVip6, 80);
    const Flow udp6 = MakeFlow(kClient6, port, kVip6, 53);
    for (const uint8_t type : {3, 11, 12}) {
      EXPECT_EQ(ServerOf(ErrorFrame(tcp4, type, IPPROTO_TCP)), ServerOf(TcpFrame(tcp4, kAck)));
      EXPECT_EQ(ServerOf(ErrorFrame(udp4, type, IPPROTO_UDP)), ServerOf(UdpFrame(udp4)));
    }
    for (const uint8_t type : {1, 2, 3, 4}) {
      EXPECT_EQ(ServerOf(ErrorFrame(tcp6, type, IPPROTO_TCP)), ServerOf(TcpFrame(tcp6, kAck)));
      EXPECT_EQ(ServerOf(ErrorFrame(udp6, type, IPPROTO_UDP)), ServerOf(UdpFrame(udp6)));
    }
  }
}

TEST_F(IcmpTest, AnErrorFollowsARecordedFlowAndRecordsNothing) {
  const Flow tcp = MakeFlow(kClient4, 1000, kVip4, 80);
  MakeDirty(kTcp4, 1, 2);
  EXPECT_EQ(ServerOf(ErrorFrame(tcp, 3, IPPROTO_TCP)), 1);
  EXPECT_TRUE(Flows().empty());
  EXPECT_EQ(ServerOf(TcpFrame(tcp, kSyn)), 2);
  const std::vector<uint64_t> before = Flows();
  EXPECT_EQ(ServerOf(ErrorFrame(tcp, 3, IPPROTO_TCP)), 2);
  EXPECT_EQ(Flows(), before) << "an error does not establish a flow";
  const Flow udp = MakeFlow(kClient4, 1000, kVip4, 53);
  MakeDirty(kUdp4, 1, 2);
  EXPECT_EQ(ServerOf(ErrorFrame(udp, 3, IPPROTO_UDP)), 2);
  EXPECT_EQ(Flows(), before);
}

TEST_F(IcmpTest, OtherMessagesAndForeignQuotesGoUp) {
  const Flow tcp4 = MakeFlow(kClient4, 1000, kVip4, 80);
  const Flow tcp6 = MakeFlow(kClient6, 1000, kVip6, 80);
  for (const uint8_t type : {0, 4, 5, 8, 9, 13}) {
    EXPECT_PASSED(ErrorFrame(tcp4, type, IPPROTO_TCP), bpf::kDrReasonNotOurs);
  }
  for (const uint8_t type : {0, 5, 128, 129, 133, 134, 135, 136, 137}) {
    EXPECT_PASSED(ErrorFrame(tcp6, type, IPPROTO_TCP), bpf::kDrReasonNotOurs);
  }
  Flow foreign = tcp4;
  foreign.vip = MakeFlow(kClient4, 0, "10.10.10.99", 0).vip;
  EXPECT_PASSED(ErrorFrame(foreign, 3, IPPROTO_TCP), bpf::kDrReasonNotOurs);
  EXPECT_PASSED(ErrorFrame(tcp4, 3, IPPROTO_SCTP), bpf::kDrReasonNotOurs);
  EXPECT_PASSED(ErrorFrame(tcp4, 3, IPPROTO_TCP, 7), bpf::kDrReasonUnparsed);
  EXPECT_PASSED(ErrorFrame(tcp6, 2, IPPROTO_TCP, 7), bpf::kDrReasonUnparsed);
}

// `offset` in bytes.
Bytes FragmentFrame(const Flow& flow, uint8_t protocol, uint16_t offset, bool more, uint32_t id,
                    const Bytes& payload) {
  if (flow.vip.is_ipv4()) {
    const auto field = static_cast<uint16_t>((more ? 0x2000 : 0) | offset / 8);
    return Ethernet(kTypeIpv4, Ipv4(flow, protocol, payload,
                                    {.fragment = field, .id = static_cast<uint16_t>(id)}));
  }
  return Ethernet(kTypeIpv6,
                  Ipv6(flow, IPPROTO_FRAGMENT, Fragment(protocol, offset / 8, more, id, payload)));
}

TEST_F(FragmentTest, AllFragmentsGoWhereTheFlowGoes) {
  for (const uint32_t index : {kTcp4, kUdp4, kTcp6, kUdp6}) {
    SetRing(RingKind::kPresent, index, SlotModulo9);
  }
  for (uint16_t port = 1000; port < 1030; ++port) {
    for (const Flow& flow :
         {MakeFlow(kClient4, port, kVip4, 53), MakeFlow(kClient6, port, kVip6, 53)}) {
      const int server = ServerOf(UdpFrame(flow));
      EXPECT_EQ(ServerOf(FragmentFrame(flow, IPPROTO_UDP, 0, true, port, Udp(flow, Bytes(1472)))),
                server);
      EXPECT_EQ(ServerOf(FragmentFrame(flow, IPPROTO_UDP, 1480, true, port, Bytes(1480))), server);
      EXPECT_EQ(ServerOf(FragmentFrame(flow, IPPROTO_UDP, 2960, false, port, Bytes(1))), server);
    }
    const Flow tcp = MakeFlow(kClient4, port, kVip4, 80);
    EXPECT_EQ(ServerOf(FragmentFrame(tcp, IPPROTO_TCP, 0, true, 7, Tcp(tcp, kAck, Bytes(100)))),
              ServerOf(TcpFrame(tcp, kAck)));
    EXPECT_EQ(ServerOf(FragmentFrame(tcp, IPPROTO_TCP, 120, false, 7, Bytes(100))),
              ServerOf(TcpFrame(tcp, kAck)));
  }
}

TEST_F(FragmentTest, ALaterFragmentAloneIsDropped) {
  const Flow flow = MakeFlow(kClient4, 1000, kVip4, 53);
  EXPECT_DROPPED(FragmentFrame(flow, IPPROTO_UDP, 1480, false, 5, Bytes(100)),
                 bpf::kDrReasonFragmentWithoutFirst);
  EXPECT_EQ(ServerOf(FragmentFrame(flow, IPPROTO_UDP, 0, true, 5, Udp(flow, Bytes(1472)))), 1);
  // Another datagram, another protocol, another client.
  EXPECT_DROPPED(FragmentFrame(flow, IPPROTO_UDP, 1480, false, 6, Bytes(100)),
                 bpf::kDrReasonFragmentWithoutFirst);
  EXPECT_DROPPED(FragmentFrame(flow, IPPROTO_TCP, 1480, false, 5, Bytes(100)),
                 bpf::kDrReasonFragmentWithoutFirst);
  const Flow other = MakeFlow("10.10.10.21", 1000, kVip4, 53);
  EXPECT_DROPPED(FragmentFrame(other, IPPROTO_UDP, 1480, false, 5, Bytes(100)),
                 bpf::kDrReasonFragmentWithoutFirst);
  // And its server may go meanwhile.
  EXPECT_EQ(ServerOf(FragmentFrame(flow, IPPROTO_UDP, 1480, false, 5, Bytes(100))), 1);
  server(1).flags = 0;
  EXPECT_DROPPED(FragmentFrame(flow, IPPROTO_UDP, 1480, false, 5, Bytes(100)),
                 bpf::kDrReasonFragmentWithoutFirst);
}

TEST_F(FragmentTest, FragmentsToAPortThatIsNotServedAllGoUp) {
  const Flow flow = MakeFlow(kClient4, 1000, kVip4, 54);
  EXPECT_PASSED(FragmentFrame(flow, IPPROTO_UDP, 0, true, 5, Udp(flow, Bytes(1472))),
                bpf::kDrReasonPortNotServed);
  EXPECT_PASSED(FragmentFrame(flow, IPPROTO_UDP, 1480, false, 5, Bytes(100)),
                bpf::kDrReasonPortNotServed);
}

TEST_F(FragmentTest, FragmentsToOthersGoUp) {
  const Flow flow = MakeFlow(kClient4, 1000, "10.10.10.99", 53);
  EXPECT_PASSED(FragmentFrame(flow, IPPROTO_UDP, 0, true, 5, Udp(flow, Bytes(8))),
                bpf::kDrReasonNotOurs);
  EXPECT_PASSED(FragmentFrame(flow, IPPROTO_UDP, 1480, false, 5, Bytes(8)), bpf::kDrReasonNotOurs);
  // ICMP in pieces is never an error about a flow.
  const Flow icmp = MakeFlow(kRouter4, 0, kVip4, 0);
  EXPECT_PASSED(FragmentFrame(icmp, IPPROTO_ICMP, 0, true, 5, Icmp(3, 4, Bytes(64))),
                bpf::kDrReasonNotOurs);
}

TEST_F(FragmentTest, AFirstFragmentWithoutWholePortsIsDropped) {
  // RFC 1858: tiny fragments hide the header.
  const Flow flow = MakeFlow(kClient4, 1000, kVip4, 80);
  EXPECT_DROPPED(FragmentFrame(flow, IPPROTO_TCP, 0, true, 5, Bytes(8)), bpf::kDrReasonMalformed);
}

}  // namespace
}  // namespace fairlead::dataplane::dr
