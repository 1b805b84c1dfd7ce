#include "pkg/ha/vrrp_machine.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace fairlead::ha {
namespace {

constexpr int kOwnerAdverts = 3;

std::string Text(absl::Duration duration) {
  return absl::StrCat(absl::ToInt64Milliseconds(duration), " ms");
}

}  // namespace

const char* VrrpStateName(VrrpState state) {
  switch (state) {
    case VrrpState::kBackup:
      return "Backup";
    case VrrpState::kMaster:
      return "Master";
    case VrrpState::kResigning:
      return "Resigning";
    case VrrpState::kFault:
      return "Fault";
  }
  return "unknown";
}

uint8_t VrrpMachine::priority() const {
  if (owner_adverts_ > 0) return kPriorityOwner;
  return impairment_.empty() ? settings_.priority : kPriorityImpaired;
}

absl::Duration VrrpMachine::Skew() const {
  return (256 - priority()) * master_interval_ / 256;  // RFC 9568 §6.1: Skew_Time
}

absl::Duration VrrpMachine::lease() const {
  if (state_ == VrrpState::kResigning) return resigned_until_;
  // The peer hears the last advertisement no sooner than it is sent, and then waits for longer.
  return sent_ + 3 * settings_.interval;
}

std::string VrrpMachine::PeerText() const {
  return peer_.has_value() ? peer_->address.ToString() : "the peer";
}

void VrrpMachine::Become(VrrpState state, std::string reason) {
  state_ = state;
  reason_ = std::move(reason);
  ++transitions_total_;
  lower_masters_ = 0;
}

VrrpMachine::Output VrrpMachine::Advertise(absl::Duration now) {
  const Send send = {priority()};
  if (owner_adverts_ > 0) --owner_adverts_;
  sent_ = now;
  advert_at_ = now + settings_.interval;
  return send;
}

VrrpMachine::Output VrrpMachine::BecomeMaster(std::string reason, absl::Duration now) {
  stays_backup_ = false;
  Become(VrrpState::kMaster, std::move(reason));
  return Advertise(now);
}

void VrrpMachine::BecomeBackup(std::string reason, absl::Duration now) {
  owner_adverts_ = 0;
  Become(VrrpState::kBackup, std::move(reason));
  master_down_at_ = now + MasterDown();
}

VrrpMachine::Output VrrpMachine::Start(bool resume_master, absl::Duration now) {
  master_interval_ = settings_.interval;
  if (resume_master) return BecomeMaster("the process before it on this host was Master", now);
  BecomeBackup("it has just started", now);
  return std::nullopt;
}

void VrrpMachine::CheckLease(absl::Duration now) {
  if (!owns() || now < lease() || state_ == VrrpState::kResigning) return;
  BecomeBackup(absl::StrCat("it has not advertised for ", Text(now - sent_),
                            " (the process or its host stood still), so that ", PeerText(),
                            " may be Master by now"),
               now);
}

VrrpMachine::Output VrrpMachine::Receive(const VrrpAdvert& advert, const net::IpAddress& source,
                                         absl::Duration now) {
  peer_ = Peer{source, advert.priority, now};
  switch (state_) {
    case VrrpState::kBackup:
      return ReceiveAsBackup(advert, now);
    case VrrpState::kMaster:
      return ReceiveAsMaster(advert, source, now);
    case VrrpState::kResigning:
      if (advert.priority == kPriorityResign) return std::nullopt;
      master_interval_ = advert.interval;
      BecomeBackup(absl::StrCat(source.ToString(), " has taken over, as this host gave up"), now);
      stays_backup_ = true;
      return std::nullopt;
    case VrrpState::kFault:
      return std::nullopt;
  }
  return std::nullopt;
}

VrrpMachine::Output VrrpMachine::ReceiveAsBackup(const VrrpAdvert& advert, absl::Duration now) {
  const bool fails = advert.priority == kPriorityImpaired && priority() > kPriorityImpaired;
  if (advert.priority == kPriorityResign || fails) {
    master_down_at_ = std::min(master_down_at_, now + Skew());
    return std::nullopt;
  }
  const bool preempts = settings_.preempt && !stays_backup_ && advert.priority < priority();
  if (preempts) return std::nullopt;  // its time runs out all the same
  master_interval_ = advert.interval;
  master_down_at_ = now + MasterDown();
  return std::nullopt;
}

