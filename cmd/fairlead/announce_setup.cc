#include "cmd/fairlead/announce_setup.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/base/log.h"
#include "pkg/ha/address_editor.h"

namespace fairlead::cmd {
namespace {

constexpr absl::Duration kWatchServersEvery = absl::Seconds(1);

std::vector<net::IpAddress> AddressesOf(const std::vector<ha::WantedAddress>& wanted) {
  std::vector<net::IpAddress> addresses;
  for (const ha::WantedAddress& one : wanted) addresses.push_back(one.address);
  return addresses;
}

controller::PairView ToView(const ha::PairSettings& settings, const ha::PairReport& report) {
  return {.state = ha::VrrpStateName(report.state),
          .reason = report.reason,
          .since = report.since,
          .virtual_router_id = settings.vrrp.virtual_router_id,
          .priority = report.priority,
          .impairment = report.impairment,
          .interval = settings.vrrp.interval,
          .local = report.local.is_unspecified() ? "" : report.local.ToString(),
          .way_problem = report.way_problem,
          .peer = report.peer,
          .peer_priority = report.peer_priority,
          .peer_heard = report.peer_heard,
          .transitions_total = report.transitions_total,
          .sent_total = report.sent_total,
          .send_failures_total = report.send_failures_total,
          .received_total = report.received_total,
          .refused_total = report.refused_total,
          .refused_reason = report.refused_reason};
}

void ShowReports(const std::vector<ha::AddressReport>& reports, controller::VipView* vip) {
  for (dataplane::AddressOutcome& outcome : vip->addresses) {
    const auto report =
        std::find_if(reports.begin(), reports.end(),
                     [&](const ha::AddressReport& one) { return one.address == outcome.address; });
    if (report == reports.end()) continue;
    // Newer than what the data plane saw when the last plan was applied.
    const bool here =
        report->state == ha::AddressState::kHeld || report->state == ha::AddressState::kForeign;
    outcome.interface = here ? report->interface : "";
    vip->announcements.push_back({.address = report->address,
                                  .state = ha::AddressStateName(report->state),
                                  .interface = report->interface,
                                  .reason = report->reason,
                                  .rival = report->rival,
                                  .since = report->since,
                                  .announcements_total = report->announcements_total});
  }
}

}  // namespace

std::vector<ha::WantedAddress> WantedAddresses(const model::DesiredState& desired,
                                               const std::string& interface) {
  std::vector<ha::WantedAddress> wanted;
  for (const model::Vip& vip : desired.vips) {
    if (!vip.enabled || vip.elsewhere || vip.advertise.type != model::Advertise::Type::kL2)
      continue;
    for (const net::IpAddress& address : vip.addresses) {
      wanted.push_back(
          {.address = address,
           .interface = vip.advertise.interface.empty() ? interface : vip.advertise.interface,
           // The kernel forwards on while the daemon is restarted.
           .outlives_alone = vip.mode != model::Mode::kSnat});
    }
  }
  return wanted;
}

ha::PairSettings ToPairSettings(const model::Pair& pair, const std::string& interface,
                                const std::vector<ha::WantedAddress>& addresses) {
  const bool ipv6_alone = !addresses.empty() && std::none_of(addresses.begin(), addresses.end(),
                                                             [](const ha::WantedAddress& one) {
                                                               return one.address.is_ipv4();
                                                             });
  return {.transport = {.peer = pair.peer,
                        .interface = interface,
                        .family = ipv6_alone ? net::IpFamily::kIpv6 : net::IpFamily::kIpv4},
          .vrrp = {.virtual_router_id = pair.virtual_router_id,
                   .priority = pair.priority,
                   .preempt = pair.preempt,
                   .interval = pair.advertisement_interval},
          .checksum = pair.checksum == model::Pair::Checksum::kPlain
                          ? ha::VrrpChecksum::kPlain
                          : ha::VrrpChecksum::kPseudoHeader};
}

std::string ImpairmentOf(const controller::ControlView& view) {
  bool any = false;
  for (const controller::VipView& vip : view.vips) {
    if (!vip.announced || vip.servers.empty()) continue;
    any = true;
    for (const controller::ServerView& server : vip.servers) {
      if (server.eligibility != model::Eligibility::kNone) return "";
    }
  }
  return any ? "no announced VIP has a real server that takes clients" : "";
}

void AnnounceSetup::SetDesired(const model::DesiredState& desired) {
  std::vector<ha::WantedAddress> wanted =
      WantedAddresses(desired, desired.node.has_value() ? desired.node->interface : "");
  base::MutexLock lock(&mutex_);
  wanted_ = std::move(wanted);
  is_desired_known_ = true;
  if (parts_.announcer != nullptr) parts_.announcer->SetWanted(wanted_);
  if (parts_.speaker != nullptr) parts_.speaker->SetAddresses(AddressesOf(wanted_));
}

absl::Status AnnounceSetup::Begin(const AnnounceOptions& options, View view) {
  std::vector<ha::WantedAddress> wanted;
  {
    base::MutexLock lock(&mutex_);
    wanted = wanted_;
  }
  if (options.pair.has_value()) return BeginPair(options, std::move(view), wanted);
  auto announcer = ha::VipAnnouncer::Create(
      clock_, {.kind = ha::Ownership::Kind::kAlone, .reason = "this host is alone"},
      absl::InfiniteDuration(), absl::InfiniteDuration());
  if (!announcer.ok()) return announcer.status();
  base::MutexLock lock(&mutex_);
  parts_.announcer = *std::move(announcer);
  if (is_desired_known_) parts_.announcer->SetWanted(wanted_);
  return absl::OkStatus();
}

absl::Status AnnounceSetup::BeginPair(const AnnounceOptions& options, View view,
                                      const std::vector<ha::WantedAddress>& wanted) {
  const ha::PairSettings settings = ToPairSettings(*options.pair, options.interface, wanted);
  // The process before this one was Master when its addresses are still here.
  const bool resumes = options.takeover && ha::HostHasOwnAddress();
  ha::Ownership ownership = {.kind = ha::Ownership::Kind::kStandby,
                             .reason = "the pair has not settled yet"};
  if (resumes) ownership = {ha::Ownership::Kind::kOwner, "the process before it was Master"};
  auto announcer =
      ha::VipAnnouncer::Create(clock_, ownership, clock_.Monotonic() + 3 * settings.vrrp.interval,
                               ha::AddressLifetime(settings));
  if (!announcer.ok()) return announcer.status();
  auto speaker = ha::PairSpeaker::Create(settings, clock_, **announcer, resumes);
  if (!speaker.ok()) return speaker.status();
  {
    base::MutexLock lock(&mutex_);
    parts_ = {*std::move(announcer), *std::move(speaker)};
    settings_ = settings;
    if (is_desired_known_) parts_.announcer->SetWanted(wanted_);
    parts_.speaker->SetAddresses(AddressesOf(wanted_));
  }
  // std::thread throws std::system_error when the process may have no further thread.
  try {
    watch_ = std::thread([this, view = std::move(view)] { WatchServers(view); });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "cannot start the thread that watches the servers for the pair: ", error.what(),
        "; raise the limit of processes (ulimit -u, pids cgroup)"));
  }
  return absl::OkStatus();
}

