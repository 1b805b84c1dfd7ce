#include "pkg/scheduler/maglev_ring.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pkg/scheduler/stable_hash.h"

namespace fairlead::scheduler {
namespace {

std::vector<MaglevServer> Servers(const std::vector<double>& weights) {
  std::vector<MaglevServer> servers;
  for (size_t i = 0; i < weights.size(); ++i) {
    servers.push_back({StableHash(absl::StrCat("server-", i)), weights[i]});
  }
  return servers;
}

std::vector<int> Shares(const std::vector<uint16_t>& ring, size_t servers_count) {
  std::vector<int> shares(servers_count);
  for (const uint16_t slot : ring) ++shares.at(slot);
  return shares;
}

TEST(MaglevRingTest, SharesFollowTheWeights) {
  EXPECT_EQ(Shares(BuildMaglevRing(Servers({100, 100, 100, 100}), 4096), 4),
            (std::vector<int>{1024, 1024, 1024, 1024}));
  const std::vector<int> shares = Shares(BuildMaglevRing(Servers({100, 50, 0, 10}), 4096), 4);
  EXPECT_NEAR(shares[0], 2560, 3);
  EXPECT_NEAR(shares[1], 1280, 3);
  EXPECT_EQ(shares[2], 0);
  EXPECT_NEAR(shares[3], 256, 3);
}

TEST(MaglevRingTest, WithoutWeightsTheRingIsEmpty) {
  EXPECT_EQ(BuildMaglevRing({}, 4096), std::vector<uint16_t>(4096, kNoServer));
  EXPECT_EQ(BuildMaglevRing(Servers({0, 0}), 4096), std::vector<uint16_t>(4096, kNoServer));
}

TEST(MaglevRingTest, ALeavingServerMovesLittleBesidesItsOwn) {
  std::vector<double> weights(10, 100);
  const std::vector<uint16_t> before = BuildMaglevRing(Servers(weights), 4096);
  weights[3] = 0;
  const std::vector<uint16_t> after = BuildMaglevRing(Servers(weights), 4096);
  int own = 0;
  int others = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i] == 3) {
      ++own;
    } else if (before[i] != after[i]) {
      ++others;
    }
  }
  EXPECT_NEAR(own, 410, 1);
  EXPECT_LT(others, 410) << "the paper's figure 12: fewer than the leaving server's";
}

}  // namespace
}  // namespace fairlead::scheduler
