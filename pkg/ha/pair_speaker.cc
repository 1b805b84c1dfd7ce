#include "pkg/ha/pair_speaker.h"

#include <linux/rtnetlink.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "pkg/arp/interfaces.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/log.h"
#include "pkg/base/mutex.h"
#include "pkg/base/netlink_message.h"
#include "pkg/base/unique_fd.h"

namespace fairlead::ha {
namespace {

// Links are looked at when the kernel tells of a change, and so often.
constexpr absl::Duration kLookEvery = absl::Seconds(1);
constexpr absl::Duration kSwitchPatience = absl::Seconds(5);

// How often each was asked for, or begun.
struct Commands {
  int takeovers = 0;
  int standbys = 0;
};

struct Inputs {
  std::vector<net::IpAddress> addresses;
  std::string impairment;
  Commands commands;
  std::optional<VipAnnouncer::Ending> ending;
};

bool HasAddress(const arp::Interfaces& interfaces, const net::IpAddress& address) {
  return std::any_of(interfaces.begin(), interfaces.end(),
                     [&](const auto& entry) { return entry.second.Has(address); });
}

// On the speaker's thread.
class Speaker {
 public:
  Speaker(const PairSettings& settings, const base::Clock& clock, VipAnnouncer& announcer)
      : settings_(settings), clock_(clock), announcer_(announcer), machine_(settings.vrrp) {}

