// Credentials: the token and the certificates of a ClusterAccess as they are now. Files are read
// again each minute (a service account's token lives an hour, and the kubelet renews it), a token
// that the server refused (401) at once. While one cannot be read, the last good one stays in use.
// Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/kube/cluster_access.h"
#include "pkg/kube/http_connection.h"

namespace fairlead::kube {

inline constexpr absl::Duration kCredentialsRead = absl::Seconds(60);

class Credentials {
 public:
  struct Current {
    std::string token;  // "" = none
    TlsSettings tls;
  };

  // Reads all of them. Errors: what cannot be read. `clock` outlives it.
  static absl::StatusOr<std::unique_ptr<Credentials>> Create(const ClusterAccess& access,
                                                             const base::Clock& clock);

  Current Get();
  // The server refused `token`: when there is another one by now, Get() returns it.
  void Refuse(const std::string& token);

 private:
  Credentials(const ClusterAccess& access, const base::Clock& clock)
      : access_(access), clock_(clock) {}
  // Takes what can be read; the first thing that cannot be is the error.
  absl::Status ReadFiles() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ClusterAccess access_;
  const base::Clock& clock_;
  base::Mutex mutex_;
  Current current_ ABSL_GUARDED_BY(mutex_);
  absl::Duration read_at_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();  // monotonic
  bool is_failing_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace fairlead::kube
