#include "pkg/source/settle_timer.h"

#include <algorithm>

namespace fairlead::source {

void SettleTimer::OnChange(absl::Duration now) {
  if (!pending_) first_ = now;
  pending_ = true;
  last_ = now;
}

void SettleTimer::OnComplete(absl::string_view name, absl::Duration now) {
  OnChange(now);
  removed_.erase(name);
  open_writes_.erase(name);
}

void SettleTimer::OnWrite(absl::string_view name, absl::Duration now) {
  OnChange(now);
  removed_.erase(name);
  open_writes_.try_emplace(name, now);
}

void SettleTimer::OnRemoval(absl::string_view name, absl::Duration now) {
  OnChange(now);
  removed_.emplace(name);
  open_writes_.erase(name);
}

absl::Duration SettleTimer::due() const {
  if (!pending_) return absl::InfiniteDuration();
  const absl::Duration settle = removed_.empty() ? kSettle : kSettleAfterRemoval;
  absl::Duration due = std::min(last_ + settle, first_ + kSettleMax);
  for (const auto& [name, since] : open_writes_) due = std::max(due, since + kWriterMax);
  return due;
}

void SettleTimer::Reset() {
  pending_ = false;
  removed_.clear();
  open_writes_.clear();
}

}  // namespace fairlead::source
