#include "pkg/scheduler/persistence_table.h"

#include <gtest/gtest.h>

#include "pkg/scheduler/stable_hash.h"

namespace fairlead::scheduler {
namespace {

TEST(PersistenceTableTest, FindsWhatItRemembersUntilTheTimeout) {
  PersistenceTable table;
  EXPECT_EQ(table.Find(42, 0, 300), std::nullopt);
  table.Remember(42, 7, 1000);
  EXPECT_EQ(table.Find(42, 1300, 300), 7);
  EXPECT_EQ(table.Find(42, 1301, 300), std::nullopt);
  table.Remember(42, 7, 1301);  // refreshed
  EXPECT_EQ(table.Find(42, 1500, 300), 7);
}

TEST(PersistenceTableTest, TheLastServerWins) {
  PersistenceTable table;
  table.Remember(42, 7, 0);
  table.Remember(42, 8, 1);
  EXPECT_EQ(table.Find(42, 2, 300), 8);
  table.Forget(42);
  EXPECT_EQ(table.Find(42, 2, 300), std::nullopt);
}

TEST(PersistenceTableTest, SurvivesTheWrapOfItsClock) {
  PersistenceTable table;
  table.Remember(42, 7, (1u << 24) - 10);
  EXPECT_EQ(table.Find(42, (1u << 24) + 20, 300), 7);
  EXPECT_EQ(table.Find(42, (1u << 24) + 291, 300), std::nullopt);
}

TEST(PersistenceTableTest, EvictsTheLongestUnusedOfAFullBucket) {
  PersistenceTable table;
  const auto key = [](uint64_t i) { return (i + 1) << 40 | 5; };  // one bucket, different tags
  for (uint64_t i = 0; i < 8; ++i) table.Remember(key(i), static_cast<uint16_t>(i), 100 + i);
  table.Remember(key(0), 0, 200);
  table.Remember(key(8), 8, 201);
  EXPECT_EQ(table.Find(key(1), 201, 300), std::nullopt);
  EXPECT_EQ(table.Find(key(0), 201, 300), 0);
  EXPECT_EQ(table.Find(key(8), 201, 300), 8);
}

TEST(PersistenceTableTest, KeepsSixtyFourThousandClientsApart) {
  PersistenceTable table;
  int wrong = 0;
  int kept = 0;
  for (uint64_t i = 0; i < 65536; ++i) table.Remember(Mix(i), static_cast<uint16_t>(i), 1);
  for (uint64_t i = 0; i < 65536; ++i) {
    const std::optional<uint16_t> found = table.Find(Mix(i), 1, 300);
    kept += found.has_value();
    wrong += found.has_value() && *found != static_cast<uint16_t>(i);
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(kept, 62000);  // half full on average; a bucket beyond eight forgets
}

}  // namespace
}  // namespace fairlead::scheduler
