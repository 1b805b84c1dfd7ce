// SessionTable: who is signed in to the web page. In memory: a restart of the daemon ends every
// session. Thread-safe.
#pragma once

#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/web/user_store.h"

namespace fairlead::web {

struct Session {
  std::string user;
  Role role = Role::kViewer;
  std::string csrf_token;  // asked of every request that changes something
};

class SessionTable {
 public:
  // A session ends after half an hour in which its user did nothing, and in any case after a
  // working day.
  static constexpr absl::Duration kIdleMax = absl::Minutes(30);
  static constexpr absl::Duration kAgeMax = absl::Hours(12);
  // Of all users; the one that was idle longest makes room for another one.
  static constexpr size_t kSessionsMax = 256;

  // `clock` outlives it.
  explicit SessionTable(const base::Clock& clock) : clock_(clock) {}

  // The secret of a new session: 256 random bits.
  std::string Begin(const std::string& user, Role role);
  // The session of that secret while it lasts. `by_user`: the user did something, which the page's
  // own looking for news is not.
  std::optional<Session> Find(absl::string_view secret, bool by_user);
  void End(absl::string_view secret);
  // Every session of the user but that of `spared`.
  void EndAllOf(absl::string_view user, absl::string_view spared);

 private:
  struct Entry {
    Session session;
    absl::Duration begun;
    absl::Duration used;
  };

  bool HasEnded(const Entry& entry) const;
  void MakeRoom() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const base::Clock& clock_;
  base::Mutex mutex_;
  absl::flat_hash_map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::web
