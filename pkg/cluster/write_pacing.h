// WritePacing: when a write may be sent. Pure.
//
//   all writes together: a bucket of kBurst, kPerSecond more each second
//   a write that failed: again after 0.5 s, 1 s, 2 s, ... 60 s; what the server asks (Retry-After)
//                        counts for all writes when it is overloaded (429, 5xx) or away
#pragma once

#include <map>
#include <string>

#include "absl/time/time.h"

namespace fairlead::cluster {

class WritePacing {
 public:
  static constexpr double kPerSecond = 20;
  static constexpr double kBurst = 50;

  // Whether the write with this key may be sent at `at` (Clock::Monotonic()); takes it from the
  // bucket then.
  bool TryStart(const std::string& key, absl::Duration at);
  void OnSuccess(const std::string& key);
  // `all`: the server takes no write at all. `asked`: the least pause, zero if it named none.
  void OnFailure(const std::string& key, bool all, absl::Duration asked, absl::Duration at);
  // Forgets the writes that failed and are wanted no longer: all that are not in `wanted`.
  template <typename Set>
  void Keep(const Set& wanted) {
    std::erase_if(failed_, [&](const auto& entry) { return !wanted.contains(entry.first); });
  }

 private:
  struct Failure {
    int count = 0;
    absl::Duration not_before;
  };
  std::map<std::string, Failure> failed_;
  Failure all_;
  double tokens_ = kBurst;
  absl::Duration filled_at_ = -absl::InfiniteDuration();
};

}  // namespace fairlead::cluster
