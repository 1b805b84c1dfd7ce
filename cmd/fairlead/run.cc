#include "cmd/fairlead/run.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cmd/fairlead/daemon.h"
#include "cmd/fairlead/process_setup.h"
#include "cmd/fairlead/run_options.h"
#include "pkg/base/log.h"
#include "pkg/base/mutex.h"

namespace fairlead::cmd {
namespace {

// After a takeover nobody waits for this process to end, so that its sessions may.
constexpr absl::Duration kReleasedGrace = absl::Hours(24);

enum class Wake { kSignal, kReleased, kTimeout };

// Waits for a signal, or for the takeover when `released_fd` >= 0.
Wake WaitForWake(int signal_fd, int released_fd, absl::Duration timeout) {
  pollfd fds[] = {{.fd = signal_fd, .events = POLLIN, .revents = 0},
                  {.fd = released_fd, .events = POLLIN, .revents = 0}};
  const int timeout_ms = timeout == absl::InfiniteDuration()
                             ? -1
                             : static_cast<int>(absl::ToInt64Milliseconds(timeout));
  if (::poll(fds, 2, timeout_ms) <= 0) return Wake::kTimeout;
  if ((fds[1].revents & POLLIN) != 0) return Wake::kReleased;
  signalfd_siginfo signal;
  if (::read(signal_fd, &signal, sizeof(signal)) != sizeof(signal)) return Wake::kTimeout;
  base::LogInfo("signal received",
                {{"signal", ::sigabbrev_np(static_cast<int>(signal.ssi_signo))}});
  return Wake::kSignal;
}

// The data plane's last sessions end on a thread of their own, while this one listens for another
// signal: the first one after a takeover shortens the time to the grace, the next one ends it.
void DrainAndStop(Daemon& daemon, int signal_fd, absl::Duration first_grace,
                  absl::Duration next_grace) {
  base::LogInfo("stopping: no new clients, connected ones may end",
                {{"sessions", absl::StrCat(daemon.sessions_active())},
                 {"grace", absl::FormatDuration(first_grace)}});
  base::Notification stopped;
  std::vector<std::thread> stoppers;
  const auto stop = [&](absl::Duration grace) {
    stoppers.emplace_back([&daemon, &stopped, grace, first = stoppers.empty()] {
      daemon.StopPlane(grace);
      if (first) stopped.Notify();
    });
  };
  stop(first_grace);
  while (!stopped.HasBeenNotified()) {
    // 50 ms: a process without sessions is gone before anybody wonders.
    if (WaitForWake(signal_fd, -1, absl::Milliseconds(50)) != Wake::kSignal) continue;
    base::LogInfo("stopping sooner", {{"grace", absl::FormatDuration(next_grace)}});
    stop(std::exchange(next_grace, absl::ZeroDuration()));
  }
  for (std::thread& stopper : stoppers) stopper.join();
}

int Serve(const RunOptions& options) {
  base::ConfigureLog(options.log_level, options.log_format);
  absl::StatusOr<base::UniqueFd> signals = SetUpSignals();
  if (!signals.ok()) return Failure(kRunCommand, signals.status().message());
  std::vector<std::string> warnings;
  if (std::string warning = RaiseDescriptorLimit(); !warning.empty()) {
    base::LogWarning("few descriptors", {{"reason", warning}});
    warnings.push_back(std::move(warning));
  }
  absl::StatusOr<std::unique_ptr<Daemon>> daemon = Daemon::Start(options, std::move(warnings));
  if (!daemon.ok()) {
    base::LogError("fairlead cannot start", {{"reason", std::string(daemon.status().message())}});
    return kExitFailure;
  }
  Wake wake = Wake::kTimeout;
  while (wake == Wake::kTimeout) {
    wake = WaitForWake(signals->get(), (*daemon)->released_fd(), absl::InfiniteDuration());
  }
  (*daemon)->BeginStop();
  const bool released = wake == Wake::kReleased;
  DrainAndStop(**daemon, signals->get(), released ? kReleasedGrace : options.shutdown_grace,
               released ? options.shutdown_grace : absl::ZeroDuration());
  daemon->reset();
  base::LogInfo("fairlead has stopped");
  return kExitOk;
}

}  // namespace

int RunRun(absl::Span<const std::string> arguments) {
  const ParseOutcome parsed = ParseOrExplain(kRunCommand, arguments);
  if (parsed.code >= 0) return parsed.code;
  const absl::StatusOr<RunOptions> options = DecodeRunOptions(parsed.flags);
  if (!options.ok()) return UsageError(kRunCommand, options.status().message());
  return Serve(*options);
}

}  // namespace fairlead::cmd