  absl::Status Open() {
    auto changes =
        base::OpenRouteSocket(SOCK_NONBLOCK, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
    if (!changes.ok()) return changes.status();
    changes_ = *std::move(changes);
    return absl::OkStatus();
  }

  void Start(bool resume_master) {
    LookAtLinks(clock_.Monotonic());
    Do(machine_.Start(resume_master, clock_.Monotonic()));
    LookAtLinks(clock_.Monotonic());
    Settle();
  }

  // One turn after a wait. False: the end.
  bool Turn(const Inputs& inputs) {
    const absl::Duration now = clock_.Monotonic();
    machine_.CheckLease(now);
    Settle();  // the addresses go before anything else is done
    if (base::DrainRouteSocket(changes_.get()) || now >= look_at_) LookAtLinks(now);
    Read(now);
    TakeInputs(inputs, now);
    Do(machine_.Tick(now));
    Settle();
    return !(inputs.ending == VipAnnouncer::Ending::kLeave || machine_.stopped());
  }

  absl::Duration next() const { return std::min(machine_.next(), look_at_); }
  std::vector<int> fds() const {
    std::vector<int> fds = {changes_.get()};
    if (socket_.has_value()) fds.push_back(socket_->fd());
    return fds;
  }
  PairReport Report() const;
  const std::string& refusal() const { return refusal_; }
  const Commands& commands() const { return commands_; }

 private:
  void LookAtLinks(absl::Duration now);
  std::string LinkFault(const arp::Interfaces& interfaces) const;
  void Read(absl::Duration now);
  void TakeInputs(const Inputs& inputs, absl::Duration now);
  void Do(const VrrpMachine::Output& output);
  void Settle();
  void Refuse(const std::string& reason);

  const PairSettings settings_;
  const base::Clock& clock_;
  VipAnnouncer& announcer_;
  VrrpMachine machine_;
  std::optional<VrrpSocket> socket_;
  base::UniqueFd changes_;
  std::vector<net::IpAddress> addresses_;
  absl::Duration look_at_;
  Commands commands_;
  bool stopping_ = false;
  std::string way_problem_;  // why there is no socket; "" = there is one
  std::string refusal_;      // of the last command; "" = it was begun
  uint64_t told_ = 0;        // transitions that were told of
  Ownership ownership_ = {.kind = Ownership::Kind::kStandby, .reason = ""};
  absl::Time since_ = absl::InfinitePast();
  PairReport counters_;
};

void Speaker::LookAtLinks(absl::Duration now) {
  look_at_ = now + kLookEvery;
  const arp::Interfaces interfaces = arp::ReadInterfaces();
  std::string fault = LinkFault(interfaces);
  std::string way_problem;
  if (socket_.has_value() && !HasAddress(interfaces, socket_->local())) socket_.reset();
  if (!socket_.has_value()) {
    auto socket = VrrpSocket::Open(settings_.transport);
    if (socket.ok()) {
      socket_ = *std::move(socket);
      machine_.SetLocal(socket_->local());
    } else if (absl::IsPermissionDenied(socket.status())) {
      fault = std::string(socket.status().message());
    } else {
      way_problem = std::string(socket.status().message());
    }
  }
  if (way_problem != way_problem_ && !way_problem.empty()) {
    base::LogWarning("pair: there is no way to the peer; this host goes on as if it were silent",
                     {{"reason", way_problem}});
  }
  way_problem_ = std::move(way_problem);
  Do(machine_.SetFault(fault, now));
}

// Of the interfaces that the addresses are to be on. The one to the peer is none of them when the
// two hosts have a cable of their own: it loses its link with the peer's power, just when this host
// is needed.
std::string Speaker::LinkFault(const arp::Interfaces& interfaces) const {
  std::set<std::string> needed;
  for (const AddressReport& report : announcer_.Reports()) {
    if (!report.interface.empty()) needed.insert(report.interface);
  }
  for (const auto& [ifindex, interface] : interfaces) {
    if (needed.erase(interface.name) == 0) continue;
    if (!interface.asks) return absl::StrCat("interface ", interface.name, " is down");
    if (!interface.carrier) return absl::StrCat("interface ", interface.name, " has no link");
  }
  if (!needed.empty()) return absl::StrCat("this host has no interface ", *needed.begin());
  return "";
}

void Speaker::Read(absl::Duration now) {
  if (!socket_.has_value()) return;
  while (const std::optional<VrrpPacket> packet = socket_->Receive()) {
    const auto advert =
        ParseAdvert(packet->payload, packet->source, packet->destination, packet->hop_limit);
    if (!advert.ok()) {
      Refuse(absl::StrCat("from ", packet->source.ToString(), ": ", advert.status().message()));
    } else if (advert->virtual_router_id != settings_.vrrp.virtual_router_id) {
      // Over multicast another pair's, which is nothing to talk about.
      if (settings_.transport.peer.has_value()) {
        Refuse(absl::StrCat("from ", packet->source.ToString(), ": virtual router ",
                            advert->virtual_router_id, ", here ", settings_.vrrp.virtual_router_id,
                            ": set both alike"));
      }
    } else {
      ++counters_.received_total;
      Do(machine_.Receive(*advert, packet->source, now));
    }
    if (!socket_.has_value()) return;
  }
}

void Speaker::Refuse(const std::string& reason) {
  ++counters_.refused_total;
  if (reason != counters_.refused_reason) {
    base::LogWarning("VRRP packet refused", {{"reason", reason}});
  }
  counters_.refused_reason = reason;
}

void Speaker::TakeInputs(const Inputs& inputs, absl::Duration now) {
  addresses_ = inputs.addresses;
  Do(machine_.SetImpairment(inputs.impairment, now));
  if (inputs.commands.takeovers != commands_.takeovers) {
    refusal_ = machine_.Takeover(now);
  }
  if (inputs.commands.standbys != commands_.standbys) {
    VrrpMachine::Output output;
    refusal_ = machine_.Standby(now, &output);
    Do(output);
  }
  commands_ = inputs.commands;
  if (inputs.ending == VipAnnouncer::Ending::kRelease && !stopping_) {
    stopping_ = true;
    Do(machine_.Stop(now));
  }
}

void Speaker::Do(const VrrpMachine::Output& output) {
  if (!output.has_value()) return;
  if (!socket_.has_value()) return;
  const std::vector<uint8_t> payload =
      BuildAdvert({.virtual_router_id = settings_.vrrp.virtual_router_id,
                   .priority = output->priority,
                   .interval = settings_.vrrp.interval,
                   .addresses = addresses_},
                  socket_->local(), socket_->destination(), settings_.checksum);
  const absl::Status sent = socket_->Send(payload);
  if (sent.ok()) {
    ++counters_.sent_total;
  } else {
    ++counters_.send_failures_total;
    look_at_ = absl::ZeroDuration();  // the link tells more
  }
}

// Tells the announcer and the log what has become of it.
void Speaker::Settle() {
  if (machine_.owns()) announcer_.RenewLease(machine_.lease());
  if (told_ == machine_.transitions_total()) return;
  told_ = machine_.transitions_total();
  since_ = clock_.Now();
  const std::string state = VrrpStateName(machine_.state());
  const std::string peer =
      machine_.peer().has_value() ? machine_.peer()->address.ToString() : "none heard yet";
  base::LogInfo("pair: this host has a new state",
                {{"state", state}, {"peer", peer}, {"reason", machine_.reason()}});
  Ownership ownership;
  ownership.kind = machine_.owns() ? Ownership::Kind::kOwner : Ownership::Kind::kStandby;
  ownership.reason = absl::StrCat("this host is ", state, ": ", machine_.reason());
  if (ownership == ownership_) return;
  ownership_ = ownership;
  announcer_.SetOwnership(ownership, machine_.owns() ? machine_.lease() : absl::ZeroDuration());
}

PairReport Speaker::Report() const {
  PairReport report = counters_;
  report.state = machine_.state();
  report.reason = machine_.reason();
  report.since = since_;
  report.priority = machine_.priority();
  report.impairment = machine_.impairment();
  report.way_problem = way_problem_;
  if (socket_.has_value()) report.local = socket_->local();
  if (machine_.peer().has_value()) {
    report.peer = machine_.peer()->address.ToString();
    report.peer_priority = machine_.peer()->priority;
    report.peer_heard = clock_.Now() - (clock_.Monotonic() - machine_.peer()->heard);
  }
  report.transitions_total = machine_.transitions_total();
  return report;
}

class PairSpeakerImpl final : public PairSpeaker {
 public:
  PairSpeakerImpl(const PairSettings& settings, const base::Clock& clock, VipAnnouncer& announcer,
                  bool resume_master, base::UniqueFd wake)
      : clock_(clock),
        resume_master_(resume_master),
        wake_(std::move(wake)),
        speaker_(settings, clock, announcer) {}

