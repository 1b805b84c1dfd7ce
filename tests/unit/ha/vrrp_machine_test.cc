#include "pkg/ha/vrrp_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace fairlead::ha {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kMs = absl::Milliseconds(1);

net::IpAddress Address(const char* text) { return *net::IpAddress::Parse(text); }

struct Node {
  Node(const char* text, uint8_t priority, bool preempt = false, int64_t interval_ms = 100)
      : address(Address(text)),
        machine({.virtual_router_id = 51,
                 .priority = priority,
                 .preempt = preempt,
                 .interval = interval_ms * kMs}),
        interval(interval_ms * kMs) {
    machine.SetLocal(address);
  }
  net::IpAddress address;
  VrrpMachine machine;
  absl::Duration interval;
  bool runs = true;                                  // false: stopped by SIGSTOP, or dead
  bool sends = true;                                 // false: what it sends is lost
  std::vector<std::pair<absl::Duration, int>> sent;  // priorities
};

// A network without delay, and time in steps of a millisecond.
class Network {
 public:
  explicit Network(std::vector<Node*> nodes) : nodes_(std::move(nodes)) {
    for (Node* node : nodes_) Deliver(*node, node->machine.Start(/*resume_master=*/false, now_));
  }

  void Run(absl::Duration time) {
    const absl::Duration end = now_ + time;
    for (; now_ < end; now_ += kMs) {
      int owners = 0;
      for (Node* node : nodes_) {
        if (!node->runs) continue;
        node->machine.CheckLease(now_);
        Deliver(*node, node->machine.Tick(now_));
      }
      for (const Node* node : nodes_) owners += node->runs && node->machine.owns();
      owners_max = std::max(owners_max, owners);
      if (owners == 0) unowned += kMs;
    }
  }
  void Deliver(Node& from, const VrrpMachine::Output& output) {
    if (!output.has_value()) return;
    from.sent.emplace_back(now_, output->priority);
    if (!from.sends) return;
    for (Node* node : nodes_) {
      if (node == &from || !node->runs) continue;
      const VrrpAdvert advert = {.virtual_router_id = 51,
                                 .priority = output->priority,
                                 .interval = from.interval,
                                 .addresses = {}};
      Deliver(*node, node->machine.Receive(advert, from.address, now_));
    }
  }
  absl::Duration now() const { return now_; }

  int owners_max = 0;
  absl::Duration unowned;

 private:
  std::vector<Node*> nodes_;
  absl::Duration now_ = absl::Seconds(100);
};

bool IsMaster(const Node& node) { return node.machine.state() == VrrpState::kMaster; }
bool IsBackup(const Node& node) { return node.machine.state() == VrrpState::kBackup; }

TEST(VrrpMachineTest, TheHigherPriorityIsMasterAndTheOtherStaysBackup) {
  Node low("10.0.0.1", 100);
  Node high("10.0.0.2", 150);
  Network network({&low, &high});
  network.Run(absl::Seconds(5));
  EXPECT_TRUE(IsMaster(high));
  EXPECT_TRUE(IsBackup(low));
  // 3 x 100 + (256 - 150) x 100 / 256 ms.
  EXPECT_THAT(high.machine.reason(), HasSubstr("no other host was heard for 341 ms"));
  EXPECT_EQ(network.unowned, 342 * kMs);
  EXPECT_TRUE(low.sent.empty());
  EXPECT_NEAR(static_cast<double>(high.sent.size()), 47, 1);  // one in 100 ms
}

TEST(VrrpMachineTest, ABackupTakesOverAfterThreeIntervalsAndItsSkew) {
  Node low("10.0.0.1", 100);
  Node high("10.0.0.2", 150);
  Network network({&low, &high});
  network.Run(absl::Seconds(1));
  high.runs = false;
  network.unowned = absl::ZeroDuration();
  network.Run(absl::Seconds(1));
  EXPECT_TRUE(IsMaster(low));
  EXPECT_THAT(low.machine.reason(), HasSubstr("no advertisement of 10.0.0.2 for 36"));
  EXPECT_LE(network.unowned, 361 * kMs);
  // It comes back: late, and a Master no more; without preemption it stays Backup.
  high.runs = true;
  network.owners_max = 0;
  network.Run(absl::Seconds(5));
  EXPECT_TRUE(IsMaster(low));
  EXPECT_TRUE(IsBackup(high));
  EXPECT_EQ(network.owners_max, 1);
  EXPECT_THAT(high.machine.reason(), HasSubstr("it has not advertised for"));
}

