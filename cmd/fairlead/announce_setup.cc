#include "cmd/fairlead/announce_setup.h"

#include <algorithm>
#include <utility>

namespace fairlead::cmd {
namespace {

// Of a host that is alone nothing runs out.
constexpr absl::Duration kLifetime = absl::InfiniteDuration();

}  // namespace

std::vector<ha::WantedAddress> WantedAddresses(const model::DesiredState& desired,
                                               const std::string& interface) {
  std::vector<ha::WantedAddress> wanted;
  for (const model::Vip& vip : desired.vips) {
    if (!vip.enabled || vip.advertise.type != model::Advertise::Type::kL2) continue;
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

void AnnounceSetup::SetDesired(const model::DesiredState& desired) {
  std::vector<ha::WantedAddress> wanted =
      WantedAddresses(desired, desired.node.has_value() ? desired.node->interface : "");
  base::MutexLock lock(&mutex_);
  wanted_ = std::move(wanted);
  if (announcer_ != nullptr) announcer_->SetWanted(wanted_);
}

absl::Status AnnounceSetup::Begin() {
  auto announcer = ha::VipAnnouncer::Create(
      clock_, {.kind = ha::Ownership::Kind::kAlone, .reason = "this host is alone"}, kLifetime);
  if (!announcer.ok()) return announcer.status();
  base::MutexLock lock(&mutex_);
  announcer_ = *std::move(announcer);
  announcer_->SetWanted(wanted_);
  return absl::OkStatus();
}

void AnnounceSetup::End(ha::VipAnnouncer::Ending ending) {
  std::unique_ptr<ha::VipAnnouncer> announcer;
  {
    base::MutexLock lock(&mutex_);
    announcer = std::move(announcer_);
  }
  if (announcer != nullptr) announcer->Stop(ending);
}

void AnnounceSetup::Show(controller::ControlView* view) const {
  std::vector<ha::AddressReport> reports;
  {
    base::MutexLock lock(&mutex_);
    if (announcer_ != nullptr) reports = announcer_->Reports();
  }
  for (controller::VipView& vip : view->vips) {
    if (!vip.announced) continue;
    for (dataplane::AddressOutcome& outcome : vip.addresses) {
      const auto report = std::find_if(
          reports.begin(), reports.end(),
          [&](const ha::AddressReport& one) { return one.address == outcome.address; });
      if (report == reports.end()) continue;
      // Newer than what the data plane saw when the last plan was applied.
      const bool here =
          report->state == ha::AddressState::kHeld || report->state == ha::AddressState::kForeign;
      outcome.interface = here ? report->interface : "";
      vip.announcements.push_back({.address = report->address,
                                   .state = ha::AddressStateName(report->state),
                                   .interface = report->interface,
                                   .reason = report->reason,
                                   .rival = report->rival,
                                   .since = report->since,
                                   .announcements_total = report->announcements_total});
    }
  }
}

}  // namespace fairlead::cmd
