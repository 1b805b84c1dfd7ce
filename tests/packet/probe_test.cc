// The program's part in proving an interface: it answers one answer of the asked neighbour with a
// second request, and takes the second answer for the proof; armed alone, and by both entries.
#include <gtest/gtest.h>
#include <linux/pkt_cls.h>

#include <cstring>

#include "pkg/dataplane/dr/probe_request.h"
#include "tests/packet/program_test.h"

namespace fairlead::dataplane::dr {
namespace {

constexpr Mac kNeighbourMac = {2, 0, 0, 0, 0, 0x33};

ProbeTarget MakeTarget(const char* neighbour, const char* source) {
  return {*net::IpAddress::Parse(neighbour), kNeighbourMac, *net::IpAddress::Parse(source),
          kOwnMac};
}
const ProbeTarget kTarget4 = MakeTarget("10.10.10.151", "10.10.10.1");
const ProbeTarget kTarget6 = MakeTarget("fd00:10::151", "fd00:10::1");

Bytes Request(const ProbeTarget& target) {
  const std::string request = ProbeRequest(target);
  return {request.begin(), request.end()};
}

// What the neighbour would send: ARP's reply padded to the least frame, or an advertisement with
// the option that names its MAC.
Bytes Answer(const ProbeTarget& target) {
  Bytes frame = Request(target);
  std::copy_n(kOwnMac.begin(), 6, frame.begin());
  std::copy_n(kNeighbourMac.begin(), 6, frame.begin() + 6);
  if (target.neighbour.is_ipv4()) {
    frame[21] = 2;
    std::copy_n(kNeighbourMac.begin(), 6, frame.begin() + 22);
    std::copy_n(target.neighbour.bytes().begin(), 4, frame.begin() + 28);
    std::copy_n(kOwnMac.begin(), 6, frame.begin() + 32);
    std::copy_n(target.source.bytes().begin(), 4, frame.begin() + 38);
    frame.resize(60);
    return frame;
  }
  std::copy_n(target.neighbour.bytes().begin(), 16, frame.begin() + 22);
  std::copy_n(target.source.bytes().begin(), 16, frame.begin() + 38);
  frame[19] = 32;
  frame[54] = 136;
  frame.insert(frame.end(), {2, 1});
  frame.insert(frame.end(), kNeighbourMac.begin(), kNeighbourMac.end());
  return frame;
}

class ProbeTest : public ProgramTest {
 protected:
  bpf::DrProbe& probe() { return store().probes()[kArrival]; }
  void Arm(const ProbeTarget& target) {
    probe() = MakeProbe(target);
    probe().stage = bpf::kDrProbeArmed;
  }
  void ExpectSent(const Outcome& outcome, uint32_t verdict, const ProbeTarget& target) {
    EXPECT_EQ(outcome.verdict, verdict);
    EXPECT_EQ(probe().stage, uint32_t{bpf::kDrProbeAnswered});
    const Bytes request = Request(target);
    ASSERT_GE(outcome.frame.size(), request.size());
    EXPECT_EQ(Bytes(outcome.frame.begin(), outcome.frame.begin() + request.size()), request);
  }
};

TEST_F(ProbeTest, TwoAnswersProveTheWayInAndOut) {
  for (const ProbeTarget& target : {kTarget4, kTarget6}) {
    Arm(target);
    ExpectSent(Run(Answer(target)), XDP_TX, target);
    EXPECT_PASSED(Answer(target), bpf::kDrReasonNotOurs);
    EXPECT_EQ(probe().stage, uint32_t{bpf::kDrProbeProved});
    EXPECT_PASSED(Answer(target), bpf::kDrReasonNotOurs);
  }
}

TEST_F(ProbeTest, TwoAnswersProveTheWayOfTc) {
  for (const ProbeTarget& target : {kTarget4, kTarget6}) {
    Arm(target);
    ExpectSent(RunTc(Answer(target)), TC_ACT_REDIRECT, target);
    const Outcome second = RunTc(Answer(target));
    EXPECT_EQ(second.verdict, static_cast<uint32_t>(TC_ACT_UNSPEC));
    EXPECT_EQ(second.frame, Answer(target));
    EXPECT_EQ(probe().stage, uint32_t{bpf::kDrProbeProved});
  }
}

TEST_F(ProbeTest, WhatIsNotArmedIsLeftAlone) {
  EXPECT_PASSED(Answer(kTarget4), bpf::kDrReasonNotOurs);
  EXPECT_PASSED(Answer(kTarget6), bpf::kDrReasonNotOurs);
  EXPECT_EQ(probe().stage, uint32_t{bpf::kDrProbeIdle});
}

TEST_F(ProbeTest, OnlyTheAskedNeighboursAnswerCounts) {
  for (const ProbeTarget& target : {kTarget4, kTarget6}) {
    Arm(target);
    Bytes other_mac = Answer(target);
    other_mac[11] = 0x34;
    Bytes other_address = Answer(target);
    other_address[target.neighbour.is_ipv4() ? 31 : 77] ^= 1;
    Bytes question = Answer(target);
    question[target.neighbour.is_ipv4() ? 21 : 54] = target.neighbour.is_ipv4() ? 1 : 135;
    Bytes cut = Answer(target);
    cut.resize(target.neighbour.is_ipv4() ? 41 : 77);
    for (const Bytes& frame : {other_mac, other_address, question, cut}) {
      const Outcome outcome = Run(frame);
      EXPECT_EQ(outcome.verdict, uint32_t{XDP_PASS});
      EXPECT_EQ(outcome.frame, frame);
    }
    EXPECT_EQ(probe().stage, uint32_t{bpf::kDrProbeArmed});
  }
}

TEST_F(ProbeTest, WhatIsForwardedIsNotHeldUp) {
  Arm(kTarget4);
  EXPECT_EQ(ServerOf(TcpFrame(MakeFlow(kClient4, 40000, kVip4, 80), kSyn)), 1);
  EXPECT_EQ(probe().stage, uint32_t{bpf::kDrProbeArmed});
}

}  // namespace
}  // namespace fairlead::dataplane::dr
