// CallGuard: ends blocking calls on sockets at their deadline, or all of them at once. The HTTP
// library waits in read(2) and connect(2) where no flag is looked at; shutdown(2) of the socket
// wakes it in either.
//
// One thread, which sleeps until the next deadline. It shuts down duplicates of the descriptors, so
// that it never touches one that was closed and given to somebody else meanwhile.
#pragma once

#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/base/unique_fd.h"

namespace fairlead::kube {

class CallGuard {
 public:
  // Errors: ResourceExhausted, no thread could be made. `clock` outlives it.
  static absl::StatusOr<std::unique_ptr<CallGuard>> Start(const base::Clock& clock);
  // No call is alive.
  ~CallGuard();

  // One call that blocks; lives on the stack of the thread that makes it.
  class Call {
   public:
    // Ends after `timeout`, or when `silence_max` has passed without a Touch().
    Call(CallGuard& guard, absl::Duration timeout, absl::Duration silence_max);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    // The socket that the call waits on from now on, in the place of an earlier one. Not owned.
    void Watch(int socket);
    // Bytes have arrived.
    void Touch();
    // Ok, or why the call was ended: Cancelled, DeadlineExceeded (without words).
    absl::Status verdict() const;
    absl::Duration remaining() const;  // not below 0

   private:
    friend class CallGuard;
    CallGuard& guard_;
    const absl::Duration deadline_;  // monotonic, as the others
    const absl::Duration silence_max_;
    absl::Duration end_;     // `deadline_`, or that of the silence; guarded by guard_.mutex_
    base::UniqueFd socket_;  // guarded by guard_.mutex_
  };

  // Thread-safe. Ends the calls that run, and those to come.
  void Cancel();
  bool cancelled() const;

 private:
  explicit CallGuard(const base::Clock& clock) : clock_(clock) {}
  void Run();
  // Shuts down the sockets of the calls that are over; returns how long to sleep.
  absl::Duration EndCalls() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const base::Clock& clock_;
  mutable base::Mutex mutex_;
  absl::flat_hash_set<Call*> calls_ ABSL_GUARDED_BY(mutex_);
  bool changed_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace fairlead::kube
