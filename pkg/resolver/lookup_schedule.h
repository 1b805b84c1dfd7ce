// LookupSchedule: which host name is looked up when.
//
//   SetNames -> waiting -> TakeDue -> (looked up elsewhere) -> Finish -> waiting
//
// Pure: time comes in as arguments (Clock::Monotonic), randomness from a seed. Under NameResolver's
// lock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace fairlead::resolver {

struct LookupTimes {
  // From one answer to the next look, +-10 %. getaddrinfo(3) hides the records' time to live; 30 s
  // is what most zones that move services use.
  absl::Duration refresh = absl::Seconds(30);
  // After a failure: this, then twice as long each time, up to `refresh`.
  absl::Duration retry = absl::Seconds(1);
  // Between looks at an urgent name.
  absl::Duration urgent = absl::Seconds(5);
};

struct WantedName {
  std::string name;
  bool urgent = false;  // what it stands for does not answer: it may have moved

  friend bool operator==(const WantedName&, const WantedName&) = default;
};

class LookupSchedule {
 public:
  LookupSchedule(const LookupTimes& times, uint64_t jitter_seed)
      : times_(times), random_(jitter_seed) {}

  // Replaces the names. New ones, and those that become urgent, are due at once; the others keep
  // their times.
  void SetNames(const std::vector<WantedName>& names, absl::Duration now);

  // When TakeDue has something; infinite when nothing waits.
  absl::Duration NextDue() const {
    return waiting_.empty() ? absl::InfiniteDuration() : waiting_.begin()->first;
  }
  // The name that has been due the longest; it does not wait any more until Finish.
  std::optional<std::string> TakeDue(absl::Duration now);
  // The lookup of a taken name has ended. True: the name is still wanted.
  bool Finish(const std::string& name, bool succeeded, absl::Duration now);

 private:
  struct Entry {
    absl::Duration due;
    bool waiting = true;
    bool urgent = false;
    int failures = 0;  // in a row
  };

  void Wait(const std::string& name, absl::Duration due, Entry* entry);

  const LookupTimes times_;
  std::mt19937_64 random_;
  std::map<std::string, Entry> entries_;
  std::set<std::pair<absl::Duration, std::string>> waiting_;
};

}  // namespace fairlead::resolver
