#include "pkg/kube/call_guard.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace fairlead::kube {
namespace {

// A socket that is shut down between its creation and its connect(2) connects all the same
// (ENOTCONN, tcp(7)); so one that is over is shut down again until its call has ended.
constexpr absl::Duration kAgain = absl::Milliseconds(50);

}  // namespace

absl::StatusOr<std::unique_ptr<CallGuard>> CallGuard::Start(const base::Clock& clock) {
  std::unique_ptr<CallGuard> guard(new CallGuard(clock));
  try {
    guard->thread_ = std::thread(&CallGuard::Run, guard.get());
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no thread for the deadlines of API requests: ", error.what()));
  }
  return guard;
}

CallGuard::~CallGuard() {
  {
    base::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

CallGuard::Call::Call(CallGuard& guard, absl::Duration timeout, absl::Duration silence_max)
    : guard_(guard),
      deadline_(guard.clock_.Monotonic() + timeout),
      silence_max_(silence_max),
      end_(std::min(deadline_, guard.clock_.Monotonic() + silence_max)) {
  base::MutexLock lock(&guard_.mutex_);
  guard_.calls_.insert(this);
  guard_.changed_ = true;
}

CallGuard::Call::~Call() {
  base::MutexLock lock(&guard_.mutex_);
  guard_.calls_.erase(this);
}

void CallGuard::Call::Watch(int socket) {
  base::UniqueFd duplicate(::fcntl(socket, F_DUPFD_CLOEXEC, 0));
  base::MutexLock lock(&guard_.mutex_);
  socket_ = std::move(duplicate);
  guard_.changed_ = true;
}

// The guard's thread finds out by itself that the end has moved on.
void CallGuard::Call::Touch() {
  if (silence_max_ == absl::InfiniteDuration()) return;
  const absl::Duration now = guard_.clock_.Monotonic();
  base::MutexLock lock(&guard_.mutex_);
  if (now < end_) end_ = std::min(deadline_, now + silence_max_);
}

absl::Status CallGuard::Call::verdict() const {
  base::MutexLock lock(&guard_.mutex_);
  if (guard_.cancelled_) return absl::CancelledError();
  if (guard_.clock_.Monotonic() >= end_) return absl::DeadlineExceededError("");
  return absl::OkStatus();
}

absl::Duration CallGuard::Call::remaining() const {
  return std::max(deadline_ - guard_.clock_.Monotonic(), absl::ZeroDuration());
}

void CallGuard::Cancel() {
  base::MutexLock lock(&mutex_);
  cancelled_ = true;
  changed_ = true;
}

bool CallGuard::cancelled() const {
  base::MutexLock lock(&mutex_);
  return cancelled_;
}

absl::Duration CallGuard::EndCalls() {
  const absl::Duration now = clock_.Monotonic();
  absl::Duration sleep = absl::InfiniteDuration();
  for (Call* call : calls_) {
    if (!cancelled_ && now < call->end_) {
      sleep = std::min(sleep, call->end_ - now);
      continue;
    }
    if (call->socket_.valid()) ::shutdown(call->socket_.get(), SHUT_RDWR);
    sleep = std::min(sleep, kAgain);
  }
  return sleep;
}

void CallGuard::Run() {
  base::MutexLock lock(&mutex_);
  while (!stopping_) {
    changed_ = false;
    const absl::Duration sleep = EndCalls();
    mutex_.AwaitWithTimeout(
        [this] {
          mutex_.AssertHeld();
          return changed_ || stopping_;
        },
        sleep);
  }
}

}  // namespace fairlead::kube
