// Handshakes that are watched: all recorded flows, and a sample of those in clean slots.
#include <gtest/gtest.h>
#include <time.h>

#include <vector>

#include "tests/packet/program_test.h"

namespace fairlead::dataplane::dr {
namespace {

class HandshakeTest : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    if (!IsSkipped()) before_ = *store().HandshakeCounts();
  }
  bpf::DrHandshakeCounts Handshakes(uint32_t index) {
    const auto now = store().HandshakeCounts();
    EXPECT_TRUE(now.ok()) << now.status();
    return {(*now)[index].watched - before_[index].watched,
            (*now)[index].progressed - before_[index].progressed};
  }
  static Flow FlowOf(uint16_t port) { return MakeFlow(kClient4, port, kVip4, 80); }
  // Client ports of flows that are in the sample.
  std::vector<uint16_t> Sample(size_t count) {
    std::vector<uint16_t> ports;
    for (uint16_t port = 1; ports.size() < count; ++port) {
      if ((HashOf(kTcp4, FlowOf(port)) & bpf::kDrWatchSample) == 0) ports.push_back(port);
    }
    return ports;
  }
  int Send(uint16_t port, uint8_t flags) { return ServerOf(TcpFrame(FlowOf(port), flags)); }

  std::vector<bpf::DrHandshakeCounts> before_;
};

TEST_F(HandshakeTest, InCleanSlotsOneOfSixteenIsWatched) {
  for (uint16_t port = 1; port <= 8000; ++port) {
    EXPECT_EQ(Send(port, kSyn), 1);
    if (port % 2 == 0) {
      EXPECT_EQ(Send(port, kAck), 1);
    }
  }
  EXPECT_NEAR(static_cast<double>(Handshakes(1).watched), 500, 100);
  EXPECT_NEAR(static_cast<double>(Handshakes(1).progressed), 250, 60);
  EXPECT_TRUE(Flows().empty());
}

TEST_F(HandshakeTest, AServiceThatAsksForItWatchesAll) {
  service(kTcp4).flags = bpf::kDrServiceWatchesAll;
  for (uint16_t port = 1; port <= 1000; ++port) {
    EXPECT_EQ(Send(port, kSyn), 1);
    EXPECT_EQ(Send(port, kAck), 1);
  }
  EXPECT_EQ(Handshakes(1).watched, 1000u);
  EXPECT_EQ(Handshakes(1).progressed, 1000u);
  EXPECT_TRUE(Flows().empty());
  // A slot that becomes dirty in between ends the watch as a clean one does.
  EXPECT_EQ(Send(2000, kSyn), 1);
  MakeDirty(kTcp4, 1, 2);
  EXPECT_EQ(Send(2000, kAck), 1);
  EXPECT_EQ(Handshakes(1).progressed, 1001u);
}

TEST_F(HandshakeTest, EachIsCountedOnce) {
  const uint16_t port = Sample(1)[0];
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Send(port, kSyn), 1);
  EXPECT_EQ(Handshakes(1).watched, 1u);
  EXPECT_EQ(Handshakes(1).progressed, 0u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Send(port, kAck), 1);
  EXPECT_EQ(Handshakes(1).progressed, 1u);
  EXPECT_EQ(Send(port, kSyn), 1);  // the port anew
  EXPECT_EQ(Handshakes(1).watched, 2u);
}

TEST_F(HandshakeTest, OneThatIsWatchedKeepsItsPlaceForSomeSeconds) {
  const uint16_t port = Sample(1)[0];
  __u64& place = tables().watches[HashOf(kTcp4, FlowOf(port)) % bpf::kDrWatches];
  const uint64_t other = 0x1234567890ULL << bpf::kDrFlowTagShift | 2;
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const uint64_t age =
      (static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec)) >>
      bpf::kDrHandshakeAgeShift;
  const auto noted = [&](uint64_t units_ago) {
    return other | ((age - units_ago) & bpf::kDrWatchAgeMask) << bpf::kDrWatchAgeShift;
  };
  place = noted(1);
  EXPECT_EQ(Send(port, kSyn), 1);
  EXPECT_EQ(Send(port, kAck), 1);
  EXPECT_EQ(Handshakes(1).watched, 0u);
  EXPECT_EQ(place, noted(1));
  place = noted(10);  // it has failed
  EXPECT_EQ(Send(port, kSyn), 1);
  EXPECT_EQ(Handshakes(1).watched, 1u);
  EXPECT_EQ(Handshakes(2).progressed, 0u);
}

TEST_F(HandshakeTest, BySourceTheFlowIsWatchedNotTheClient) {
  service(kTcp4).flags = bpf::kDrServiceBySource;
  service(kTcp4).client_mask_ipv4 = 0xffffffff;
  for (uint16_t port = 1; port <= 3200; ++port) EXPECT_EQ(Send(port, kSyn), 1);
  EXPECT_NEAR(static_cast<double>(Handshakes(1).watched), 200, 60);
}

TEST_F(HandshakeTest, OfRecordedFlowsAllAreWatched) {
  service(kTcp4).flags = bpf::kDrServiceTracked;
  for (uint16_t port = 1; port <= 100; ++port) {
    for (int i = 0; i < 2; ++i) EXPECT_EQ(Send(port, kSyn), 1);
    if (port > 10) {
      for (int i = 0; i < 2; ++i) EXPECT_EQ(Send(port, kAck), 1);
    }
  }
  EXPECT_EQ(Handshakes(1).watched, 100u);
  EXPECT_EQ(Handshakes(1).progressed, 90u);
  for (uint16_t port = 1; port <= 10; ++port) EXPECT_EQ(Send(port, kReset), 1);
  EXPECT_EQ(Handshakes(1).progressed, 100u) << "the client answers: the server did";
}

TEST_F(HandshakeTest, ASlotThatChangesHandsInBetweenFailsNoHandshake) {
  const uint16_t port = Sample(1)[0];
  EXPECT_EQ(Send(port, kSyn), 1);
  MakeDirty(kTcp4, 1, 2);
  EXPECT_EQ(Send(port, kAck), 1);
  EXPECT_EQ(Handshakes(1).progressed, 1u);
}

TEST_F(HandshakeTest, UdpHasNone) {
  for (uint16_t port = 1; port <= 200; ++port) {
    EXPECT_EQ(ServerOf(UdpFrame(MakeFlow(kClient4, port, kVip4, 53))), 1);
  }
  service(kUdp4).flags = bpf::kDrServiceTracked;
  EXPECT_EQ(ServerOf(UdpFrame(MakeFlow(kClient4, 1, kVip4, 53))), 1);
  EXPECT_EQ(Handshakes(1).watched, 0u);
}

}  // namespace
}  // namespace fairlead::dataplane::dr
