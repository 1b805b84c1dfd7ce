#include "pkg/scheduler/schedule.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pkg/scheduler/maglev.h"
#include "pkg/scheduler/stable_hash.h"

namespace fairlead::scheduler {
namespace {

std::vector<Candidate> Candidates(const std::vector<double>& weights) {
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < weights.size(); ++i) {
    candidates.push_back(
        {static_cast<uint32_t>(i), weights[i], 0, 0, StableHash(absl::StrCat("server-", i))});
  }
  return candidates;
}

// What a shard does with a pick; returns the counts of `turns` picks.
std::vector<int> RunRoundRobin(std::vector<Candidate>& candidates, double* now, int turns) {
  std::vector<int> counts(candidates.size());
  for (int i = 0; i < turns; ++i) {
    const size_t pick = PickWeightedRoundRobin(candidates, *now);
    const double finish = NextFinish(candidates[pick], *now, kTurnsBehindRoundRobin);
    candidates[pick].finish = finish;
    *now = std::max(*now, finish - 1 / candidates[pick].weight);
    ++counts[pick];
  }
  return counts;
}

TEST(ScheduleTest, RoundRobinSharesExactlyByWeight) {
  std::vector<Candidate> candidates = Candidates({100, 50, 50});
  double now = 0;
  EXPECT_EQ(RunRoundRobin(candidates, &now, 400), (std::vector<int>{200, 100, 100}));
}

TEST(ScheduleTest, RoundRobinGivesALightServerItsTurn) {
  std::vector<Candidate> candidates = Candidates({100, 1});
  double now = 0;
  EXPECT_EQ(RunRoundRobin(candidates, &now, 1010), (std::vector<int>{1000, 10}));
}

TEST(ScheduleTest, RoundRobinInterleavesInsteadOfBursting) {
  std::vector<Candidate> candidates = Candidates({1, 1});
  double now = 0;
  int same_in_a_row = 0;
  size_t last = 99;
  for (int i = 0; i < 20; ++i) {
    const std::vector<int> counts = RunRoundRobin(candidates, &now, 1);
    const size_t pick = counts[0] == 1 ? 0 : 1;
    if (pick == last) ++same_in_a_row;
    last = pick;
  }
  EXPECT_EQ(same_in_a_row, 0);
}

TEST(ScheduleTest, AServerThatJoinsGetsItsShareAndNotWhatItMissed) {
  std::vector<Candidate> candidates = Candidates({1, 1});
  double now = 0;
  RunRoundRobin(candidates, &now, 1000);
  candidates.push_back({2, 1, 0, 0, 7});
  const std::vector<int> counts = RunRoundRobin(candidates, &now, 300);
  for (const int count : counts) EXPECT_NEAR(count, 100, 1);
}

TEST(ScheduleTest, LeastConnectionsPicksTheLowestLoadForTheWeight) {
  std::vector<Candidate> candidates = Candidates({100, 200});
  candidates[0].connections = 10;
  candidates[1].connections = 18;
  EXPECT_EQ(PickWeightedLeastConnections(candidates, 0), 1);
  candidates[1].connections = 22;
  EXPECT_EQ(PickWeightedLeastConnections(candidates, 0), 0);
}

TEST(ScheduleTest, LeastConnectionsSpreadsAnIdleServiceByWeight) {
  std::vector<Candidate> candidates = Candidates({100, 300});
  double now = 0;
  std::vector<int> counts(2);
  for (int i = 0; i < 400; ++i) {
    const size_t pick = PickWeightedLeastConnections(candidates, now);
    const double finish = NextFinish(candidates[pick], now, kTurnsBehindLeastConnections);
    candidates[pick].finish = finish;
    now = std::max(now, finish - 1 / candidates[pick].weight);
    ++counts[pick];
  }
  EXPECT_EQ(counts, (std::vector<int>{100, 300}));
}

TEST(ScheduleTest, RendezvousSharesByWeightAndMovesOnlyTheClientsOfALostServer) {
  const std::vector<Candidate> all = Candidates({100, 100, 200});
  const std::vector<Candidate> fewer = {all[0], all[2]};
  std::vector<int> counts(3);
  for (uint64_t client = 0; client < 40000; ++client) {
    const uint64_t key = Mix(client);
    const uint32_t before = all[PickRendezvous(all, key)].index;
    const uint32_t after = fewer[PickRendezvous(fewer, key)].index;
    ++counts[before];
    if (before != 1) {
      EXPECT_EQ(before, after);
    }
  }
  EXPECT_NEAR(counts[0], 10000, 400);
  EXPECT_NEAR(counts[1], 10000, 400);
  EXPECT_NEAR(counts[2], 20000, 500);
}

TEST(MaglevTest, SharesSlotsByWeight) {
  const std::vector<MaglevServer> servers = {
      {StableHash("a"), 100}, {StableHash("b"), 50}, {StableHash("c"), 0}};
  const MaglevTable table(servers);
  std::vector<int> counts(3);
  for (size_t i = 0; i < table.size(); ++i) ++counts[table.Lookup(i)];
  EXPECT_EQ(counts[2], 0);
  EXPECT_NEAR(counts[0], 2 * counts[1], 2);
}

TEST(MaglevTest, MovesFewOtherKeysWhenAServerGoes) {
  std::vector<MaglevServer> servers;
  for (int i = 0; i < 10; ++i) servers.push_back({StableHash(absl::StrCat("s", i)), 1});
  const MaglevTable before(servers);
  servers[4].weight = 0;
  const MaglevTable after(servers);
  ASSERT_EQ(before.size(), after.size());
  size_t moved = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    moved += before.Lookup(i) != 4 && before.Lookup(i) != after.Lookup(i);
  }
  EXPECT_LT(moved, before.size() / 10);
}

TEST(MaglevTest, IsEmptyWithoutWeights) {
  EXPECT_TRUE(MaglevTable({}).empty());
  const std::vector<MaglevServer> servers = {{1, 0}};
  EXPECT_TRUE(MaglevTable(servers).empty());
}

TEST(StableHashTest, NeverChanges) {
  // These values are in use between processes and hosts: a change moves every hashed client.
  EXPECT_EQ(StableHash("paragon-srv-1"), StableHash("paragon-srv-1", 0));
  EXPECT_EQ(StableHash(""), 0xe220a8397b1dcdafu);
  EXPECT_EQ(Mix(1), 0x910a2dec89025cc1u);
}

}  // namespace
}  // namespace fairlead::scheduler