VrrpMachine::Output VrrpMachine::ReceiveAsMaster(const VrrpAdvert& advert,
                                                 const net::IpAddress& source, absl::Duration now) {
  if (advert.priority == kPriorityResign) return Advertise(now);
  const uint8_t own = priority();
  if (advert.priority > own || (advert.priority == own && source > local_)) {
    master_interval_ = advert.interval;
    BecomeBackup(absl::StrCat(source.ToString(), " is Master with ",
                              advert.priority > own ? "a higher priority" : "a higher address",
                              " (", advert.priority, " against ", own, ")"),
                 now);
    return std::nullopt;
  }
  if (owner_adverts_ > 0) return std::nullopt;  // the old Master, which is told when it is time
  lower_masters_ = now - lower_heard_ <= 3 * advert.interval ? lower_masters_ + 1 : 1;
  lower_heard_ = now;
  if (lower_masters_ < kLowerMastersMax) return Advertise(now);
  master_interval_ = advert.interval;
  BecomeBackup(absl::StrCat(source.ToString(), " stays Master with a lower priority (",
                            advert.priority, " against ", own,
                            "): it does not hear this host, whose transmission must be broken"),
               now);
  stays_backup_ = true;
  return std::nullopt;
}

VrrpMachine::Output VrrpMachine::Tick(absl::Duration now) {
  if (now < next()) return std::nullopt;
  switch (state_) {
    case VrrpState::kBackup: {
      if (stopping_) return std::nullopt;
      std::string reason;
      if (!peer_.has_value()) {
        reason = absl::StrCat("no other host was heard for ", Text(MasterDown()));
      } else if (peer_->priority == kPriorityResign) {
        reason = absl::StrCat(PeerText(), " gave up");
      } else if (now - peer_->heard < 3 * master_interval_) {
        reason = absl::StrCat(PeerText(), " is Master with a lower priority (", peer_->priority,
                              " against ", priority(), ")");
      } else {
        reason =
            absl::StrCat("no advertisement of ", PeerText(), " for ", Text(now - peer_->heard));
      }
      return BecomeMaster(std::move(reason), now);
    }
    case VrrpState::kMaster:
      return Advertise(now);
    case VrrpState::kResigning:
      if (!stopping_) {
        return BecomeMaster("this host gave up, and nobody took over within its time", now);
      }
      BecomeBackup("the process ends", now);
      return std::nullopt;
    case VrrpState::kFault:
      return std::nullopt;
  }
  return std::nullopt;
}

absl::Duration VrrpMachine::next() const {
  switch (state_) {
    case VrrpState::kBackup:
      return stopping_ ? absl::InfiniteDuration() : master_down_at_;
    case VrrpState::kMaster:
      return advert_at_;
    case VrrpState::kResigning:
      return resigned_until_;
    case VrrpState::kFault:
      return absl::InfiniteDuration();
  }
  return absl::InfiniteDuration();
}

VrrpMachine::Output VrrpMachine::SetFault(const std::string& reason, absl::Duration now) {
  if (reason.empty()) {
    if (state_ == VrrpState::kFault) BecomeBackup("what was at fault is right again", now);
    return std::nullopt;
  }
  if (state_ == VrrpState::kFault) {
    reason_ = reason;
    return std::nullopt;
  }
  const bool owned = owns();
  owner_adverts_ = 0;
  Become(VrrpState::kFault, reason);
  if (owned) return Send{kPriorityResign};
  return std::nullopt;
}

VrrpMachine::Output VrrpMachine::SetImpairment(const std::string& reason, absl::Duration now) {
  const bool changed = reason.empty() != impairment_.empty();
  impairment_ = reason;
  if (changed && state_ == VrrpState::kMaster) return Advertise(now);
  return std::nullopt;
}

std::string VrrpMachine::Takeover(absl::Duration now) {
  if (state_ == VrrpState::kMaster) return "";
  if (state_ == VrrpState::kFault) return absl::StrCat("this host cannot be Master: ", reason_);
  if (stopping_) return "this process is about to end";
  owner_adverts_ = kOwnerAdverts;
  stays_backup_ = false;
  Become(VrrpState::kMaster, "an operator asked for it");
  // The addresses come first, so that clients have changed over when the old Master lets go.
  sent_ = now;
  advert_at_ = now + kTakeoverLead;
  return "";
}

VrrpMachine::Output VrrpMachine::Resign(absl::Duration now) {
  Become(VrrpState::kResigning, "it waits for the peer to take over");
  sent_ = now;
  // The peer waits for its skew, which is less than an interval, and then advertises.
  resigned_until_ = now + 2 * settings_.interval + absl::Milliseconds(50);
  return Send{kPriorityResign};
}

std::string VrrpMachine::Standby(absl::Duration now, Output* output) {
  output->reset();
  if (state_ != VrrpState::kMaster) return "";
  *output = Resign(now);
  return "";
}

VrrpMachine::Output VrrpMachine::Stop(absl::Duration now) {
  stopping_ = true;
  if (state_ != VrrpState::kMaster) return std::nullopt;
  return Resign(now);
}

}  // namespace fairlead::ha
