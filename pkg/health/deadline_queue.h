// DeadlineQueue: keys by deadline; each key waits at most once, so its size is the number of keys.
// One thread. Times are base::Clock::Monotonic.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

namespace fairlead::health {

class DeadlineQueue {
 public:
  // Replaces the deadline that `key` may have.
  void Set(uint64_t key, absl::Duration deadline) {
    Remove(key);
    deadline_of_[key] = deadline;
    ordered_.emplace(deadline, key);
  }

  void Remove(uint64_t key) {
    const auto found = deadline_of_.find(key);
    if (found == deadline_of_.end()) return;
    ordered_.erase({found->second, key});
    deadline_of_.erase(found);
  }

  // The earliest deadline; infinite when nothing waits.
  absl::Duration Next() const {
    return ordered_.empty() ? absl::InfiniteDuration() : ordered_.begin()->first;
  }

  // Takes the key with the earliest deadline if that is not after `now`.
  std::optional<uint64_t> TakeDue(absl::Duration now) {
    if (Next() > now) return std::nullopt;
    const uint64_t key = ordered_.begin()->second;
    Remove(key);
    return key;
  }

 private:
  absl::flat_hash_map<uint64_t, absl::Duration> deadline_of_;
  std::set<std::pair<absl::Duration, uint64_t>> ordered_;
};

}  // namespace fairlead::health
