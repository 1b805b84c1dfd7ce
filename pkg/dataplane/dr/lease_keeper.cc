#include "pkg/dataplane/dr/lease_keeper.h"

#include <time.h>

namespace fairlead::dataplane::dr {
namespace {

// The clock of bpf_ktime_get_boot_ns, which goes on while the host is suspended.
uint64_t BootNs() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(absl::ToInt64Nanoseconds(absl::DurationFromTimespec(now)));
}

}  // namespace

LeaseKeeper::LeaseKeeper(absl::Duration lease) : lease_(lease), thread_([this] { Run(); }) {}

LeaseKeeper::~LeaseKeeper() {
  {
    base::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void LeaseKeeper::Renew(bpf::DrTables* tables) {
  base::MutexLock lock(&mutex_);
  tables_ = tables;
  WriteLeases();
}

void LeaseKeeper::Run() {
  base::MutexLock lock(&mutex_);
  const auto stopping = [this] {
    mutex_.AssertHeld();
    return stopping_;
  };
  while (!mutex_.AwaitWithTimeout(stopping, lease_ / kRenewalsPerLease)) WriteLeases();
}

void LeaseKeeper::WriteLeases() {
  if (tables_ == nullptr) return;
  const uint64_t until = BootNs() + static_cast<uint64_t>(absl::ToInt64Nanoseconds(lease_));
  for (__u64& lease : tables_->leases) __atomic_store_n(&lease, until, __ATOMIC_RELAXED);
}

}  // namespace fairlead::dataplane::dr
