// Controller: the one thread that decides. It owns a Reconciler and feeds it:
//
//   any thread --Post*--> [ bounded mailbox ] --> controller thread: inputs, then one Turn()
//
// Invariant: whatever happens, the thread turns at least once in Reconciler::kTick, and a report
// that found the mailbox full is picked up by that turn from the monitor's snapshot.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/arp/arp_watch.h"
#include "pkg/base/clock.h"
#include "pkg/base/mailbox.h"
#include "pkg/base/mutex.h"
#include "pkg/controller/command.h"
#include "pkg/controller/reconciler.h"
#include "pkg/controller/view.h"
#include "pkg/dataplane/data_plane.h"
#include "pkg/health/health_monitor.h"
#include "pkg/model/desired_state.h"
#include "pkg/resolver/name_resolver.h"
#include "pkg/source/config_source.h"

namespace fairlead::controller {

class Controller {
 public:
  // `clock` and `plane` outlive the controller. Errors: the mailbox could not be made.
  static absl::StatusOr<std::unique_ptr<Controller>> Create(const base::Clock& clock,
                                                            dataplane::DataPlane& plane);
  ~Controller();
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  // Restores what was kept and starts the thread; once. `health`, `names` and `arp` outlive Stop().
  // What was posted before waits in the mailbox.
  void Start(ReconcilerOptions options, health::HealthMonitor& health,
             resolver::NameResolver& names, arp::ArpWatch& arp);
  // Clients are let go: the view says Stopping, health and commands still count.
  void BeginStop();
  // Ends the thread; the data plane keeps its last plan. View() works on and says Stopping.
  void Stop();

  // The following are thread-safe.
  void PostDesired(std::shared_ptr<const model::DesiredState> desired);
  void PostSourceHealth(const source::SourceHealth& health);
  void PostHealth(const health::HealthReport& report);
  void PostAnswer(const resolver::Answer& answer);
  void PostRound(const arp::Round& round);
  // Blocks until the command is in force, at most 5 s. Errors: NotFound (no such server),
  // Unavailable (stopping), DeadlineExceeded.
  absl::StatusOr<SetServerStateResult> Execute(const SetServerState& command);
  // Never null after Start().
  std::shared_ptr<const ControlView> View() const;

 private:
  // A command and where its answer goes; shared with the caller, who may have given up waiting.
  struct PendingCommand {
    explicit PendingCommand(SetServerState wanted) : command(std::move(wanted)) {}
    const SetServerState command;
    absl::StatusOr<SetServerStateResult> result = absl::UnavailableError("not run");
    base::Notification done;
  };
  struct BeginStopRequest {};
  struct StopRequest {};
  using ControlEvent =
      std::variant<std::shared_ptr<const model::DesiredState>, source::SourceHealth,
                   health::HealthReport, resolver::Answer, arp::Round,
                   std::shared_ptr<PendingCommand>, BeginStopRequest, StopRequest>;
  enum class Flow { kContinue, kStop };

  // Health flips of every port of every server of a big site in one go.
  static constexpr size_t kMailboxCapacity = 65536;

  Controller(const base::Clock& clock, dataplane::DataPlane& plane,
             std::unique_ptr<base::Mailbox<ControlEvent>> mailbox);
  void Run();
  void WaitUntil(absl::Duration monotonic);
  Flow HandleEvents();
  void PostSurely(const ControlEvent& event);

  const base::Clock& clock_;
  dataplane::DataPlane& plane_;
  const std::unique_ptr<base::Mailbox<ControlEvent>> mailbox_;
  std::unique_ptr<Reconciler> reconciler_;  // made by Start()
  std::thread thread_;
};

}  // namespace fairlead::controller
