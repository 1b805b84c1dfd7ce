#include "pkg/health/health_monitor.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <random>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "pkg/base/log.h"
#include "pkg/base/mutex.h"
#include "pkg/health/direct_probe.h"
#include "pkg/health/packet_links.h"
#include "pkg/health/probe_factory.h"
#include "pkg/health/probe_runner.h"
#include "pkg/health/probe_schedule.h"

namespace fairlead::health {
namespace {

// Probes due within this time start together: at 5,000 probes per second the thread then wakes some
// hundred times a second for them and not 5,000 times. A start 2 ms early is far inside the jitter.
constexpr absl::Duration kStartEarly = absl::Milliseconds(2);
// Stopping waits this often, this long, for the last completions of cancelled polls: 5 s in all,
// where microseconds are usual.
constexpr int kStopTurnsMax = 100;
constexpr absl::Duration kStopTurn = absl::Milliseconds(50);
// At least this many probes run at once, however few files may be open.
constexpr uint64_t kProbesMin = 16;

class HealthMonitorImpl final : public HealthMonitor {
 public:
  HealthMonitorImpl(std::unique_ptr<uring::Ring> ring, std::unique_ptr<ProbeFactory> factory,
                    const base::Clock& clock, uint32_t probes_max, uint64_t jitter_seed,
                    std::function<void(const HealthReport&)> on_change)
      : ring_(std::move(ring)),
        factory_(std::move(factory)),
        clock_(clock),
        on_change_(std::move(on_change)),
        probes_max_(probes_max),
        packets_(*ring_, clock),
        runner_(*ring_, probes_max),
        schedule_(jitter_seed) {}

