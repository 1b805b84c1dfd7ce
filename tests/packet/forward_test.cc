// What is forwarded, byte by byte; and what is left to the host's stack.
#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "tests/packet/program_test.h"

namespace fairlead::dataplane::dr {
namespace {

using ForwardTest = ProgramTest;

const Flow& Tcp4() {
  static const Flow flow = MakeFlow(kClient4, 40000, kVip4, 80);
  return flow;
}
const Flow& Tcp6() {
  static const Flow flow = MakeFlow(kClient6, 40000, kVip6, 80);
  return flow;
}
Flow WithPort(Flow flow, uint16_t vip_port) {
  flow.vip_port = vip_port;
  return flow;
}
Bytes InVlan(uint16_t identifier, const Bytes& frame) {
  const uint16_t type = static_cast<uint16_t>(frame[12] << 8 | frame[13]);
  return Ethernet(kTypeVlan, VlanTag(identifier, type, Bytes(frame.begin() + 14, frame.end())));
}

TEST_F(ForwardTest, OnlyTheMacsChange) {
  for (const Bytes& frame :
       {TcpFrame(Tcp4(), kSyn), TcpFrame(Tcp4(), kAck), UdpFrame(WithPort(Tcp4(), 53)),
        TcpFrame(Tcp6(), kSyn), TcpFrame(Tcp6(), kAck), UdpFrame(WithPort(Tcp6(), 53))}) {
    const Outcome outcome = Run(frame);
    EXPECT_EQ(outcome.verdict, XDP_TX);
    EXPECT_EQ(ServerOf(frame), 1);
  }
}

TEST_F(ForwardTest, CountsPacketsBytesAndFlowsOfTheServer) {
  EXPECT_EQ(ServerOf(TcpFrame(Tcp4(), kSyn)), 1);
  EXPECT_EQ(ServerOf(TcpFrame(Tcp4(), kAck)), 1);
  EXPECT_EQ(ServerOf(TcpFrame(Tcp6(), kAck)), 1);
  const bpf::DrServerCounts counts = ServerCounts(1);
  EXPECT_EQ(counts.packets, 3u);
  EXPECT_EQ(counts.bytes, 40u + 40u + 60u);
  EXPECT_EQ(counts.flows, 1u);
  EXPECT_EQ(counts.recorded, 0u);
  EXPECT_TRUE(Flows().empty()) << "a clean slot touches no table";
}

TEST_F(ForwardTest, EveryPortOfTheListAndNoOther) {
  for (const uint16_t port : {80, 443, 5014, 5015, 5016, 5017, 5018, 5019}) {
    EXPECT_EQ(ServerOf(TcpFrame(WithPort(Tcp4(), port), kSyn)), 1) << port;
  }
  for (const uint16_t port : {0, 79, 81, 442, 444, 5013, 5020, 65535}) {
    EXPECT_PASSED(TcpFrame(WithPort(Tcp4(), port), kSyn), bpf::kDrReasonPortNotServed);
  }
}

TEST_F(ForwardTest, AStarServesEveryPort) {
  const auto groups = store().port_groups().first(bpf::kDrPortGroupsPerTable);
  for (bpf::DrPortGroup& group : groups) group = {{kTcp4, kTcp4, kTcp4, kTcp4}};
  for (const uint16_t port : {1, 2, 79, 443, 32768, 65534, 65535}) {
    EXPECT_EQ(ServerOf(TcpFrame(WithPort(Tcp4(), port), kSyn)), 1) << port;
  }
  groups[0].services[0] = 0;
  EXPECT_PASSED(TcpFrame(WithPort(Tcp4(), 0), kSyn), bpf::kDrReasonPortNotServed);
}

TEST_F(ForwardTest, PortsOfOneAddressMayBelongToDifferentVips) {
  FillRing(RingKind::kPresent, kUdp6, 4);
  AddVip("10.10.10.151", IPPROTO_TCP, 4, {80}, kTcp4);
  store().port_groups()[4 * bpf::kDrPortGroupsPerTable + 443 / 4].services[443 % 4] = kUdp6;
  const Flow flow = MakeFlow(kClient4, 40000, "10.10.10.151", 80);
  EXPECT_EQ(ServerOf(TcpFrame(flow, kSyn)), 1);
  EXPECT_EQ(ServerOf(TcpFrame(WithPort(flow, 443), kSyn)), 4);
}

TEST_F(ForwardTest, AnotherProtocolOfTheAddressIsNotServed) {
  EXPECT_PASSED(TcpFrame(WithPort(Tcp4(), 53), kSyn), bpf::kDrReasonPortNotServed);
  EXPECT_PASSED(UdpFrame(WithPort(Tcp4(), 80)), bpf::kDrReasonPortNotServed);
}

TEST_F(ForwardTest, WhatIsNotToAVipGoesUp) {
  EXPECT_PASSED(TcpFrame(MakeFlow(kClient4, 1, "10.10.10.151", 80), kSyn), bpf::kDrReasonNotOurs);
  EXPECT_PASSED(TcpFrame(MakeFlow(kClient6, 1, "fd00:10::151", 80), kSyn), bpf::kDrReasonNotOurs);
  // From the VIP, as a real server's answer would come by.
  EXPECT_PASSED(TcpFrame(Tcp4().Reversed(), kAck), bpf::kDrReasonNotOurs);
  EXPECT_PASSED(Ethernet(kTypeArp, Bytes(28)), bpf::kDrReasonNotOurs);
  EXPECT_PASSED(Ethernet(kTypeIpv4, Ipv4(Tcp4(), IPPROTO_SCTP, Bytes(40))), bpf::kDrReasonNotOurs);
  EXPECT_PASSED(Ethernet(kTypeIpv6, Ipv6(Tcp6(), IPPROTO_SCTP, Bytes(40))), bpf::kDrReasonNotOurs);
  EXPECT_PASSED(Ethernet(kTypeIpv4, Ipv4(Tcp4(), IPPROTO_ICMP, Icmp(8, 0, Bytes(8)))),
                bpf::kDrReasonNotOurs);
}

TEST_F(ForwardTest, TheIpv6AddressOfTheSameBitsIsAnotherOne) {
  // ::10.10.10.150 as an IPv6 destination has the very words with which the map holds the IPv4 VIP.
  Flow flow = Tcp6();
  Bytes frame = TcpFrame(flow, kSyn);
  const Bytes words = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 10, 10, 150};
  std::copy(words.begin(), words.end(), frame.begin() + 14 + 24);
  EXPECT_PASSED(frame, bpf::kDrReasonNotOurs);
}

TEST_F(ForwardTest, FramesToOtherMacsAreLeftAlone) {
  Bytes frame = TcpFrame(Tcp4(), kSyn);
  for (const Mac& mac : {Mac{2, 0, 0, 0, 0, 2}, Mac{3, 0, 0, 0, 0, 1},
                         Mac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, ServerMac(1)}) {
    std::copy(mac.begin(), mac.end(), frame.begin());
    EXPECT_PASSED(frame, bpf::kDrReasonOtherMac);
  }
}

TEST_F(ForwardTest, AServerBehindAnotherInterfaceIsRedirectedTo) {
  constexpr uint16_t kPlace = 7;
  server(1).interface = kPlace;
  const Mac other = {2, 0, 0, 0, 0, 7};
  std::copy(other.begin(), other.end(), reinterpret_cast<uint8_t*>(server(1).source_mac));
  ASSERT_TRUE(store().SetDevice(kPlace, 1).ok());  // the loopback stands for it
  EXPECT_EQ(Run(TcpFrame(Tcp4(), kSyn)).verdict, XDP_REDIRECT);
  EXPECT_EQ(ServerOf(TcpFrame(Tcp4(), kSyn)), 1);
  // Still only what came to our MAC of the interface of arrival.
  Bytes frame = TcpFrame(Tcp4(), kSyn);
  std::copy(other.begin(), other.end(), frame.begin());
  EXPECT_PASSED(frame, bpf::kDrReasonOtherMac);
  ASSERT_TRUE(store().SetDevice(kPlace, 0).ok());
  EXPECT_EQ(Run(TcpFrame(Tcp4(), kSyn)).verdict, XDP_DROP);
}

TEST_F(ForwardTest, AServerOnThisHostGetsItFromTheStack) {
  server(1).flags |= bpf::kDrServerLocal;
  EXPECT_PASSED(TcpFrame(Tcp4(), kSyn), bpf::kDrReasonLocalServer);
  EXPECT_PASSED(TcpFrame(Tcp6(), kAck), bpf::kDrReasonLocalServer);
  EXPECT_EQ(ServerCounts(1).packets, 2u);
}

TEST_F(ForwardTest, AVlanTagStaysAndMustBeTheServers) {
  for (const Bytes& frame :
       {TcpFrame(Tcp4(), kSyn), TcpFrame(Tcp6(), kAck), UdpFrame(WithPort(Tcp4(), 53))}) {
    server(1).flags = bpf::kDrServerUsable | 100;
    EXPECT_EQ(ServerOf(InVlan(100, frame)), 1);
    EXPECT_DROPPED(InVlan(101, frame), bpf::kDrReasonOtherVlan);
    EXPECT_DROPPED(frame, bpf::kDrReasonOtherVlan);
    server(1).flags = bpf::kDrServerUsable;
    EXPECT_DROPPED(InVlan(100, frame), bpf::kDrReasonOtherVlan);
    EXPECT_EQ(ServerOf(InVlan(0, frame)), 1);  // a priority tag: the untagged network
  }
  // Two tags are not read.
  const Bytes inner = VlanTag(100, kTypeIpv4, Ipv4(Tcp4(), IPPROTO_TCP, Tcp(Tcp4(), kSyn)));
  EXPECT_PASSED(Ethernet(kTypeVlan, VlanTag(100, kTypeVlan, inner)), bpf::kDrReasonNotOurs);
}

TEST_F(ForwardTest, Ipv4OptionsDoNotHideThePorts) {
  for (size_t words = 1; words <= 10; ++words) {
    const Bytes frame = Ethernet(
        kTypeIpv4, Ipv4(Tcp4(), IPPROTO_TCP, Tcp(Tcp4(), kSyn), {.options = Bytes(4 * words, 1)}));
    EXPECT_EQ(ServerOf(frame), 1) << words;
  }
}

TEST_F(ForwardTest, ExtensionHeadersDoNotHideThePorts) {
  FillRing(RingKind::kPresent, kTcp6, 3);
  const Bytes tcp = Tcp(Tcp6(), kSyn);
  EXPECT_EQ(ServerOf(Ethernet(kTypeIpv6,
                              Ipv6(Tcp6(), IPPROTO_HOPOPTS, Extension(IPPROTO_TCP, 0, tcp, 1)))),
            3);
  EXPECT_EQ(ServerOf(Ethernet(kTypeIpv6,
                              Ipv6(Tcp6(), IPPROTO_DSTOPTS, Extension(IPPROTO_TCP, 5, tcp, 1)))),
            3);
  // A routing header whose segments are all visited.
  EXPECT_EQ(ServerOf(Ethernet(kTypeIpv6,
                              Ipv6(Tcp6(), IPPROTO_ROUTING, Extension(IPPROTO_TCP, 2, tcp, 0)))),
            3);
  // Otherwise this is not the last address.
  EXPECT_PASSED(
      Ethernet(kTypeIpv6, Ipv6(Tcp6(), IPPROTO_ROUTING, Extension(IPPROTO_TCP, 2, tcp, 1))),
      bpf::kDrReasonNotOurs);
  // A fragment header of a datagram in one piece (RFC 6946).
  EXPECT_EQ(ServerOf(Ethernet(kTypeIpv6, Ipv6(Tcp6(), IPPROTO_FRAGMENT,
                                              Fragment(IPPROTO_TCP, 0, false, 9, tcp)))),
            3);
}

TEST_F(ForwardTest, ExtensionHeadersAreReadUpToALimit) {
  Bytes payload = Tcp(Tcp6(), kSyn);
  uint8_t next = IPPROTO_TCP;
  for (int count = 1; count < static_cast<int>(bpf::kDrExtensionHeadersMax); ++count) {
    payload = Extension(next, 1, payload, 1);
    next = IPPROTO_DSTOPTS;
    EXPECT_EQ(ServerOf(Ethernet(kTypeIpv6, Ipv6(Tcp6(), next, payload))), 1) << count;
  }
  payload = Extension(next, 1, payload, 1);
  EXPECT_PASSED(Ethernet(kTypeIpv6, Ipv6(Tcp6(), IPPROTO_DSTOPTS, payload)),
                bpf::kDrReasonUnparsed);
}

TEST_F(ForwardTest, WithoutAUsableServerTheHostAnswersOrNobody) {
  FillRing(RingKind::kPresent, kTcp4, 0);
  EXPECT_PASSED(TcpFrame(Tcp4(), kSyn), bpf::kDrReasonUnserved);
  service(kTcp4).flags = bpf::kDrServiceDropUnserved;
  EXPECT_DROPPED(TcpFrame(Tcp4(), kSyn), bpf::kDrReasonUnservedDropped);
  // A server that the ring still names, but that is gone.
  FillRing(RingKind::kPresent, kTcp4, 2);
  EXPECT_EQ(ServerOf(TcpFrame(Tcp4(), kSyn)), 2);
  server(2).flags = 0;
  EXPECT_DROPPED(TcpFrame(Tcp4(), kSyn), bpf::kDrReasonUnservedDropped);
}

TEST_F(ForwardTest, TheIdleHalfOfTheVipTableIsNotRead) {
  tables().config.vip_half = 1;
  EXPECT_PASSED(TcpFrame(Tcp4(), kSyn), bpf::kDrReasonNotOurs);
  tables().config.vip_half = 0;
  EXPECT_EQ(ServerOf(TcpFrame(Tcp4(), kSyn)), 1);
}

TEST_F(ForwardTest, FlowsSpreadOverTheRing) {
  SetRing(RingKind::kPresent, kTcp4, [](uint32_t slot) { return uint16_t(1 + slot % 3); });
  SetRing(RingKind::kPresent, kTcp6, [](uint32_t slot) { return uint16_t(1 + slot % 3); });
  std::array<int, 4> ipv4{};
  std::array<int, 4> ipv6{};
  for (uint16_t port = 1024; port < 1024 + 600; ++port) {
    const Flow flow4 = MakeFlow(kClient4, port, kVip4, 80);
    const Flow flow6 = MakeFlow(kClient6, port, kVip6, 80);
    const int server4 = ServerOf(TcpFrame(flow4, kSyn));
    EXPECT_EQ(server4, 1 + static_cast<int>(SlotOf(kTcp4, flow4) % 3)) << "user space agrees";
    EXPECT_EQ(ServerOf(TcpFrame(flow4, kAck)), server4);
    const int server6 = ServerOf(TcpFrame(flow6, kSyn));
    EXPECT_EQ(server6, 1 + static_cast<int>(SlotOf(kTcp6, flow6) % 3));
    ++ipv4[server4];
    ++ipv6[server6];
  }
  for (int index = 1; index <= 3; ++index) {  // 200 +- 5 standard deviations of 11.5
    EXPECT_NEAR(ipv4[index], 200, 58);
    EXPECT_NEAR(ipv6[index], 200, 58);
  }
}

TEST_F(ForwardTest, BySourceAClientsPortsShareAServer) {
  SetRing(RingKind::kPresent, kTcp4, [](uint32_t slot) { return uint16_t(1 + slot % 9); });
  SetRing(RingKind::kPresent, kTcp6, [](uint32_t slot) { return uint16_t(1 + slot % 9); });
  service(kTcp4).flags = service(kTcp6).flags = bpf::kDrServiceBySource;
  service(kTcp4).client_mask_ipv4 = htonl(0xffffff00);
  service(kTcp6).client_mask_ipv6[0] = service(kTcp6).client_mask_ipv6[1] = 0xffffffff;
  const int server4 = ServerOf(TcpFrame(Tcp4(), kSyn));
  const int server6 = ServerOf(TcpFrame(Tcp6(), kSyn));
  std::set<int> of_others;
  for (uint8_t last = 1; last < 100; ++last) {
    const std::string host = std::to_string(last);
    EXPECT_EQ(ServerOf(TcpFrame(MakeFlow("10.10.10." + host, last, kVip4, 443), kSyn)), server4);
    EXPECT_EQ(ServerOf(TcpFrame(MakeFlow("fd00:10::" + host, last, kVip6, 80), kSyn)), server6);
    of_others.insert(ServerOf(TcpFrame(MakeFlow("10.10." + host + ".20", last, kVip4, 80), kSyn)));
  }
  EXPECT_EQ(of_others.size(), 9u);
}

TEST_F(ForwardTest, ALeaseEndsTheForwarding) {
  service(kTcp4).flags = bpf::kDrServiceLeased;
  EXPECT_DROPPED(TcpFrame(Tcp4(), kSyn), bpf::kDrReasonLeaseExpired);  // never had one
  timespec now{};
  ASSERT_EQ(::clock_gettime(CLOCK_BOOTTIME, &now), 0);
  const uint64_t now_ns = static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
  tables().leases[kTcp4] = now_ns + 60'000'000'000;
  EXPECT_EQ(ServerOf(TcpFrame(Tcp4(), kSyn)), 1);
  tables().leases[kTcp4] = now_ns - 1;
  EXPECT_DROPPED(TcpFrame(Tcp4(), kAck), bpf::kDrReasonLeaseExpired);
  // Without the flag there is no lease.
  service(kTcp4).flags = 0;
  EXPECT_EQ(ServerOf(TcpFrame(Tcp4(), kAck)), 1);
}

}  // namespace
}  // namespace fairlead::dataplane::dr
