// ProbeRunner: runs a bounded number of probes at once on a Ring and keeps their time-outs.
//
//   slot:  Free --Start--> Polling --outcome--> Free
//           |                 |
//           |                 '--time-out: outcome, Cancel--> Joining --last completion--> Free
//           '-----Start--> Waiting --OnWoken or time-out: outcome--> Free
//
// Invariant: a slot that polls has exactly one operation outstanding; a probe (and with it its
// descriptor) goes only when none is. Owner: the health thread.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "pkg/health/deadline_queue.h"
#include "pkg/health/probe.h"
#include "pkg/uring/ring.h"

namespace fairlead::health {

class ProbeRunner {
 public:
  struct Result {
    uint64_t key = 0;
    ProbeOutcome outcome;
    absl::Duration latency;  // from Start to the outcome
  };

  // `ring` outlives the runner. At most `probes_max` (at least 1) probes run at once.
  ProbeRunner(uring::Ring& ring, uint32_t probes_max);

  bool has_room() const { return running_ < probes_max_; }
  // Probes that hold a slot.
  uint32_t running() const { return running_; }

  // `key` is the caller's and comes back in the result, which may be there at once. There must be
  // room. `now` is Clock::Monotonic here and below.
  void Start(uint64_t key, std::unique_ptr<Probe> probe, absl::Duration timeout,
             absl::Duration now);
  // The probe said AwaitWake, and what it waits for is there.
  void OnWoken(const Probe* probe, absl::Duration now);
  // For every completion of the ring whose user_data is not another's.
  void OnCompletion(const uring::Completion& completion, absl::Duration now);
  // Ends the probes whose time is up.
  void OnTime(absl::Duration now);
  // When OnTime has something to do; infinite when nothing runs.
  absl::Duration NextDeadline() const { return deadlines_.Next(); }
  // What ended since the last call.
  std::vector<Result> TakeResults() { return std::exchange(results_, {}); }

  // Ends all probes without results. They are gone when running() is 0, after further completions.
  void CancelAll();

 private:
  enum class SlotState { kFree, kPolling, kWaiting, kJoining };
  struct Slot {
    SlotState state = SlotState::kFree;
    uint64_t key = 0;
    std::unique_ptr<Probe> probe;
    absl::Duration timeout;
    absl::Duration started;
  };

  uint32_t TakeSlot();
  void Follow(uint32_t index, ProbeStep step, absl::Duration now);
  // Ends a slot that polls or waits; one that polls joins first.
  void End(uint32_t index);
  void Free(uint32_t index);

  uring::Ring& ring_;
  const uint32_t probes_max_;
  uint32_t running_ = 0;
  absl::flat_hash_map<const Probe*, uint32_t> waiting_;  // index of the slots in kWaiting
  std::vector<Slot> slots_;           // grows to probes_max_; user_data = index + 1
  std::vector<uint32_t> free_slots_;  // indexes into slots_
  DeadlineQueue deadlines_;           // by slot index
  std::vector<Result> results_;
};

}  // namespace fairlead::health
