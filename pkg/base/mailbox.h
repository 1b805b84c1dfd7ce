// Mailbox<T>: a bounded queue into one thread, with an eventfd that becomes readable when something
// was posted, so that the owner can wait for messages and for I/O in one place.
//
//   any thread --TryPost--> [ bounded deque ] --eventfd--> owner: Drain()
//
// Invariants: at most `capacity` messages wait; the eventfd is readable while messages may wait.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/mutex.h"
#include "pkg/base/unique_fd.h"

namespace fairlead::base {

template <typename T>
class Mailbox {
 public:
  static absl::StatusOr<std::unique_ptr<Mailbox>> Create(size_t capacity) {
    UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake.valid()) return LastErrnoStatus("eventfd for a mailbox");
    return std::unique_ptr<Mailbox>(new Mailbox(capacity, std::move(wake)));
  }

  // Thread-safe. False: the mailbox is full and `message` was dropped; the caller counts it or
  // tries again.
  [[nodiscard]] bool TryPost(T message) {
    {
      MutexLock lock(&mutex_);
      if (messages_.size() >= capacity_) return false;
      messages_.push_back(std::move(message));
    }
    const uint64_t one = 1;
    // The write can only fail with EAGAIN when the counter is saturated: then it is readable
    // anyway.
    [[maybe_unused]] ssize_t written = ::write(wake_.get(), &one, sizeof(one));
    return true;
  }

  // Owner thread only. Takes everything that waits, in the order of posting, and clears the
  // eventfd.
  std::vector<T> Drain() {
    uint64_t count = 0;
    [[maybe_unused]] ssize_t got = ::read(wake_.get(), &count, sizeof(count));
    MutexLock lock(&mutex_);
    return std::exchange(messages_, {});
  }

  // Readable (poll(2)) when messages may wait. Owned by the mailbox.
  int wake_fd() const { return wake_.get(); }

 private:
  Mailbox(size_t capacity, UniqueFd wake) : capacity_(capacity), wake_(std::move(wake)) {}

  const size_t capacity_;
  const UniqueFd wake_;
  Mutex mutex_;
  std::vector<T> messages_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::base
