#include "pkg/controller/controller.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"

namespace fairlead::controller {

using base::Mailbox;

absl::StatusOr<std::unique_ptr<Controller>> Controller::Create(const base::Clock& clock,
                                                               dataplane::DataPlane& plane) {
  absl::StatusOr<std::unique_ptr<Mailbox<ControlEvent>>> mailbox =
      Mailbox<ControlEvent>::Create(kMailboxCapacity);
  if (!mailbox.ok()) return mailbox.status();
  return std::unique_ptr<Controller>(new Controller(clock, plane, *std::move(mailbox)));
}

Controller::Controller(const base::Clock& clock, dataplane::DataPlane& plane,
                       std::unique_ptr<Mailbox<ControlEvent>> mailbox)
    : clock_(clock), plane_(plane), mailbox_(std::move(mailbox)) {}

Controller::~Controller() { Stop(); }

void Controller::Start(ReconcilerOptions options, health::HealthMonitor& health,
                       resolver::NameResolver& names, arp::ArpWatch& arp) {
  reconciler_ =
      std::make_unique<Reconciler>(std::move(options), clock_, plane_, health, names, arp);
  reconciler_->Restore();
  thread_ = std::thread([this] { Run(); });
}

void Controller::BeginStop() { PostSurely(BeginStopRequest{}); }

void Controller::Stop() {
  if (!thread_.joinable()) return;
  PostSurely(StopRequest{});
  thread_.join();
}

void Controller::PostDesired(std::shared_ptr<const model::DesiredState> desired) {
  PostSurely(std::move(desired));
}

void Controller::PostSourceHealth(const source::SourceHealth& health) { PostSurely(health); }

void Controller::PostHealth(const health::HealthReport& report) {
  // A full mailbox loses the report; the next tick reads it from the monitor's snapshot.
  (void)mailbox_->TryPost(report);
}

void Controller::PostAnswer(const resolver::Answer& answer) {
  // A full mailbox loses the answer; the name's next lookup, half a minute later, brings another.
  (void)mailbox_->TryPost(answer);
}

void Controller::PostRound(const arp::Round& round) {
  // A full mailbox loses the round; the next one comes within a minute.
  (void)mailbox_->TryPost(round);
}

absl::StatusOr<SetServerStateResult> Controller::Execute(const SetServerState& command) {
  constexpr absl::Duration kPatience = absl::Seconds(5);
  auto pending = std::make_shared<PendingCommand>(command);
  if (!mailbox_->TryPost(pending)) {
    return absl::UnavailableError("the controller is overloaded; try again in a moment");
  }
  if (!pending->done.WaitForNotificationWithTimeout(kPatience)) {
    return absl::DeadlineExceededError(
        "the controller did not answer within 5 s; the command may still be carried out. See "
        "`fairlead status`");
  }
  return pending->result;
}

std::shared_ptr<const ControlView> Controller::View() const { return reconciler_->View(); }

// The thread drains the mailbox all the time, so that waiting for room ends soon.
void Controller::PostSurely(const ControlEvent& event) {
  while (!mailbox_->TryPost(event)) absl::SleepFor(absl::Milliseconds(1));
}

void Controller::Run() {
  Flow flow = Flow::kContinue;
  while (flow == Flow::kContinue) {
    WaitUntil(reconciler_->Turn());
    flow = HandleEvents();
  }
  reconciler_->BeginStop();
}

void Controller::WaitUntil(absl::Duration monotonic) {
  const absl::Duration wait =
      std::clamp(monotonic - clock_.Monotonic(), absl::ZeroDuration(), Reconciler::kTick);
  pollfd wake = {.fd = mailbox_->wake_fd(), .events = POLLIN, .revents = 0};
  // One millisecond more: poll(2) counts whole ones, and waking early would turn for nothing. An
  // error (EINTR) is an early wake-up, no more.
  (void)::poll(&wake, 1, static_cast<int>(absl::ToInt64Milliseconds(wait)) + 1);
}

Controller::Flow Controller::HandleEvents() {
  Flow flow = Flow::kContinue;
  std::vector<std::shared_ptr<PendingCommand>> commands;
  for (ControlEvent& event : mailbox_->Drain()) {
    if (auto* desired = std::get_if<std::shared_ptr<const model::DesiredState>>(&event)) {
      reconciler_->SetDesired(std::move(*desired));
    } else if (auto* source = std::get_if<source::SourceHealth>(&event)) {
      reconciler_->SetSourceHealth(*source);
    } else if (auto* report = std::get_if<health::HealthReport>(&event)) {
      reconciler_->SetHealth(*report);
    } else if (auto* answer = std::get_if<resolver::Answer>(&event)) {
      reconciler_->SetAnswer(*answer);
    } else if (auto* round = std::get_if<arp::Round>(&event)) {
      reconciler_->SetRound(*round);
    } else if (auto* command = std::get_if<std::shared_ptr<PendingCommand>>(&event)) {
      (*command)->result = reconciler_->SetState((*command)->command);
      commands.push_back(std::move(*command));
    } else if (std::holds_alternative<BeginStopRequest>(event)) {
      reconciler_->BeginStop();
    } else {
      flow = Flow::kStop;
    }
  }
  // Answers go out when the commands are in force.
  if (!commands.empty()) reconciler_->Turn();
  for (const auto& command : commands) command->done.Notify();
  return flow;
}

}  // namespace fairlead::controller