  ~PairSpeakerImpl() override { Stop(VipAnnouncer::Ending::kLeave); }

  absl::Status StartThread() {
    if (absl::Status status = speaker_.Open(); !status.ok()) return status;
    // std::thread throws std::system_error when the process may have no further thread.
    try {
      thread_ = std::thread([this] { Run(); });
    } catch (const std::system_error& error) {
      return absl::ResourceExhaustedError(
          absl::StrCat("cannot start the pair's thread: ", error.what(),
                       "; raise the limit of processes (ulimit -u, pids cgroup)"));
    }
    return absl::OkStatus();
  }

  void SetAddresses(std::vector<net::IpAddress> addresses) override {
    Change([&](Inputs& inputs) { inputs.addresses = std::move(addresses); });
  }
  void SetImpairment(std::string reason) override {
    Change([&](Inputs& inputs) { inputs.impairment = std::move(reason); });
  }
  PairReport Report() const override {
    base::MutexLock lock(&mutex_);
    return report_;
  }
  absl::StatusOr<std::string> Takeover() override {
    return Switch(VrrpState::kMaster, &Commands::takeovers);
  }
  absl::StatusOr<std::string> Standby() override {
    return Switch(VrrpState::kBackup, &Commands::standbys);
  }

  void Stop(VipAnnouncer::Ending ending) override {
    if (!thread_.joinable()) return;
    Change([&](Inputs& inputs) { inputs.ending = ending; });
    thread_.join();
  }