TEST(VrrpMachineTest, WithPreemptionTheHigherPriorityTakesItBack) {
  Node low("10.0.0.1", 100);
  Node high("10.0.0.2", 150, /*preempt=*/true);
  high.runs = false;
  Network network({&low, &high});
  network.Run(absl::Seconds(1));
  EXPECT_TRUE(IsMaster(low));
  high.runs = true;
  network.Run(absl::Seconds(1));
  EXPECT_TRUE(IsMaster(high));
  EXPECT_TRUE(IsBackup(low));
  EXPECT_THAT(low.machine.reason(), HasSubstr("higher priority (150 against 100)"));
}

TEST(VrrpMachineTest, EqualPrioritiesAreDecidedByTheAddress) {
  Node one("10.0.0.1", 100);
  Node two("10.0.0.2", 100);
  one.sends = two.sends = false;
  Network network({&one, &two});
  network.Run(absl::Seconds(2));
  ASSERT_EQ(network.owners_max, 2);
  one.sends = two.sends = true;
  network.Run(absl::Seconds(2));
  EXPECT_TRUE(IsMaster(two));
  EXPECT_TRUE(IsBackup(one));
}

TEST(VrrpMachineTest, PriorityZeroIsFollowedAfterTheSkewAlone) {
  Node low("10.0.0.1", 100);
  Node high("10.0.0.2", 150);
  Network network({&low, &high});
  network.Run(absl::Seconds(1));
  network.unowned = absl::ZeroDuration();
  network.Deliver(high, high.machine.Stop(network.now()));
  network.Run(absl::Seconds(1));
  EXPECT_TRUE(high.machine.stopped());
  EXPECT_TRUE(IsMaster(low));
  EXPECT_THAT(low.machine.reason(), HasSubstr("10.0.0.2 gave up"));
  EXPECT_EQ(network.unowned, absl::ZeroDuration());  // it served on until it was heard
}

TEST(VrrpMachineTest, ABackupAdoptsTheMastersInterval) {
  Node slow("10.0.0.2", 150, /*preempt=*/false, /*interval_ms=*/1000);
  Node fast("10.0.0.1", 100, /*preempt=*/false, /*interval_ms=*/10);
  fast.runs = false;
  Network network({&slow, &fast});
  network.Run(absl::Seconds(5));
  ASSERT_TRUE(IsMaster(slow));
  // Its own three intervals of 10 ms would be over long before the Master's next advertisement.
  network.Deliver(slow, VrrpMachine::Send{150});
  fast.machine.Receive(
      {.virtual_router_id = 51, .priority = 150, .interval = absl::Seconds(1), .addresses = {}},
      slow.address, network.now());
  fast.runs = true;
  network.Run(absl::Seconds(10));
  EXPECT_TRUE(IsMaster(slow));
  EXPECT_TRUE(IsBackup(fast));
}

TEST(VrrpMachineTest, AMasterWhoseTransmissionIsBrokenYieldsAndStaysBackup) {
  Node low("10.0.0.1", 100);
  Node high("10.0.0.2", 150, /*preempt=*/true);
  Network network({&low, &high});
  network.Run(absl::Seconds(1));
  ASSERT_TRUE(IsMaster(high));
  high.sends = false;
  network.Run(absl::Seconds(1));
  EXPECT_TRUE(IsMaster(low));
  EXPECT_TRUE(IsBackup(high));
  EXPECT_THAT(high.machine.reason(), HasSubstr("does not hear this host"));
  network.Run(absl::Seconds(10));
  EXPECT_TRUE(IsBackup(high)) << "it must not fight for what it cannot hold";
}

TEST(VrrpMachineTest, AMasterThatServesBadlyIsRelievedByAHealthyBackupAlone) {
  Node low("10.0.0.1", 100);
  Node high("10.0.0.2", 150);
  Network network({&low, &high});
  network.Run(absl::Seconds(1));
  network.Deliver(low, low.machine.SetImpairment("no real server", network.now()));
  network.Deliver(high, high.machine.SetImpairment("no real server", network.now()));
  network.Run(absl::Seconds(2));
  EXPECT_TRUE(IsMaster(high)) << "both are as bad: nothing changes";
  network.unowned = absl::ZeroDuration();
  network.Deliver(low, low.machine.SetImpairment("", network.now()));
  network.Run(absl::Seconds(2));
  EXPECT_TRUE(IsMaster(low));
  EXPECT_TRUE(IsBackup(high));
  EXPECT_EQ(network.unowned, absl::ZeroDuration());
  network.Deliver(high, high.machine.SetImpairment("", network.now()));
  network.Run(absl::Seconds(5));
  EXPECT_TRUE(IsMaster(low)) << "no preemption";
}

