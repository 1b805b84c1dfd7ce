#include "pkg/ha/vip_announcer.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/mutex.h"
#include "pkg/base/unique_fd.h"

namespace fairlead::ha {
namespace {

class VipAnnouncerImpl final : public VipAnnouncer {
 public:
  VipAnnouncerImpl(const base::Clock& clock, const Ownership& ownership, absl::Duration lease,
                   absl::Duration lifetime, std::unique_ptr<AddressEditor> editor,
                   base::UniqueFd wake)
      : clock_(clock),
        wake_(std::move(wake)),
        keeper_(clock, std::move(editor), lifetime),
        lease_ns_(absl::ToInt64Nanoseconds(lease)),
        ownership_(ownership) {}

  ~VipAnnouncerImpl() override { Stop(Ending::kLeave); }

  absl::Status StartThread() {
    // std::thread throws std::system_error when the process may have no further thread.
    try {
      thread_ = std::thread([this] { Run(); });
    } catch (const std::system_error& error) {
      return absl::ResourceExhaustedError(
          absl::StrCat("cannot start the announcer's thread: ", error.what(),
                       "; raise the limit of processes (ulimit -u, pids cgroup)"));
    }
    return absl::OkStatus();
  }

  void SetWanted(std::vector<WantedAddress> wanted) override {
    {
      base::MutexLock lock(&mutex_);
      wanted_ = std::move(wanted);
    }
    Wake();
  }

  void SetOwnership(const Ownership& ownership, absl::Duration lease) override {
    RenewLease(lease);
    {
      base::MutexLock lock(&mutex_);
      ownership_ = ownership;
    }
    Wake();
  }

  void RenewLease(absl::Duration lease) override { lease_ns_ = absl::ToInt64Nanoseconds(lease); }

  std::vector<AddressReport> Reports() const override {
    base::MutexLock lock(&mutex_);
    return reports_;
  }

  void Stop(Ending ending) override {
    if (!thread_.joinable()) return;
    {
      base::MutexLock lock(&mutex_);
      ending_ = ending;
    }
    Wake();
    thread_.join();
  }

 private:
  void Wake() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof(one));
  }

  void Run();
  void WaitUntil(absl::Duration monotonic);
  // Hands what was set to the keeper; the ending when it is time.
  std::optional<Ending> TakeInputs();

  const base::Clock& clock_;
  const base::UniqueFd wake_;
  AddressKeeper keeper_;  // of the thread
  bool is_told_ = false;  // of the thread: SetWanted was called
  std::thread thread_;
  std::atomic<int64_t> lease_ns_;
  mutable base::Mutex mutex_;
  std::optional<std::vector<WantedAddress>> wanted_ ABSL_GUARDED_BY(mutex_);
  Ownership ownership_ ABSL_GUARDED_BY(mutex_);
  std::optional<Ending> ending_ ABSL_GUARDED_BY(mutex_);
  std::vector<AddressReport> reports_ ABSL_GUARDED_BY(mutex_);
};

void VipAnnouncerImpl::Run() {
  ::pthread_setname_np(::pthread_self(), "announcer");
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  while (true) {
    keeper_.Hear();
    const std::optional<Ending> ending = TakeInputs();
    if (ending == Ending::kRelease) keeper_.Release();
    if (ending.has_value()) return;
    // Before that nobody knows which of the addresses that a former process left are still wanted.
    const absl::Duration next = is_told_ ? keeper_.Step() : absl::InfiniteDuration();
    {
      std::vector<AddressReport> reports = keeper_.Reports();
      base::MutexLock lock(&mutex_);
      reports_ = std::move(reports);
    }
    WaitUntil(next);
  }
}

std::optional<VipAnnouncer::Ending> VipAnnouncerImpl::TakeInputs() {
  std::optional<std::vector<WantedAddress>> wanted;
  Ownership ownership;
  std::optional<Ending> ending;
  {
    base::MutexLock lock(&mutex_);
    wanted = std::exchange(wanted_, std::nullopt);
    ownership = ownership_;
    ending = ending_;
  }
  if (wanted.has_value()) {
    keeper_.SetWanted(*wanted);
    is_told_ = true;
  }
  keeper_.SetOwnership(ownership, absl::Nanoseconds(lease_ns_.load()));
  return ending;
}

void VipAnnouncerImpl::WaitUntil(absl::Duration monotonic) {
  std::vector<pollfd> wait = {{wake_.get(), POLLIN, 0}};
  for (const int fd : keeper_.fds()) wait.push_back({fd, POLLIN, 0});
  const absl::Duration left = std::max(monotonic - clock_.Monotonic(), absl::ZeroDuration());
  const timespec timeout = absl::ToTimespec(std::min(left, absl::Seconds(60)));
  (void)::ppoll(wait.data(), wait.size(), &timeout, nullptr);  // an error is an early wake-up
  if (wait[0].revents == 0) return;
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof(count));
}

}  // namespace

absl::StatusOr<std::unique_ptr<VipAnnouncer>> VipAnnouncer::Create(const base::Clock& clock,
                                                                   const Ownership& ownership,
                                                                   absl::Duration lease,
                                                                   absl::Duration lifetime) {
  base::UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return base::LastErrnoStatus("eventfd");
  auto editor = AddressEditor::Create();
  if (!editor.ok()) return editor.status();
  auto announcer = std::make_unique<VipAnnouncerImpl>(clock, ownership, lease, lifetime,
                                                      *std::move(editor), std::move(wake));
  if (absl::Status status = announcer->StartThread(); !status.ok()) return status;
  return announcer;
}

}  // namespace fairlead::ha
