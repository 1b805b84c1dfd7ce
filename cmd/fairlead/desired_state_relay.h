// DesiredStateRelay: lets the configuration be read before there is a controller, because the first
// reading (its Node object) says where the state directory and the admin API are.
//
//   source thread --Post--> [ newest snapshot ] --after Attach--> sink
//
// Thread-safe.
#pragma once

#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "pkg/base/mutex.h"
#include "pkg/model/desired_state.h"

namespace fairlead::cmd {

class DesiredStateRelay {
 public:
  using Snapshot = std::shared_ptr<const model::DesiredState>;

  void Post(Snapshot snapshot) {
    base::MutexLock lock(&mutex_);
    newest_ = std::move(snapshot);
    if (sink_) sink_(newest_);
  }

  // The newest snapshot; null when none came within `timeout`.
  Snapshot WaitForFirst(absl::Duration timeout) {
    base::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(
        [this] {
          mutex_.AssertHeld();
          return newest_ != nullptr;
        },
        timeout);
    return newest_;
  }

  // From now on `sink` gets every snapshot, the newest one at once. It must not block for long.
  void Attach(std::function<void(Snapshot)> sink) {
    base::MutexLock lock(&mutex_);
    sink_ = std::move(sink);
    if (newest_ != nullptr) sink_(newest_);
  }

  // No call of the sink after it returns.
  void Detach() {
    base::MutexLock lock(&mutex_);
    sink_ = nullptr;
  }

 private:
  base::Mutex mutex_;
  Snapshot newest_ ABSL_GUARDED_BY(mutex_);
  std::function<void(Snapshot)> sink_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::cmd
