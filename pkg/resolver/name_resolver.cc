#include "pkg/resolver/name_resolver.h"

#include <pthread.h>
#include <signal.h>

#include <optional>
#include <random>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "pkg/base/mutex.h"

namespace fairlead::resolver {
namespace {

// What the threads share; lives until the last of them has ended.
struct Shared {
  Shared(const NameResolverOptions& options, const base::Clock& clock_in, Lookup lookup_in,
         std::function<void(const Answer&)> on_answer_in)
      : lookup(std::move(lookup_in)),
        on_answer(std::move(on_answer_in)),
        clock(clock_in),
        schedule(options.times, std::random_device()()) {}

  const Lookup lookup;
  base::Mutex mutex;
  // These two are not to be used once `stopping` is set: the resolver's owner may be gone.
  const std::function<void(const Answer&)> on_answer ABSL_GUARDED_BY(mutex);
  const base::Clock& clock ABSL_GUARDED_BY(mutex);
  LookupSchedule schedule ABSL_GUARDED_BY(mutex);
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  int alive ABSL_GUARDED_BY(mutex) = 0;      // threads
  int in_lookup ABSL_GUARDED_BY(mutex) = 0;  // of them
};

// Waits for the next name that is due; nothing when the thread is to end.
std::optional<std::string> TakeName(Shared& shared) {
  base::MutexLock lock(&shared.mutex);
  while (!shared.stopping) {
    const absl::Duration now = shared.clock.Monotonic();
    std::optional<std::string> name = shared.schedule.TakeDue(now);
    if (name.has_value()) {
      ++shared.in_lookup;
      return name;
    }
    const absl::Duration due = shared.schedule.NextDue();
    shared.mutex.AwaitWithTimeout(
        [&shared, due] {
          shared.mutex.AssertHeld();
          return shared.stopping || shared.schedule.NextDue() < due;
        },
        due - now);
  }
  --shared.alive;
  return std::nullopt;
}

// False: the thread is to end.
bool Deliver(Shared& shared, const Answer& answer) {
  base::MutexLock lock(&shared.mutex);
  --shared.in_lookup;
  if (shared.stopping) {
    --shared.alive;
    return false;
  }
  const bool ok = answer.addresses.ok();
  if (shared.schedule.Finish(answer.name, ok, shared.clock.Monotonic())) shared.on_answer(answer);
  return true;
}

void RunThread(const std::shared_ptr<Shared>& shared) {
  ::pthread_setname_np(::pthread_self(), "resolver");
  // Signals are main's business.
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  while (const std::optional<std::string> name = TakeName(*shared)) {
    if (!Deliver(*shared, {*name, shared->lookup(*name)})) return;
  }
}

class NameResolverImpl final : public NameResolver {
 public:
  explicit NameResolverImpl(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  ~NameResolverImpl() override {
    Shared& shared = *shared_;
    {
      base::MutexLock lock(&shared.mutex);
      shared.stopping = true;
    }
    // Those inside a lookup find out when it returns.
    base::MutexLock lock(&shared.mutex);
    shared.mutex.AwaitWithTimeout(
        [&shared] {
          shared.mutex.AssertHeld();
          return shared.alive == shared.in_lookup;
        },
        absl::InfiniteDuration());
  }

  void SetNames(const std::vector<WantedName>& names) override {
    base::MutexLock lock(&shared_->mutex);
    shared_->schedule.SetNames(names, shared_->clock.Monotonic());
  }

 private:
  const std::shared_ptr<Shared> shared_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<NameResolver>> NameResolver::Create(
    const NameResolverOptions& options, const base::Clock& clock, Lookup lookup,
    std::function<void(const Answer&)> on_answer) {
  auto shared = std::make_shared<Shared>(options, clock, std::move(lookup), std::move(on_answer));
  auto resolver = std::make_unique<NameResolverImpl>(shared);
  for (int i = 0; i < options.threads; ++i) {
    base::MutexLock lock(&shared->mutex);
    // std::thread throws std::system_error when the process may have no further thread.
    try {
      std::thread(RunThread, shared).detach();
      ++shared->alive;
    } catch (const std::system_error& error) {
      return absl::ResourceExhaustedError(
          absl::StrCat("cannot start a thread for name lookups: ", error.what(),
                       "; raise the limit of processes (ulimit -u, pids cgroup)"));
    }
  }
  return resolver;
}

}  // namespace fairlead::resolver
