#include "pkg/dataplane/dr/lease_keeper.h"

#include <gtest/gtest.h>
#include <time.h>

#include <memory>
#include <thread>

namespace fairlead::dataplane::dr {
namespace {

uint64_t BootNs() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

uint64_t LeaseOf(const bpf::DrTables& tables, uint32_t service) {
  return __atomic_load_n(&tables.leases[service], __ATOMIC_RELAXED);
}

TEST(LeaseKeeperTest, RenewsEveryLeaseAtOnceAndThenAgain) {
  const auto tables = std::make_unique<bpf::DrTables>();
  const uint64_t before = BootNs();
  LeaseKeeper keeper(LeaseKeeper::kShortest);
  keeper.Renew(tables.get());
  const uint64_t first = LeaseOf(*tables, 1);
  EXPECT_GE(first, before + 250'000'000);
  EXPECT_LE(first, BootNs() + 250'000'000);
  EXPECT_EQ(LeaseOf(*tables, bpf::kDrServices - 1), first);
  const uint64_t deadline = BootNs() + 10'000'000'000;
  while (LeaseOf(*tables, 1) < first + 200'000'000 && BootNs() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_GE(LeaseOf(*tables, 1), first + 200'000'000);
}

TEST(LeaseKeeperTest, LeavesTheTablesAloneOnceTheyAreTakenFromIt) {
  const auto tables = std::make_unique<bpf::DrTables>();
  LeaseKeeper keeper(LeaseKeeper::kShortest);
  EXPECT_EQ(LeaseOf(*tables, 1), 0u);
  keeper.Renew(tables.get());
  keeper.Renew(nullptr);
  const uint64_t last = LeaseOf(*tables, 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(150));  // three renewals
  EXPECT_EQ(LeaseOf(*tables, 1), last);
}

}  // namespace
}  // namespace fairlead::dataplane::dr