// On a thread of its own: the view may take longer than an advertisement may be late.
void AnnounceSetup::WatchServers(const View& view) {
  ::pthread_setname_np(::pthread_self(), "pair-servers");
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::string last;
  while (!ending_.WaitForNotificationWithTimeout(kWatchServersEvery)) {
    const Parts parts = PartsNow();
    if (parts.speaker == nullptr) return;
    std::string impairment = ImpairmentOf(*view());
    if (impairment == last) continue;
    last = impairment;
    base::LogInfo(
        "pair: this host's priority changes",
        {{"priority", impairment.empty() ? "as configured" : "1"},
         {"reason", impairment.empty() ? "real servers take clients again" : impairment}});
    parts.speaker->SetImpairment(std::move(impairment));
  }
}

void AnnounceSetup::BeginStop() {
  const Parts parts = PartsNow();
  if (parts.speaker == nullptr) return;
  // Without a peer it stays Master, so that connected clients may end.
  (void)parts.speaker->Standby();
}

void AnnounceSetup::End(ha::VipAnnouncer::Ending ending) {
  Parts parts;
  {
    base::MutexLock lock(&mutex_);
    parts = std::exchange(parts_, {});
  }
  ending_.Notify();
  if (parts.speaker != nullptr) parts.speaker->Stop(ending);
  if (parts.announcer != nullptr) parts.announcer->Stop(ending);
  if (watch_.joinable() && parts.announcer != nullptr) watch_.join();
}

void AnnounceSetup::Show(controller::ControlView* view) const {
  const Parts parts = PartsNow();
  if (parts.announcer == nullptr) return;
  const std::vector<ha::AddressReport> reports = parts.announcer->Reports();
  for (controller::VipView& vip : view->vips) {
    if (vip.announced) ShowReports(reports, &vip);
  }
  if (parts.speaker == nullptr) return;
  const ha::PairReport report = parts.speaker->Report();
  base::MutexLock lock(&mutex_);
  if (settings_.has_value()) view->pair = ToView(*settings_, report);
}

absl::StatusOr<std::string> AnnounceSetup::Switch(controller::PairSwitch which,
                                                  const std::string& requester) {
  const Parts parts = PartsNow();
  const bool takeover = which == controller::PairSwitch::kTakeover;
  if (parts.speaker == nullptr) {
    return absl::FailedPreconditionError(
        "this host is alone: its Node object has no pair; see docs/high-availability.md");
  }
  base::LogInfo("pair: a planned switch was asked for",
                {{"switch", takeover ? "Takeover" : "Standby"}, {"by", requester}});
  return takeover ? parts.speaker->Takeover() : parts.speaker->Standby();
}

}  // namespace fairlead::cmd
