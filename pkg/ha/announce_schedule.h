// AnnounceSchedule: when an address that this host has taken is announced to the network. Pure.
//
//   taken: 5 frames 20 ms apart, for one may get lost; 5 more after 5 s, for switches that were
//   still learning; then one a minute, so that a cache that somebody else spoilt is right again.
//
// A process that was frozen does not make up for what it missed: that would be a burst of frames
// for an address that may be another host's by then. One thread.
#pragma once

#include <algorithm>

#include "absl/time/time.h"

namespace fairlead::ha {

class AnnounceSchedule {
 public:
  static constexpr int kBurst = 5;
  static constexpr absl::Duration kBetween = absl::Milliseconds(20);
  static constexpr absl::Duration kSecondBurst = absl::Seconds(5);
  static constexpr absl::Duration kRefresh = absl::Seconds(60);

  // The address was taken, or its link has come back: from the start.
  void Start(absl::Duration now) {
    started_ = now;
    sent_ = 0;
    next_ = now;
  }
  void Stop() { next_ = absl::InfiniteDuration(); }

  // When the next frame is due; infinite when stopped. Monotonic time.
  absl::Duration next() const { return next_; }

  // A frame was sent. The next one comes no sooner than kBetween after it.
  void Sent(absl::Duration now) {
    ++sent_;
    absl::Duration next = next_;
    if (sent_ < kBurst) {
      next = started_ + sent_ * kBetween;
    } else if (sent_ < 2 * kBurst) {
      next = started_ + kSecondBurst + (sent_ - kBurst) * kBetween;
    } else {
      next = now + kRefresh;
    }
    next_ = std::max(next, now + kBetween);
  }

 private:
  absl::Duration started_;
  int sent_ = 0;  // since Start
  absl::Duration next_ = absl::InfiniteDuration();
};

}  // namespace fairlead::ha
