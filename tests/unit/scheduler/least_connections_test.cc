// What least connections makes of many connections: a simulation of shards that share the counts of
// connections and keep turns of their own, as the data plane does.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <queue>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "pkg/scheduler/schedule.h"

namespace fairlead::scheduler {
namespace {

enum class Duration { kExponential, kSimilar, kEqual };

struct Scenario {
  std::vector<double> weights;
  int shards = 1;
  int clients = 1;  // each connects again as soon as its connection has ended
  Duration duration = Duration::kExponential;
  uint64_t seed = 1;

  std::string ToString() const {
    return absl::StrCat("weights ", absl::StrJoin(weights, ","), ", ", shards, " shards, ", clients,
                        " clients, durations ", static_cast<int>(duration), ", seed ", seed);
  }
};

class Simulation {
 public:
  explicit Simulation(const Scenario& scenario)
      : scenario_(scenario),
        random_(scenario.seed),
        finish_(scenario.shards, std::vector<double>(scenario.weights.size())),
        now_(scenario.shards),
        connections(scenario.weights.size()),
        counts(scenario.weights.size()) {}

  void Run(int connections_count) {
    for (int i = 0; i < scenario_.clients; ++i) Connect(0);
    for (int i = 0; i < connections_count; ++i) {
      const End end = ends_.top();
      ends_.pop();
      --connections[end.server];
      Connect(end.time);
    }
  }

  // By how much of the whole a server's share differs from its weight's, at most.
  double WorstDifference() const {
    double weights = 0;
    double total = 0;
    for (size_t i = 0; i < counts.size(); ++i) {
      weights += scenario_.weights[i];
      total += counts[i];
    }
    double worst = 0;
    for (size_t i = 0; i < counts.size(); ++i) {
      worst = std::max(worst, std::abs(counts[i] / total - scenario_.weights[i] / weights));
    }
    return worst;
  }

 private:
  struct End {
    double time;
    size_t server;
    bool operator<(const End& other) const { return time > other.time; }  // the earliest on top
  };

  double NextDuration() {
    switch (scenario_.duration) {
      case Duration::kExponential:
        return std::exponential_distribution<double>(1)(random_);
      case Duration::kSimilar:
        return std::uniform_real_distribution<double>(0.9, 1.1)(random_);
      case Duration::kEqual:
        return 1;
    }
    return 1;
  }

  void Connect(double time) {
    const size_t shard = random_() % scenario_.shards;
    std::vector<Candidate> candidates;
    for (size_t i = 0; i < counts.size(); ++i) {
      candidates.push_back(
          {static_cast<uint32_t>(i), scenario_.weights[i], connections[i], finish_[shard][i], 0});
    }
    const size_t server = PickWeightedLeastConnections(candidates, now_[shard]);
    const double finish = NextFinish(candidates[server], now_[shard], kTurnsBehindLeastConnections);
    finish_[shard][server] = finish;
    now_[shard] = std::max(now_[shard], finish - 1 / scenario_.weights[server]);
    ++connections[server];
    ++counts[server];
    ends_.push({time + NextDuration(), server});
  }

  const Scenario scenario_;
  std::mt19937_64 random_;
  std::vector<std::vector<double>> finish_;  // [shard][server]
  std::vector<double> now_;                  // [shard]
  std::priority_queue<End> ends_;

 public:
  std::vector<uint32_t> connections;  // now
  std::vector<uint64_t> counts;       // so far
};

TEST(LeastConnectionsTest, SharesOfShortConnectionsAreWithinTwoPointsOfTheWeights) {
  const std::vector<std::vector<double>> weight_sets = {
      {100, 100, 50}, {100, 200, 300},         {100, 10}, {10, 20, 70}, {1, 1, 1, 1},
      {100, 1, 1, 1}, {1, 2, 3, 4, 5, 6, 7, 8}};
  for (const auto& weights : weight_sets) {
    for (const int shards : {1, 2, 8}) {
      for (const int clients : {1, 2, 4, 8, 16, 64, 256}) {
        for (const Duration duration :
             {Duration::kExponential, Duration::kSimilar, Duration::kEqual}) {
          const Scenario scenario = {weights, shards, clients, duration,
                                     static_cast<uint64_t>(shards * 1000 + clients)};
          Simulation simulation(scenario);
          simulation.Run(20'000);
          EXPECT_LE(simulation.WorstDifference(), 0.02) << scenario.ToString();
        }
      }
    }
  }
}

TEST(LeastConnectionsTest, LongConnectionsAreSpreadToWithinOne) {
  Simulation simulation({.weights = {100, 200, 300}, .clients = 600});
  simulation.Run(0);
  EXPECT_NEAR(simulation.connections[0], 100, 1);
  EXPECT_NEAR(simulation.connections[1], 200, 1);
  EXPECT_NEAR(simulation.connections[2], 300, 1);
}

TEST(LeastConnectionsTest, AServerThatDoesNotAnswerIsNeverMoreThanOneAhead) {
  std::vector<Candidate> candidates;
  for (uint32_t i = 0; i < 2; ++i) candidates.push_back({i, 100, 0, 0, 0});
  double now = 0;
  // Server 0 ends none of its connections, server 1 each at once.
  for (int i = 0; i < 100; ++i) {
    const size_t server = PickWeightedLeastConnections(candidates, now);
    candidates[server].finish = NextFinish(candidates[server], now, kTurnsBehindLeastConnections);
    now = std::max(now, candidates[server].finish - 1.0 / 100);
    if (server == 0) ++candidates[0].connections;
  }
  EXPECT_EQ(candidates[0].connections, 1u);
}

}  // namespace
}  // namespace fairlead::scheduler
