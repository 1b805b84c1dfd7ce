// Frames that are cut short, or whose bytes are wrong: nothing is forwarded that is not whole, and
// no byte changes of what is not forwarded.
#include <gtest/gtest.h>

#include <iostream>
#include <random>
#include <vector>

#include "tests/packet/program_test.h"

namespace fairlead::dataplane::dr {
namespace {

using MalformedTest = ProgramTest;

constexpr size_t kEthernetBytes = 14;  // the least that BPF_PROG_TEST_RUN takes

std::vector<Bytes> Corpus() {
  const Flow tcp4 = MakeFlow(kClient4, 1000, kVip4, 80);
  const Flow udp4 = MakeFlow(kClient4, 1000, kVip4, 53);
  const Flow tcp6 = MakeFlow(kClient6, 1000, kVip6, 80);
  const Flow udp6 = MakeFlow(kClient6, 1000, kVip6, 53);
  const Bytes quoted4 = Ipv4(tcp4.Reversed(), IPPROTO_TCP, Tcp(tcp4.Reversed(), kAck));
  const Bytes quoted6 = Ipv6(tcp6.Reversed(), IPPROTO_TCP, Tcp(tcp6.Reversed(), kAck));
  const Bytes ip4 = Ipv4(tcp4, IPPROTO_TCP, Tcp(tcp4, kSyn));
  return {
      TcpFrame(tcp4, kSyn),
      TcpFrame(tcp6, kSyn),
      UdpFrame(udp4),
      UdpFrame(udp6),
      Ethernet(kTypeVlan, VlanTag(0, kTypeIpv4, ip4)),
      Ethernet(kTypeIpv4, Ipv4(tcp4, IPPROTO_TCP, Tcp(tcp4, kSyn), {.options = Bytes(40, 1)})),
      Ethernet(kTypeIpv4, Ipv4(udp4, IPPROTO_UDP, Udp(udp4), {.fragment = 0x2000, .id = 1})),
      Ethernet(kTypeIpv4, Ipv4(tcp4, IPPROTO_ICMP, Icmp(3, 4, quoted4))),
      Ethernet(kTypeIpv6, Ipv6(tcp6, IPPROTO_ICMPV6, Icmp(2, 0, quoted6))),
      Ethernet(kTypeIpv6,
               Ipv6(tcp6, IPPROTO_HOPOPTS,
                    Extension(IPPROTO_DSTOPTS, 1, Extension(IPPROTO_TCP, 2, Tcp(tcp6, kSyn))))),
      Ethernet(kTypeIpv6,
               Ipv6(udp6, IPPROTO_FRAGMENT, Fragment(IPPROTO_UDP, 0, true, 3, Udp(udp6)))),
  };
}

TEST_F(MalformedTest, AFrameCutBeforeItsPortsIsNotForwarded) {
  const Flow tcp4 = MakeFlow(kClient4, 1000, kVip4, 80);
  const Flow udp6 = MakeFlow(kClient6, 1000, kVip6, 53);
  const Bytes tcp = TcpFrame(tcp4, kSyn);
  const Bytes udp = UdpFrame(udp6);
  for (size_t size = kEthernetBytes; size < kEthernetBytes + 20; ++size) {
    EXPECT_PASSED(Bytes(tcp.begin(), tcp.begin() + size), bpf::kDrReasonUnparsed);
  }
  for (size_t size = kEthernetBytes + 20; size < kEthernetBytes + 40; ++size) {
    EXPECT_DROPPED(Bytes(tcp.begin(), tcp.begin() + size), bpf::kDrReasonMalformed);
  }
  for (size_t size = kEthernetBytes; size < kEthernetBytes + 40; ++size) {
    EXPECT_PASSED(Bytes(udp.begin(), udp.begin() + size), bpf::kDrReasonUnparsed);
  }
  for (size_t size = kEthernetBytes + 40; size < kEthernetBytes + 48; ++size) {
    EXPECT_DROPPED(Bytes(udp.begin(), udp.begin() + size), bpf::kDrReasonMalformed);
  }
}

TEST_F(MalformedTest, AnInvalidIpHeaderGoesUp) {
  const Bytes ipv4 = TcpFrame(MakeFlow(kClient4, 1000, kVip4, 80), kSyn);
  for (const uint8_t first : {0x44, 0x40, 0x55, 0x65, 0x05}) {  // length < 20, or not version 4
    Bytes frame = ipv4;
    frame[14] = first;
    EXPECT_PASSED(frame, bpf::kDrReasonUnparsed);
  }
  Bytes short_total = ipv4;
  short_total[14] = 0x46;
  short_total[17] = 23;  // less than its own header
  EXPECT_PASSED(short_total, bpf::kDrReasonUnparsed);
  Bytes ipv6 = TcpFrame(MakeFlow(kClient6, 1000, kVip6, 80), kSyn);
  ipv6[14] = 0x40;
  EXPECT_PASSED(ipv6, bpf::kDrReasonUnparsed);
}

TEST_F(MalformedTest, EveryTruncationIsPassedOrDroppedUnchanged) {
  for (const Bytes& whole : Corpus()) {
    for (size_t size = kEthernetBytes; size < whole.size(); ++size) {
      const Bytes frame(whole.begin(), whole.begin() + size);
      const Outcome outcome = Run(frame);
      if (outcome.verdict == XDP_TX) continue;  // cut behind what is read
      EXPECT_TRUE(outcome.verdict == XDP_PASS || outcome.verdict == XDP_DROP) << outcome.verdict;
      EXPECT_EQ(outcome.frame, frame);
    }
  }
}

TEST_F(MalformedTest, RandomChangesForwardOnlyWholeFramesWithNewMacs) {
  constexpr uint32_t kSeed = 20261123;
  std::cout << "seed " << kSeed << "\n";
  std::mt19937 random(kSeed);
  const std::vector<Bytes> corpus = Corpus();
  uint64_t forwarded = 0;
  for (int round = 0; round < 30'000; ++round) {
    Bytes frame = corpus[random() % corpus.size()];
    for (uint32_t changes = random() % 4; changes > 0; --changes) {
      frame[random() % frame.size()] = static_cast<uint8_t>(random());
    }
    if (random() % 4 == 0) frame.resize(kEthernetBytes + random() % 200);
    const Outcome outcome = Run(frame);
    if (outcome.verdict == XDP_TX) {
      ASSERT_EQ(ServerOf(frame), 1);
      ++forwarded;
      continue;
    }
    ASSERT_TRUE(outcome.verdict == XDP_PASS || outcome.verdict == XDP_DROP) << outcome.verdict;
    ASSERT_EQ(outcome.frame, frame);
  }
  EXPECT_GT(forwarded, 5'000u);
}

}  // namespace
}  // namespace fairlead::dataplane::dr