 private:
  template <typename Function>
  void Change(const Function& change) {
    {
      base::MutexLock lock(&mutex_);
      change(inputs_);
    }
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof(one));
  }

  absl::StatusOr<std::string> Switch(VrrpState wanted, int Commands::*counter);
  void Run();
  void Wait();
  Inputs InputsNow() const {
    base::MutexLock lock(&mutex_);
    return inputs_;
  }

  const base::Clock& clock_;
  const bool resume_master_;
  const base::UniqueFd wake_;
  Speaker speaker_;  // of the thread
  std::thread thread_;
  mutable base::Mutex mutex_;
  Inputs inputs_ ABSL_GUARDED_BY(mutex_);
  PairReport report_ ABSL_GUARDED_BY(mutex_);
  std::string refusal_ ABSL_GUARDED_BY(mutex_);
  Commands begun_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

absl::StatusOr<std::string> PairSpeakerImpl::Switch(VrrpState wanted, int Commands::*counter) {
  int mine = 0;
  Change([&](Inputs& inputs) { mine = ++(inputs.commands.*counter); });
  base::MutexLock lock(&mutex_);
  // Begun, and not between two states any more.
  const bool settled = mutex_.AwaitWithTimeout(
      [&] {
        mutex_.AssertHeld();
        if (ended_) return true;
        return begun_.*counter >= mine && report_.state != VrrpState::kResigning;
      },
      kSwitchPatience);
  if (ended_) return absl::UnavailableError("this process is ending");
  if (!settled) {
    return absl::DeadlineExceededError("the pair has not switched within 5 s; see fairlead status");
  }
  if (!refusal_.empty()) return absl::FailedPreconditionError(refusal_);
  const std::string text =
      absl::StrCat("this host is ", VrrpStateName(report_.state), ": ", report_.reason);
  if (report_.state != wanted) return absl::FailedPreconditionError(text);
  return text;
}

void PairSpeakerImpl::Run() {
  ::pthread_setname_np(::pthread_self(), "pair");
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  speaker_.Start(resume_master_);
  bool goes_on = true;
  while (goes_on) {
    goes_on = speaker_.Turn(InputsNow());
    {
      base::MutexLock lock(&mutex_);
      report_ = speaker_.Report();
      refusal_ = speaker_.refusal();
      begun_ = speaker_.commands();
      ended_ = !goes_on;
    }
    if (goes_on) Wait();
  }
}

void PairSpeakerImpl::Wait() {
  std::vector<pollfd> wait = {{wake_.get(), POLLIN, 0}};
  for (const int fd : speaker_.fds()) wait.push_back({fd, POLLIN, 0});
  const absl::Duration left =
      std::clamp(speaker_.next() - clock_.Monotonic(), absl::ZeroDuration(), kLookEvery);
  const timespec timeout = absl::ToTimespec(left);
  (void)::ppoll(wait.data(), wait.size(), &timeout, nullptr);  // an error is an early wake-up
  if (wait[0].revents == 0) return;
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof(count));
}

}  // namespace

absl::Duration AddressLifetime(const PairSettings& settings) {
  // Whole seconds are all that the kernel knows; renewals come twice a second.
  return std::max(absl::Seconds(2), absl::Ceil(3 * settings.vrrp.interval, absl::Seconds(1)));
}

absl::StatusOr<std::unique_ptr<PairSpeaker>> PairSpeaker::Create(const PairSettings& settings,
                                                                 const base::Clock& clock,
                                                                 VipAnnouncer& announcer,
                                                                 bool resume_master) {
  base::UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return base::LastErrnoStatus("eventfd");
  auto speaker =
      std::make_unique<PairSpeakerImpl>(settings, clock, announcer, resume_master, std::move(wake));
  if (absl::Status status = speaker->StartThread(); !status.ok()) return status;
  return speaker;
}

}  // namespace fairlead::ha
