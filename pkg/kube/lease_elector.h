// LeaseElector: keeps on trying to lead, and to go on leading. The thread around LeaseElection.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/kube/api_client.h"
#include "pkg/kube/lease_election.h"

namespace fairlead::kube {

struct LeaseElectorOptions {
  std::string name_space;
  std::string name;      // of the Lease
  std::string identity;  // of this process, distinct among those that take part
  LeaseTimes times;
  // Called on the elector's thread when IsLeader() may have changed; must not block for long.
  std::function<void()> on_change = [] {};
};

struct LeaseElectorHealth {
  bool leader = false;
  std::string holder;              // as far as is known
  std::string problem;             // why the Lease can be neither read nor written now; "" = it can
  uint64_t transitions_total = 0;  // of this process, either way
  uint64_t failures_total = 0;
};

class LeaseElector {
 public:
  // `client` and `clock` outlive it. Errors: no thread could be made.
  static absl::StatusOr<std::unique_ptr<LeaseElector>> Start(ApiClient& client,
                                                             const base::Clock& clock,
                                                             LeaseElectorOptions options);
  // Gives the lease up (before ApiClient::Cancel(), or it cannot), so that another one leads at
  // once.
  ~LeaseElector();

  // Thread-safe; by this process's own clock, whatever the server does. A request that is sent
  // while it is true, with a time limit of `duration - renew_deadline`, has ended before another
  // process leads.
  bool IsLeader() const;
  LeaseElectorHealth Health() const;  // thread-safe

 private:
  LeaseElector(ApiClient& client, const base::Clock& clock, LeaseElectorOptions options);
  void Run();
  // One attempt to acquire or to renew.
  void Try();
  absl::StatusOr<std::optional<LeaseRecord>> Read();
  absl::Status Write(const LeaseRecord& record);
  void TellChanges();
  void NoteProblem(const absl::Status& status);
  absl::Duration PauseAfterTry();
  void Release();
  absl::Duration RequestTimeout() const;

  ApiClient& client_;
  const base::Clock& clock_;
  const LeaseElectorOptions options_;
  mutable base::Mutex mutex_;
  LeaseElection election_ ABSL_GUARDED_BY(mutex_);
  LeaseElectorHealth health_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool told_leader_ = false;  // elector's thread
  std::thread thread_;
};

}  // namespace fairlead::kube
