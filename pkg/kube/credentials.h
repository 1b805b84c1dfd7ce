// Credentials: the token and the certificates of a ClusterAccess as they are now. Files are read
// again each minute (a service account's token lives an hour, and the kubelet renews it), a token
// that the server refused (401) at once; an exec plugin runs again when what it printed expires or
// is refused. While one cannot be had, the last good one stays in use. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/kube/cluster_access.h"
#include "pkg/kube/http_connection.h"

namespace fairlead::kube {

inline constexpr absl::Duration kCredentialsRead = absl::Seconds(60);
inline constexpr absl::Duration kExecRetry = absl::Seconds(5);   // after a plugin has failed
inline constexpr absl::Duration kExecEarly = absl::Seconds(10);  // before its credential expires

class Credentials {
 public:
  struct Current {
    std::string token;  // "" = none
    TlsSettings tls;
  };

  // Reads all files; a plugin runs with the first Get(). Errors: what cannot be read. `clock`
  // outlives it.
  static absl::StatusOr<std::unique_ptr<Credentials>> Create(const ClusterAccess& access,
                                                             const base::Clock& clock);

  // Blocks while a plugin runs, kExecTimeout at most. Errors: as RunExecPlugin, when there was no
  // credential of it yet.
  absl::StatusOr<Current> Get(absl::FunctionRef<bool()> cancelled);
  // What the files and the access itself give, without a plugin.
  Current read();
  // The server refused `token`: when there is another one by now, Get() returns it.
  void Refuse(const std::string& token);

 private:
  Credentials(const ClusterAccess& access, const base::Clock& clock)
      : access_(access), clock_(clock) {}
  // Takes what can be read; the first thing that cannot be is the error.
  absl::Status ReadFiles() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status RunPlugin(absl::FunctionRef<bool()> cancelled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(const absl::Status& renewed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ClusterAccess access_;
  const base::Clock& clock_;
  base::Mutex mutex_;
  Current current_ ABSL_GUARDED_BY(mutex_);
  absl::Duration read_at_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();  // monotonic
  absl::Time run_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();  // when the plugin is due
  absl::Status plugin_ ABSL_GUARDED_BY(mutex_);  // of its last run, while it never succeeded
  bool is_failing_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace fairlead::kube