  ~HealthMonitorImpl() override {
    {
      base::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    ring_->Wake();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status StartThread() {
    // std::thread throws std::system_error when the process may have no further thread.
    try {
      thread_ = std::thread([this] { Run(); });
    } catch (const std::system_error& error) {
      return absl::ResourceExhaustedError(
          absl::StrCat("cannot start the health thread: ", error.what(),
                       "; raise the limit of processes (ulimit -u, pids cgroup)"));
    }
    return absl::OkStatus();
  }

  void SetTargets(std::vector<ProbeTarget> targets) override {
    {
      base::MutexLock lock(&mutex_);
      new_targets_ = std::move(targets);
    }
    ring_->Wake();
  }

  std::vector<HealthReport> Snapshot() const override {
    base::MutexLock lock(&mutex_);
    std::vector<HealthReport> reports;
    reports.reserve(reports_.size());
    for (const auto& [id, report] : reports_) reports.push_back(report);
    return reports;
  }

  HealthCounters counters() const override {
    return {.probes_concurrent_max = probes_max_, .turns_full = turns_full_};
  }

 private:
  void Run();
  bool stopping() const {
    base::MutexLock lock(&mutex_);
    return stopping_;
  }
  void Dispatch(absl::Span<const uring::Completion> completions, absl::Duration now);
  std::unique_ptr<Probe> MakeProbe(const ProbeTarget& target);
  void AdoptTargets();
  void StartDueProbes();
  void CountResults();
  absl::Duration WaitTime() const;
  void Stop();

  const std::unique_ptr<uring::Ring> ring_;
  const std::unique_ptr<ProbeFactory> factory_;
  const base::Clock& clock_;
  const std::function<void(const HealthReport&)> on_change_;
  const uint32_t probes_max_;
  std::atomic<uint64_t> turns_full_ = 0;

  // Health thread only. `packets_` outlives the probes that wait for it.
  PacketLinks packets_;
  ProbeRunner runner_;
  ProbeSchedule schedule_;

  mutable base::Mutex mutex_;
  // A mailbox of one place: a newer set replaces one that was not taken yet, so none is ever
  // refused.
  std::optional<std::vector<ProbeTarget>> new_targets_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, HealthReport> reports_ ABSL_GUARDED_BY(mutex_);

  std::thread thread_;
};

void HealthMonitorImpl::Run() {
  ::pthread_setname_np(::pthread_self(), "health");
  // Signals are main's business; SIGPIPE must not come from a write through TLS (tls_stream.h).
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  while (!stopping()) {
    AdoptTargets();
    StartDueProbes();
    CountResults();
    const absl::Span<const uring::Completion> completions = ring_->Wait(WaitTime());
    const absl::Duration now = clock_.Monotonic();
    Dispatch(completions, now);
    runner_.OnTime(now);
    CountResults();
  }
  Stop();
}

void HealthMonitorImpl::Dispatch(absl::Span<const uring::Completion> completions,
                                 absl::Duration now) {
  for (const uring::Completion& completion : completions) {
    if (!packets_.OnCompletion(completion)) runner_.OnCompletion(completion, now);
  }
  for (const PacketProbe* probe : packets_.TakeWoken()) runner_.OnWoken(probe, now);
}

std::unique_ptr<Probe> HealthMonitorImpl::MakeProbe(const ProbeTarget& target) {
  if (target.direct.has_value()) return std::make_unique<DirectProbe>(target, packets_);
  return factory_->Make(target);
}

void HealthMonitorImpl::AdoptTargets() {
  std::optional<std::vector<ProbeTarget>> targets;
  {
    base::MutexLock lock(&mutex_);
    targets = std::exchange(new_targets_, std::nullopt);
  }
  if (!targets) return;
  const std::vector<HealthReport> changes =
      schedule_.SetTargets(*std::move(targets), clock_.Monotonic(), clock_.Now());
  std::map<std::string, HealthReport> reports;
  schedule_.ForEachReport(
      [&reports](const HealthReport& report) { reports[report.target_id] = report; });
  {
    base::MutexLock lock(&mutex_);
    reports_.swap(reports);
  }
  for (const HealthReport& report : changes) on_change_(report);
}

void HealthMonitorImpl::StartDueProbes() {
  const absl::Duration now = clock_.Monotonic();
  while (runner_.has_room()) {
    const std::optional<ProbeSchedule::Due> due = schedule_.TakeDue(now + kStartEarly);
    if (!due) return;
    runner_.Start(due->key, MakeProbe(*due->target), due->target->check.timeout,
                  clock_.Monotonic());
  }
  if (schedule_.NextDue() <= now) ++turns_full_;
}

void HealthMonitorImpl::CountResults() {
  const std::vector<ProbeRunner::Result> results = runner_.TakeResults();
  if (results.empty()) return;
  std::vector<HealthReport> changes;
  const absl::Duration now = clock_.Monotonic();
  const absl::Time wall = clock_.Now();
  {
    base::MutexLock lock(&mutex_);
    for (const ProbeRunner::Result& result : results) {
      const auto counted = schedule_.Count(result.key, result.outcome, result.latency, now, wall);
      if (!counted) continue;
      reports_[counted->report->target_id] = *counted->report;
      if (counted->notify) changes.push_back(*counted->report);
    }
  }
  for (const HealthReport& report : changes) on_change_(report);
}

absl::Duration HealthMonitorImpl::WaitTime() const {
  // While every slot is taken, due targets wait for one to be freed and not for their time.
  const absl::Duration due =
      runner_.has_room() ? schedule_.NextDue() - kStartEarly : absl::InfiniteDuration();
  const absl::Duration deadline = std::min(due, runner_.NextDeadline());
  if (deadline == absl::InfiniteDuration()) return deadline;
  return std::max(absl::ZeroDuration(), deadline - clock_.Monotonic());
}

void HealthMonitorImpl::Stop() {
  runner_.CancelAll();
  packets_.CancelAll();
  for (int turn = 0; turn < kStopTurnsMax && (runner_.running() > 0 || packets_.links() > 0);
       ++turn) {
    Dispatch(ring_->Wait(kStopTurn), clock_.Monotonic());
  }
}

uint64_t SystemSeed() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

// Probes may hold a quarter of the descriptors that this process may open, two each (half-open): a
// rack of dead servers must not leave none for clients.
uint32_t ProbesMax(uint32_t wanted) {
  rlimit files = {};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return wanted;
  const uint64_t affordable = std::max<uint64_t>(kProbesMin, files.rlim_cur / 4 / 2);
  if (affordable >= wanted) return wanted;
  base::LogInfo("fewer health probes at once than wished",
                {{"probes", absl::StrCat(affordable)},
                 {"wished", absl::StrCat(wanted)},
                 {"reason", absl::StrCat("limit of open files is ", files.rlim_cur,
                                         "; raise it with ulimit -n")}});
  return static_cast<uint32_t>(affordable);
}

}  // namespace

absl::StatusOr<std::unique_ptr<HealthMonitor>> HealthMonitor::Create(
    const HealthMonitorOptions& options, const base::Clock& clock,
    std::function<void(const HealthReport&)> on_change) {
  uring::RingOptions ring_options;
  ring_options.engine = options.engine;
  ring_options.entries = 256;  // a batch of probes; more flush in between
  ring_options.buffers_start = 0;
  ring_options.buffers_max = 0;
  std::string fallback_reason;
  absl::StatusOr<std::unique_ptr<uring::Ring>> ring =
      uring::Ring::Create(ring_options, &fallback_reason);
  if (!ring.ok()) return ring.status();
  if (!fallback_reason.empty()) {
    base::LogInfo("health checks run on epoll", {{"reason", fallback_reason}});
  }
  absl::StatusOr<std::unique_ptr<ProbeFactory>> factory = ProbeFactory::Create();
  if (!factory.ok()) return factory.status();
  const uint64_t seed = options.jitter_seed != 0 ? options.jitter_seed : SystemSeed();
  auto monitor = std::make_unique<HealthMonitorImpl>(*std::move(ring), *std::move(factory), clock,
                                                     ProbesMax(options.probes_concurrent_max), seed,
                                                     std::move(on_change));
  if (absl::Status status = monitor->StartThread(); !status.ok()) return status;
  return monitor;
}

}  // namespace fairlead::health
