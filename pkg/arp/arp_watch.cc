#include "pkg/arp/arp_watch.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/mutex.h"
#include "pkg/base/unique_fd.h"

namespace fairlead::arp {
namespace {

class ArpWatchImpl final : public ArpWatch {
 public:
  ArpWatchImpl(const base::Clock& clock, std::function<void(const Round&)> on_round,
               base::UniqueFd changed, base::UniqueFd stop)
      : clock_(clock),
        on_round_(std::move(on_round)),
        changed_(std::move(changed)),
        stop_(std::move(stop)) {}

  ~ArpWatchImpl() override {
    Signal(stop_);
    if (thread_.joinable()) thread_.join();
  }

  absl::Status StartThread() {
    // std::thread throws std::system_error when the process may have no further thread.
    try {
      thread_ = std::thread([this] { Run(); });
    } catch (const std::system_error& error) {
      return absl::ResourceExhaustedError(
          absl::StrCat("cannot start the ARP thread: ", error.what(),
                       "; raise the limit of processes (ulimit -u, pids cgroup)"));
    }
    return absl::OkStatus();
  }

  void SetVips(std::vector<WatchedVip> vips) override {
    {
      base::MutexLock lock(&mutex_);
      vips_ = std::move(vips);
    }
    Signal(changed_);
  }

 private:
  static void Signal(const base::UniqueFd& fd) {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(fd.get(), &one, sizeof(one));
  }

  void Run();
  std::vector<WatchedVip> Watched() const {
    base::MutexLock lock(&mutex_);
    return vips_;
  }
  // Waits for a change or until `next`; false: stopped.
  bool Wait(absl::Duration next);
  // Whether somebody claims something.
  bool AskOnce(const std::vector<WatchedVip>& vips);

  const base::Clock& clock_;
  const std::function<void(const Round&)> on_round_;
  const base::UniqueFd changed_;
  const base::UniqueFd stop_;
  std::thread thread_;
  mutable base::Mutex mutex_;
  std::vector<WatchedVip> vips_ ABSL_GUARDED_BY(mutex_);
};

void ArpWatchImpl::Run() {
  ::pthread_setname_np(::pthread_self(), "arp");
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::vector<WatchedVip> known;
  absl::Duration next = absl::InfiniteDuration();
  while (Wait(next)) {
    std::vector<WatchedVip> vips = Watched();
    const absl::Duration now = clock_.Monotonic();
    if (vips != known) {
      known = std::move(vips);
      next = known.empty() ? absl::InfiniteDuration() : std::min(next, now + kFirst);
    }
    if (now < next) continue;
    next = clock_.Monotonic() + (AskOnce(known) ? kEveryWhileClaimed : kEvery);
  }
}

bool ArpWatchImpl::Wait(absl::Duration next) {
  pollfd wait[] = {{stop_.get(), POLLIN, 0}, {changed_.get(), POLLIN, 0}};
  int timeout_ms = -1;
  if (next != absl::InfiniteDuration()) {
    const absl::Duration left = std::max(next - clock_.Monotonic(), absl::ZeroDuration());
    timeout_ms = static_cast<int>(absl::ToInt64Milliseconds(left)) + 1;  // whole ones, rounded up
  }
  (void)::poll(wait, 2, timeout_ms);  // an error (EINTR) is an early wake-up, no more
  if (wait[0].revents != 0) return false;
  uint64_t count = 0;
  if (wait[1].revents != 0) {
    [[maybe_unused]] const ssize_t got = ::read(changed_.get(), &count, sizeof(count));
  }
  return true;
}

bool ArpWatchImpl::AskOnce(const std::vector<WatchedVip>& vips) {
  const Interfaces interfaces = ReadInterfaces();
  Answers answers = Ask(QuestionsOf(vips, interfaces), interfaces, stop_.get());
  Round round = {.asked = std::move(answers.asked), .claims = std::move(answers.claims)};
  if (!answers.status.ok()) round.problem = std::string(answers.status.message());
  const bool claimed = !round.claims.empty();
  on_round_(round);
  return claimed;
}

}  // namespace

std::vector<Question> QuestionsOf(const std::vector<WatchedVip>& vips,
                                  const Interfaces& interfaces) {
  std::set<Question> questions;  // each once, also when two VIPs share an address
  for (const WatchedVip& vip : vips) {
    bool here = false;
    for (const auto& [ifindex, interface] : interfaces) {
      if (!interface.Has(vip.address)) continue;
      here = true;
      if (interface.asks) questions.insert({ifindex, vip.address});
    }
    if (!here) continue;
    for (const uint32_t ifindex : vip.ifindexes) questions.insert({ifindex, vip.address});
  }
  return {questions.begin(), questions.end()};
}

absl::StatusOr<std::unique_ptr<ArpWatch>> ArpWatch::Create(
    const base::Clock& clock, std::function<void(const Round&)> on_round) {
  base::UniqueFd changed(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  base::UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!changed.valid() || !stop.valid()) return base::LastErrnoStatus("eventfd");
  auto watch = std::make_unique<ArpWatchImpl>(clock, std::move(on_round), std::move(changed),
                                              std::move(stop));
  if (absl::Status status = watch->StartThread(); !status.ok()) return status;
  return watch;
}

}  // namespace fairlead::arp
