#include "pkg/web/session_table.h"

#include <algorithm>
#include <utility>

#include "pkg/web/random.h"

namespace fairlead::web {
namespace {

constexpr size_t kSecretBytes = 32;

}  // namespace

bool SessionTable::HasEnded(const Entry& entry) const {
  const absl::Duration now = clock_.Monotonic();
  return now - entry.used >= kIdleMax || now - entry.begun >= kAgeMax;
}

void SessionTable::MakeRoom() {
  absl::erase_if(entries_, [this](const auto& entry) { return HasEnded(entry.second); });
  if (entries_.size() < kSessionsMax) return;
  entries_.erase(std::min_element(
      entries_.begin(), entries_.end(),
      [](const auto& left, const auto& right) { return left.second.used < right.second.used; }));
}

std::string SessionTable::Begin(const std::string& user, Role role) {
  std::string secret = RandomToken(kSecretBytes);
  const absl::Duration now = clock_.Monotonic();
  base::MutexLock lock(&mutex_);
  MakeRoom();
  entries_.insert_or_assign(
      secret, Entry{.session = {user, role, RandomToken(kSecretBytes)}, .begun = now, .used = now});
  return secret;
}

std::optional<Session> SessionTable::Find(absl::string_view secret, bool by_user) {
  base::MutexLock lock(&mutex_);
  const auto found = entries_.find(secret);
  if (found == entries_.end()) return std::nullopt;
  if (HasEnded(found->second)) {
    entries_.erase(found);
    return std::nullopt;
  }
  if (by_user) found->second.used = clock_.Monotonic();
  return found->second.session;
}

void SessionTable::End(absl::string_view secret) {
  base::MutexLock lock(&mutex_);
  entries_.erase(secret);
}

void SessionTable::EndAllOf(absl::string_view user, absl::string_view spared) {
  base::MutexLock lock(&mutex_);
  absl::erase_if(entries_, [&](const auto& entry) {
    return entry.second.session.user == user && entry.first != spared;
  });
}

}  // namespace fairlead::web
