// LeaseKeeper: says, again and again, that this process lives and may forward. Where services have
// kDrServiceLeased, the program stops to forward when nobody has said so for the time of the lease:
// the daemon is frozen (SIGSTOP, a paused virtual machine) or dead.
//
// A thread of its own does this and nothing else: what the other threads do may take longer than a
// lease (the kernel's grace periods, 13 ms for each ring that is swapped; scans of 8 MiB).
#pragma once

#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "pkg/base/mutex.h"
#include "pkg/dataplane/dr/bpf/dr_maps.h"

namespace fairlead::dataplane::dr {

class LeaseKeeper {
 public:
  // A lease is renewed so many times in its time; the others are for a thread that the scheduler
  // keeps waiting.
  static constexpr int kRenewalsPerLease = 5;
  // Renewed every 50 ms: below that, a busy host would take forwarding away from itself.
  static constexpr absl::Duration kShortest = absl::Milliseconds(250);
  static constexpr absl::Duration kLongest = absl::Hours(1);

  // `lease`: kShortest to kLongest. Nothing is renewed yet.
  explicit LeaseKeeper(absl::Duration lease);
  ~LeaseKeeper();

  // Renews the leases in `tables` now, and from now on. Null: no longer; when that returns, the
  // former tables are not touched any more. Their leases run out.
  void Renew(bpf::DrTables* tables);

 private:
  void Run();
  void WriteLeases() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const absl::Duration lease_;
  base::Mutex mutex_;  // held for the writing of 256 words at most
  bpf::DrTables* tables_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace fairlead::dataplane::dr
