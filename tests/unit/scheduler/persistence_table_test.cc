#include "pkg/scheduler/persistence_table.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "pkg/scheduler/stable_hash.h"

namespace fairlead::scheduler {
namespace {

TEST(PersistenceTableTest, FindsWhatItRemembersUntilTheTimeout) {
  const std::unique_ptr<PersistenceTable> owned = *PersistenceTable::Create({});
  PersistenceTable& table = *owned;
  EXPECT_EQ(table.Find(42, 0, 300), std::nullopt);
  table.Remember(42, 7, 1000);
  EXPECT_EQ(table.Find(42, 1300, 300), 7);
  EXPECT_EQ(table.Find(42, 1301, 300), std::nullopt);
  table.Remember(42, 7, 1301);  // refreshed
  EXPECT_EQ(table.Find(42, 1500, 300), 7);
}

TEST(PersistenceTableTest, TheLastServerWins) {
  const std::unique_ptr<PersistenceTable> owned = *PersistenceTable::Create({});
  PersistenceTable& table = *owned;
  table.Remember(42, 7, 0);
  table.Remember(42, 8, 1);
  EXPECT_EQ(table.Find(42, 2, 300), 8);
  table.Forget(42);
  EXPECT_EQ(table.Find(42, 2, 300), std::nullopt);
}

TEST(PersistenceTableTest, SurvivesTheWrapOfItsClock) {
  const std::unique_ptr<PersistenceTable> owned = *PersistenceTable::Create({});
  PersistenceTable& table = *owned;
  table.Remember(42, 7, (1u << 24) - 10);
  EXPECT_EQ(table.Find(42, (1u << 24) + 20, 300), 7);
  EXPECT_EQ(table.Find(42, (1u << 24) + 291, 300), std::nullopt);
}

TEST(PersistenceTableTest, EvictsTheLongestUnusedOfAFullBucket) {
  const std::unique_ptr<PersistenceTable> owned = *PersistenceTable::Create({});
  PersistenceTable& table = *owned;
  const auto key = [](uint64_t i) { return (i + 1) << 40 | 5; };  // one bucket, different tags
  for (uint64_t i = 0; i < 8; ++i) table.Remember(key(i), static_cast<uint16_t>(i), 100 + i);
  table.Remember(key(0), 0, 200);
  table.Remember(key(8), 8, 201);
  EXPECT_EQ(table.Find(key(1), 201, 300), std::nullopt);
  EXPECT_EQ(table.Find(key(0), 201, 300), 0);
  EXPECT_EQ(table.Find(key(8), 201, 300), 8);
}

TEST(PersistenceTableTest, KeepsSixtyFourThousandClientsApart) {
  const std::unique_ptr<PersistenceTable> owned = *PersistenceTable::Create({});
  PersistenceTable& table = *owned;
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

TEST(PersistenceTableTest, IsSharedWithWhoeverGetsADuplicate) {
  const std::unique_ptr<PersistenceTable> old_process = *PersistenceTable::Create({});
  old_process->Remember(42, 7, 10);
  const std::unique_ptr<PersistenceTable> new_process =
      *PersistenceTable::Create(old_process->DuplicateFd());
  EXPECT_EQ(new_process->Find(42, 20, 300), 7);
  new_process->Remember(43, 8, 20);
  EXPECT_EQ(old_process->Find(43, 20, 300), 8);
}

TEST(PersistenceTableTest, RefusesAFileOfAnotherSize) {
  const auto table = PersistenceTable::Create(base::UniqueFd(::memfd_create("other", MFD_CLOEXEC)));
  EXPECT_EQ(table.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace fairlead::scheduler
