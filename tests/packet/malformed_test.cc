// Under which reason a malformed frame is counted; bad_frames_test.cc has every kind of them.
#include <gtest/gtest.h>

#include <vector>

#include "tests/packet/program_test.h"

namespace fairlead::dataplane::dr {
namespace {

using MalformedTest = ProgramTest;

constexpr size_t kEthernetBytes = 14;  // the least that BPF_PROG_TEST_RUN takes

Bytes WithLength(Bytes frame, size_t at, size_t length) {
  frame[at] = static_cast<uint8_t>(length >> 8);
  frame[at + 1] = static_cast<uint8_t>(length);
  return frame;
}

TEST_F(MalformedTest, AFrameShorterThanItsPacketGoesUp) {
  for (const Bytes& whole : {TcpFrame(MakeFlow(kClient4, 1000, kVip4, 80), kSyn),
                             UdpFrame(MakeFlow(kClient6, 1000, kVip6, 53))}) {
    for (size_t size = kEthernetBytes; size < whole.size(); ++size) {
      EXPECT_PASSED(Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size)),
                    bpf::kDrReasonUnparsed);
    }
  }
}

TEST_F(MalformedTest, APacketThatEndsBeforeItsPortsIsDropped) {
  const Bytes tcp = TcpFrame(MakeFlow(kClient4, 1000, kVip4, 80), kSyn);
  const Bytes udp = UdpFrame(MakeFlow(kClient6, 1000, kVip6, 53));
  for (size_t length = 20; length < 40; ++length) {
    EXPECT_DROPPED(WithLength(tcp, kEthernetBytes + 2, length), bpf::kDrReasonMalformed);
  }
  for (size_t length = 0; length < 8; ++length) {
    EXPECT_DROPPED(WithLength(udp, kEthernetBytes + 4, length), bpf::kDrReasonMalformed);
  }
}

TEST_F(MalformedTest, TheLengthIsOfAllBuffersOfAFrame) {
  if (!TakesManyBuffers()) {
    GTEST_SKIP() << "FRAMES IN SEVERAL BUFFERS ARE NOT TESTED: they need Linux 5.18";
  }
  const Flow flow = MakeFlow(kClient4, 1000, kVip4, 80);
  const Bytes whole = Ethernet(kTypeIpv4, Ipv4(flow, IPPROTO_TCP, Tcp(flow, kAck, Bytes(8900))));
  EXPECT_EQ(ServerOf(whole), 1);
  EXPECT_PASSED(Bytes(whole.begin(), whole.end() - 1), bpf::kDrReasonUnparsed);
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

}  // namespace
}  // namespace fairlead::dataplane::dr
