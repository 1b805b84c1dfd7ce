#include "pkg/cluster/write_pacing.h"

#include <algorithm>

namespace fairlead::cluster {
namespace {

absl::Duration Pause(int failures) {
  return std::min(absl::Milliseconds(500) * (1 << std::min(failures - 1, 10)), absl::Seconds(60));
}

}  // namespace

bool WritePacing::TryStart(const std::string& key, absl::Duration at) {
  const auto failed = failed_.find(key);
  if (at < all_.not_before || (failed != failed_.end() && at < failed->second.not_before)) {
    return false;
  }
  if (filled_at_ != -absl::InfiniteDuration()) {
    const double seconds = absl::ToDoubleSeconds(at - filled_at_);
    tokens_ = std::min(kBurst, tokens_ + seconds * kPerSecond);
  }
  filled_at_ = at;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

void WritePacing::OnSuccess(const std::string& key) {
  failed_.erase(key);
  all_ = Failure();
}

void WritePacing::OnFailure(const std::string& key, bool all, absl::Duration asked,
                            absl::Duration at) {
  Failure& failure = all ? all_ : failed_[key];
  ++failure.count;
  failure.not_before = at + std::max(asked, Pause(failure.count));
}

}  // namespace fairlead::cluster