TEST(VrrpMachineTest, APlannedTakeoverLeavesNoGapAndHolds) {
  for (const bool preempt : {false, true}) {
    Node low("10.0.0.1", 100);
    Node high("10.0.0.2", 150);
    Network network({&low, &high});
    network.Run(absl::Seconds(1));
    network.unowned = absl::ZeroDuration();
    EXPECT_EQ(low.machine.Takeover(network.now()), "");
    EXPECT_TRUE(low.machine.owns());
    network.Run(absl::Seconds(5));
    EXPECT_TRUE(IsMaster(low)) << preempt;
    EXPECT_TRUE(IsBackup(high));
    EXPECT_EQ(network.unowned, absl::ZeroDuration());
    ASSERT_GE(low.sent.size(), 4u);
    EXPECT_EQ(low.sent[0].second, 255);
    EXPECT_EQ(low.sent.back().second, 100);
  }
}

TEST(VrrpMachineTest, StandbyIsAPlannedSwitchAndIsNotTakenBack) {
  Node low("10.0.0.1", 100);
  Node high("10.0.0.2", 150, /*preempt=*/true);
  Network network({&low, &high});
  network.Run(absl::Seconds(1));
  network.unowned = absl::ZeroDuration();
  VrrpMachine::Output output;
  EXPECT_EQ(high.machine.Standby(network.now(), &output), "");
  EXPECT_EQ(high.machine.state(), VrrpState::kResigning);
  network.Deliver(high, output);
  network.Run(absl::Seconds(5));
  EXPECT_TRUE(IsMaster(low));
  EXPECT_TRUE(IsBackup(high)) << "in spite of preemption";
  EXPECT_EQ(network.unowned, absl::ZeroDuration());
  low.runs = false;
  network.Run(absl::Seconds(1));
  EXPECT_TRUE(IsMaster(high)) << "a dead peer is another matter";
}

TEST(VrrpMachineTest, StandbyWithoutAPeerIsNoOutage) {
  Node one("10.0.0.1", 100);
  Network network({&one});
  network.Run(absl::Seconds(1));
  network.unowned = absl::ZeroDuration();
  VrrpMachine::Output output;
  one.machine.Standby(network.now(), &output);
  network.Deliver(one, output);
  network.Run(absl::Seconds(1));
  EXPECT_TRUE(IsMaster(one));
  EXPECT_THAT(one.machine.reason(), HasSubstr("nobody took over"));
  EXPECT_EQ(network.unowned, absl::ZeroDuration());
}

TEST(VrrpMachineTest, AFaultGivesUpAndComesBackAsBackup) {
  Node low("10.0.0.1", 100);
  Node high("10.0.0.2", 150);
  Network network({&low, &high});
  network.Run(absl::Seconds(1));
  network.Deliver(high, high.machine.SetFault("interface eth0 has no link", network.now()));
  EXPECT_EQ(high.sent.back().second, 0);
  EXPECT_FALSE(high.machine.owns());
  EXPECT_THAT(high.machine.Takeover(network.now()), HasSubstr("interface eth0 has no link"));
  network.Run(absl::Seconds(1));
  EXPECT_TRUE(IsMaster(low));
  network.Deliver(high, high.machine.SetFault("", network.now()));
  network.Run(absl::Seconds(2));
  EXPECT_TRUE(IsBackup(high));
}

TEST(VrrpMachineTest, TheLeaseEndsBeforeThePeerMayTakeOver) {
  Node low("10.0.0.1", 254);  // the shortest skew: 2/256 of an interval
  Node high("10.0.0.2", 150);
  Network network({&high});
  network.Run(absl::Seconds(1));
  ASSERT_TRUE(IsMaster(high));
  low.machine.Start(false, network.now());
  low.machine.Receive(
      {.virtual_router_id = 51, .priority = 150, .interval = 100 * kMs, .addresses = {}},
      high.address, high.sent.back().first);
  EXPECT_LT(high.machine.lease(), low.machine.next());
}

}  // namespace
}  // namespace fairlead::ha
