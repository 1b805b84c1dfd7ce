// Mutex, MutexLock, Notification: the standard library's, with the annotations that clang's
// thread-safety analysis reads (-Wthread-safety, an error in our clang builds).
//
// Why not base::Mutex: it sleeps on futexes of its own, and the distribution's Abseil is built
// without instrumentation, so that ThreadSanitizer sees no lock at all and reports every guarded
// access as a race. What stands on pthreads it understands.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"

namespace fairlead::base {

// Not recursive. Whoever waits in AwaitWithTimeout is woken by every MutexLock that ends meanwhile.
class ABSL_LOCKABLE Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  // A waiter may destroy the mutex as soon as its condition holds, so it is told before the unlock.
  void Unlock() ABSL_UNLOCK_FUNCTION() {
    if (waiters_count_ > 0) changed_.notify_all();
    mutex_.unlock();
  }
  // Tells the analysis (and only it) that the caller holds the lock.
  void AssertHeld() const ABSL_ASSERT_EXCLUSIVE_LOCK() {}

  // Releases the lock until `condition()` (called with the lock held) is true or `timeout` has
  // passed; returns the condition's last value. `timeout` may be infinite.
  template <typename Condition>
  bool AwaitWithTimeout(const Condition& condition, absl::Duration timeout)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(this) {
    std::unique_lock<std::mutex> lock(mutex_, std::adopt_lock);
    ++waiters_count_;
    bool held = true;
    if (timeout == absl::InfiniteDuration()) {
      changed_.wait(lock, condition);
    } else {
      held = changed_.wait_for(lock, absl::ToChronoNanoseconds(timeout), condition);
    }
    --waiters_count_;
    lock.release();
    return held;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiters_count_ = 0;  // guarded by mutex_
};

class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(*mutex) {
    mutex_.Lock();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Something that happens once.
class Notification {
 public:
  void Notify() {
    MutexLock lock(&mutex_);
    notified_ = true;
  }
  bool HasBeenNotified() const {
    MutexLock lock(&mutex_);
    return notified_;
  }
  // False: it did not happen within `timeout`.
  bool WaitForNotificationWithTimeout(absl::Duration timeout) const {
    MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(
        [this] {
          mutex_.AssertHeld();
          return notified_;
        },
        timeout);
  }
  void WaitForNotification() const { WaitForNotificationWithTimeout(absl::InfiniteDuration()); }

 private:
  mutable Mutex mutex_;
  bool notified_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace fairlead::base
