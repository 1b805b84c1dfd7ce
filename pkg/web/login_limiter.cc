#include "pkg/web/login_limiter.h"

#include <algorithm>

namespace fairlead::web {
namespace {

// A host has a whole /64 of IPv6 addresses (RFC 4291 §2.5.4) and could try from each.
net::IpAddress KeyOf(const net::IpAddress& client) {
  return client.is_ipv4() ? client : client.Masked(64);
}

}  // namespace

LoginLimiter::Entry& LoginLimiter::EntryOf(const net::IpAddress& client) {
  const net::IpAddress key = KeyOf(client);
  const auto found = entries_.find(key);
  if (found != entries_.end()) {
    if (clock_.Monotonic() - found->second.tried >= kForgottenAfter) found->second.failures = 0;
    return found->second;
  }
  if (entries_.size() >= kClientsMax) {
    entries_.erase(
        std::min_element(entries_.begin(), entries_.end(), [](const auto& left, const auto& right) {
          return left.second.tried < right.second.tried;
        }));
  }
  return entries_[key];
}

absl::Duration LoginLimiter::WaitOf(const net::IpAddress& client) {
  const absl::Duration now = clock_.Monotonic();
  base::MutexLock lock(&mutex_);
  const auto found = entries_.find(KeyOf(client));
  const bool known = found != entries_.end() && found->second.known;
  absl::Duration wait = absl::ZeroDuration();
  if (found != entries_.end()) wait = found->second.may_again - now;
  if (!known && failures_of_minute_ >= kFailuresPerMinute) {
    wait = std::max(wait, minute_begun_ + absl::Minutes(1) - now);
  }
  return std::max(wait, absl::ZeroDuration());
}

void LoginLimiter::Failed(const net::IpAddress& client) {
  const absl::Duration now = clock_.Monotonic();
  base::MutexLock lock(&mutex_);
  if (now - minute_begun_ >= absl::Minutes(1)) {
    minute_begun_ = now;
    failures_of_minute_ = 0;
  }
  ++failures_of_minute_;
  Entry& entry = EntryOf(client);
  ++entry.failures;
  entry.tried = now;
  if (entry.failures < kFreeFailures) return;
  const int doublings = std::min(entry.failures - kFreeFailures, 16);
  entry.may_again = now + std::min(kFirstWait * (1 << doublings), kLongestWait);
}

void LoginLimiter::Succeeded(const net::IpAddress& client) {
  base::MutexLock lock(&mutex_);
  Entry& entry = EntryOf(client);
  entry = {.failures = 0, .tried = clock_.Monotonic(), .may_again = {}, .known = true};
}

}  // namespace fairlead::web
