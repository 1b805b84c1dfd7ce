// A clock that tests turn.
#pragma once

#include <atomic>

#include "pkg/base/clock.h"

namespace fairlead::web {

class FakeClock final : public base::Clock {
 public:
  absl::Time Now() const override { return absl::FromUnixSeconds(1'800'000'000) + Monotonic(); }
  absl::Duration Monotonic() const override { return absl::Milliseconds(now_ms_.load()); }
  void Advance(absl::Duration by) { now_ms_ += absl::ToInt64Milliseconds(by); }

 private:
  std::atomic<int64_t> now_ms_ = 1'000'000;
};

}  // namespace fairlead::web
