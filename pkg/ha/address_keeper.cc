#include "pkg/ha/address_keeper.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/base/log.h"

namespace fairlead::ha {
namespace {

constexpr absl::Duration kSurveyEvery = absl::Seconds(10);
// Between two looks at a host whose links change all the time.
constexpr absl::Duration kSurveyBetween = absl::Milliseconds(20);
// A pair's new owner may still hear the old one for so long.
constexpr absl::Duration kHandover = absl::Seconds(1);

// Whether this host forwards IPv6, which its advertisements have to say (RFC 4861 §4.4).
bool ForwardsIpv6(const std::string& interface) {
  std::ifstream file(absl::StrCat("/proc/sys/net/ipv6/conf/", interface, "/forwarding"));
  int value = 0;
  return (file >> value) && value != 0;
}

int WidthOf(const net::IpAddress& address) { return static_cast<int>(address.bytes().size()) * 8; }

// The length of the network of the interface that holds `address`; -1: none does.
int NetworkOf(const arp::Interface& interface, const net::IpAddress& address) {
  int best = -1;
  for (const arp::InterfaceAddress& own : interface.addresses) {
    const bool holds = own.address.family() == address.family() &&
                       own.prefix_length < WidthOf(address) &&
                       own.address.Masked(own.prefix_length) == address.Masked(own.prefix_length);
    if (holds) best = std::max(best, own.prefix_length);
  }
  return best;
}

std::string InUse(const net::IpAddress& address, const net::MacAddress& mac,
                  const std::string& interface) {
  return absl::StrCat(address.ToString(), " is in use by ", net::MacText(mac), " on ", interface,
                      ", so that it is not taken: take it away from that host (a real server in "
                      "direct routing: run on it what fairlead prepare-realserver prints)");
}

}  // namespace

const char* AddressStateName(AddressState state) {
  switch (state) {
    case AddressState::kStandby:
      return "Standby";
    case AddressState::kProbing:
      return "Probing";
    case AddressState::kHeld:
      return "Held";
    case AddressState::kForeign:
      return "OnHost";
    case AddressState::kRefused:
      return "Refused";
  }
  return "unknown";
}

AddressKeeper::AddressKeeper(const base::Clock& clock, std::unique_ptr<AddressEditor> editor,
                             absl::Duration lifetime)
    : clock_(clock), editor_(std::move(editor)), lifetime_(lifetime) {}

void AddressKeeper::SetWanted(const std::vector<WantedAddress>& wanted) {
  std::map<net::IpAddress, Claim> claims;
  for (const WantedAddress& one : wanted) {
    const auto known = claims_.find(one.address);
    Claim claim = known == claims_.end() ? Claim{} : known->second;
    claim.wanted = one;
    claims.emplace(one.address, std::move(claim));  // the first one of two VIPs says where
  }
  claims_ = std::move(claims);
  dirty_ = true;
}

void AddressKeeper::SetOwnership(const Ownership& ownership, absl::Duration lease) {
  lease_ = lease;
  if (ownership == ownership_) return;
  ownership_ = ownership;
  dirty_ = true;
}

bool AddressKeeper::Owns(absl::Duration now) const {
  return ownership_.kind == Ownership::Kind::kAlone ||
         (ownership_.kind == Ownership::Kind::kOwner && now < lease_);
}

std::vector<int> AddressKeeper::fds() const {
  std::vector<int> fds = link_.fds();
  fds.push_back(editor_->changes_fd());
  return fds;
}

void AddressKeeper::Hear() {
  if (editor_->DrainChanges()) dirty_ = true;
  const absl::Duration now = clock_.Monotonic();
  link_.Read([&](uint32_t ifindex, const arp::Claim& heard) { HearClaim(ifindex, heard, now); });
}

absl::Duration AddressKeeper::Step() {
  const absl::Duration now = clock_.Monotonic();
  if ((dirty_ && now - surveyed_ >= kSurveyBetween) || now >= survey_at_) Survey(now);
  if (survey_problem_.empty()) RemoveStale(now);
  for (auto& [address, claim] : claims_) Advance(claim, now);
  if (Owns(now)) AnnounceDue(now);
  return NextStep(now);
}

void AddressKeeper::Survey(absl::Duration now) {
  dirty_ = false;
  surveyed_ = now;
  survey_at_ = now + kSurveyEvery;
  std::map<uint32_t, bool> carrier_before;
  for (const auto& [ifindex, interface] : interfaces_) {
    carrier_before[ifindex] = interface.carrier;
  }
  interfaces_ = arp::ReadInterfaces();
  own_macs_.clear();
  std::vector<uint32_t> ifindexes;
  for (const auto& [ifindex, interface] : interfaces_) {
    own_macs_.insert(interface.mac);
    ifindexes.push_back(ifindex);
  }
  link_.KeepOnly(ifindexes);
  auto read = editor_->Read();
  survey_problem_ = read.ok() ? "" : std::string(read.status().message());
  if (read.ok()) on_host_ = *std::move(read);
  // A link that has come back may lead to another switch.
  for (auto& [address, claim] : claims_) {
    if (const arp::Interface* candidate = CandidateOf(claim.wanted); candidate != nullptr) {
      claim.interface = candidate->name;
    }
    const auto place = interfaces_.find(claim.ifindex);
    const auto before = carrier_before.find(claim.ifindex);
    if (claim.state != AddressState::kHeld || place == interfaces_.end()) continue;
    const bool back = place->second.carrier && before != carrier_before.end() && !before->second;
    if (back) claim.schedule.Start(now);
  }
}

void AddressKeeper::RemoveStale(absl::Duration now) {
  std::vector<HostAddress> stale;
  for (const HostAddress& there : on_host_) {
    if (!there.own) continue;
    const auto claim = claims_.find(there.address);
    std::string why;
    if (claim == claims_.end()) {
      Remove(there, "no VIP wants it announced any more");
    } else if (!Owns(now)) {
      Remove(there, StandbyReason());
    } else if (const arp::Interface* place = PlaceOf(claim->second.wanted, &why);
               place != nullptr && place->ifindex != there.ifindex) {
      Remove(there, absl::StrCat("it belongs on ", place->name));
    } else {
      continue;
    }
    stale.push_back(there);
  }
  std::erase_if(on_host_, [&](const HostAddress& there) {
    return std::find(stale.begin(), stale.end(), there) != stale.end();
  });
}

const HostAddress* AddressKeeper::OnHost(const net::IpAddress& address) const {
  const HostAddress* found = nullptr;
  for (const HostAddress& there : on_host_) {
    if (there.address == address && (found == nullptr || !there.own)) found = &there;
  }
  return found;
}

const arp::Interface* AddressKeeper::CandidateOf(const WantedAddress& wanted) const {
  const arp::Interface* place = nullptr;
  int best = -1;
  for (const auto& [ifindex, interface] : interfaces_) {
    if (!wanted.interface.empty()) {
      if (interface.name == wanted.interface) place = &interface;
      continue;
    }
    const int length = NetworkOf(interface, wanted.address);
    if (length <= best) continue;
    best = length;
    place = &interface;
  }
  return place;
}

const arp::Interface* AddressKeeper::PlaceOf(const WantedAddress& wanted, std::string* why) const {
  const arp::Interface* place = CandidateOf(wanted);
  if (place == nullptr) {
    *why = wanted.interface.empty()
               ? absl::StrCat("no interface of this host has a network that holds ",
                              wanted.address.ToString(),
                              "; name one: advertise: {type: L2, interface: eth0}")
               : absl::StrCat("this host has no interface ", wanted.interface);
  } else if (!place->asks) {
    *why = absl::StrCat("interface ", place->name, " is down, or no Ethernet");
    return nullptr;
  }
  return place;
}

void AddressKeeper::Advance(Claim& claim, absl::Duration now) {
  if (!Owns(now)) return Withdraw(claim);
  if (!survey_problem_.empty()) return Refuse(claim, survey_problem_, now);
  std::string why;
  const arp::Interface* place = PlaceOf(claim.wanted, &why);
  if (place != nullptr) {
    claim.ifindex = place->ifindex;
    claim.interface = place->name;
  }
  const HostAddress* there = OnHost(claim.wanted.address);
  if (there != nullptr && !there->own) {
    claim.interface = NameOf(there->ifindex);
    claim.schedule.Stop();
    if (claim.state != AddressState::kForeign) claim.since = clock_.Now();
    claim.state = AddressState::kForeign;
    claim.reason = absl::StrCat("it was put on ", claim.interface,
                                " by somebody else, and stays there whoever owns it");
    return;
  }
  if (place == nullptr) return Refuse(claim, std::move(why), now);
  if (there != nullptr) return AdvanceHere(claim, *there, now);
  AdvanceAbsent(claim, now);
}

void AddressKeeper::AdvanceHere(Claim& claim, const HostAddress& there, absl::Duration now) {
  if (claim.state != AddressState::kHeld) {
    // A pair's address may be about to end by itself.
    if (const absl::Status status = editor_->Renew(
            there.ifindex, claim.interface, claim.wanted.address,
            ownership_.kind == Ownership::Kind::kAlone ? absl::InfiniteDuration() : lifetime_);
        !status.ok()) {
      return Refuse(claim, std::string(status.message()), now);
    }
    Hold(claim, absl::StrCat(ownership_.reason, "; it was here already"), now);
  }
  RenewDue(claim, now);
}

void AddressKeeper::AdvanceAbsent(Claim& claim, absl::Duration now) {
  switch (claim.state) {
    case AddressState::kHeld:
      base::LogWarning(
          "VIP address was taken from this host by somebody else; it is put back",
          {{"address", claim.wanted.address.ToString()}, {"interface", claim.interface}});
      return Take(claim, now);
    case AddressState::kRefused:
      if (now < claim.next) return;
      [[fallthrough]];
    case AddressState::kStandby:
    case AddressState::kForeign:
      // The peer of a pair may be dying, and its kernel still answer.
      if (ownership_.kind == Ownership::Kind::kOwner) return Take(claim, now);
      if (claim.state != AddressState::kRefused) claim.since = clock_.Now();
      claim.state = AddressState::kProbing;
      claim.probes_sent = 0;
      claim.next = now;
      [[fallthrough]];
    case AddressState::kProbing:
      return Probe(claim, now);
  }
}

void AddressKeeper::Probe(Claim& claim, absl::Duration now) {
  if (ownership_.kind == Ownership::Kind::kOwner) return Take(claim, now);
  if (now < claim.next) return;
  if (claim.probes_sent >= kProbes) return Take(claim, now);
  const net::MacAddress& mac = interfaces_.at(claim.ifindex).mac;
  const net::IpAddress& address = claim.wanted.address;
  const absl::Status sent =
      link_.Send(claim.ifindex, address.family(), arp::BuildDuplicateProbe(mac, address));
  if (!sent.ok()) return Refuse(claim, std::string(sent.message()), now);
  ++claim.probes_sent;
  claim.next = now + (claim.probes_sent < kProbes ? kProbeEvery : kProbeListen);
}

void AddressKeeper::Take(Claim& claim, absl::Duration now) {
  const net::IpAddress& address = claim.wanted.address;
  // Without it nobody would be told, and nobody heard.
  if (const absl::Status heard = link_.Listen(claim.ifindex, address.family()); !heard.ok()) {
    return Refuse(claim, std::string(heard.message()), now);
  }
  const bool alone = ownership_.kind == Ownership::Kind::kAlone;
  const absl::Status added = editor_->Add(claim.ifindex, claim.interface, address,
                                          alone ? absl::InfiniteDuration() : lifetime_);
  if (!added.ok()) return Refuse(claim, std::string(added.message()), now);
  on_host_.push_back({claim.ifindex, address, WidthOf(address), /*own=*/true});
  Hold(claim, ownership_.reason, now);
  base::LogInfo(
      "VIP address is on this host",
      {{"address", address.ToString()}, {"interface", claim.interface}, {"reason", claim.reason}});
}

void AddressKeeper::Hold(Claim& claim, std::string reason, absl::Duration now) {
  claim.state = AddressState::kHeld;
  claim.reason = std::move(reason);
  claim.since = clock_.Now();
  claim.taken_at = now;
  claim.renew_at = now + kRenewEvery;
  claim.rival.reset();
  claim.schedule.Start(now);
}

std::string AddressKeeper::StandbyReason() const {
  if (ownership_.kind == Ownership::Kind::kStandby) return ownership_.reason;
  return "the pair's lease has run out: this host has not told its peer in time that it lives";
}

// Its address is removed with whatever else is stale.
void AddressKeeper::Withdraw(Claim& claim) {
  const HostAddress* there = OnHost(claim.wanted.address);
  const bool foreign = there != nullptr && !there->own;
  const AddressState state = foreign ? AddressState::kForeign : AddressState::kStandby;
  claim.reason = StandbyReason();
  if (foreign) {
    claim.interface = NameOf(there->ifindex);
    claim.reason = absl::StrCat("it was put on ", claim.interface,
                                " by somebody else and stays, "
                                "although this host does not own it (",
                                claim.reason, "): two hosts may answer for it; ip address del it");
  }
  if (claim.state == state) return;
  claim.state = state;
  claim.since = clock_.Now();
  claim.rival.reset();
  claim.schedule.Stop();
  claim.renew_at = absl::InfiniteDuration();
}

void AddressKeeper::Refuse(Claim& claim, std::string reason, absl::Duration now) {
  claim.schedule.Stop();
  claim.renew_at = absl::InfiniteDuration();
  claim.next = now + kRetry;
  if (claim.state != AddressState::kRefused || claim.reason != reason) {
    if (claim.reason != reason) {
      base::LogWarning("VIP address is not on this host",
                       {{"address", claim.wanted.address.ToString()}, {"reason", reason}});
    }
    claim.since = clock_.Now();
  }
  claim.state = AddressState::kRefused;
  claim.reason = std::move(reason);
}

void AddressKeeper::HearClaim(uint32_t ifindex, const arp::Claim& heard, absl::Duration now) {
  const auto found = claims_.find(heard.address);
  if (found == claims_.end() || own_macs_.contains(heard.mac)) return;
  Claim& claim = found->second;
  if (claim.ifindex != ifindex || !Owns(now)) return;
  switch (claim.state) {
    case AddressState::kProbing:
      return Refuse(claim, InUse(heard.address, heard.mac, claim.interface), now);
    case AddressState::kHeld:
      return HearRival(claim, heard.mac, now);
    case AddressState::kStandby:
    case AddressState::kForeign:
    case AddressState::kRefused:
      return;
  }
}

void AddressKeeper::HearRival(Claim& claim, const net::MacAddress& mac, absl::Duration now) {
  const bool handover =
      ownership_.kind == Ownership::Kind::kOwner && now - claim.taken_at < kHandover;
  if (!handover) {
    claim.rival_heard = now;
    if (claim.rival != mac) {
      claim.rival = mac;
      base::LogWarning("another host claims a VIP address of this host",
                       {{"address", claim.wanted.address.ToString()},
                        {"interface", claim.interface},
                        {"mac", net::MacText(mac)}});
    }
  }
  if (now - claim.defended_at < kDefendEvery) return;
  claim.defended_at = now;
  Announce(claim, now);
}

void AddressKeeper::Announce(Claim& claim, absl::Duration now) {
  const auto place = interfaces_.find(claim.ifindex);
  if (place == interfaces_.end()) return;
  const net::IpAddress& address = claim.wanted.address;
  const bool router = !address.is_ipv4() && ForwardsIpv6(claim.interface);
  const absl::Status sent = link_.Send(claim.ifindex, address.family(),
                                       arp::BuildAnnouncement(place->second.mac, address, router));
  if (sent.ok()) ++claim.announcements_total;
  claim.schedule.Sent(now);
}

void AddressKeeper::AnnounceDue(absl::Duration now) {
  std::vector<Claim*> due;
  for (auto& [address, claim] : claims_) {
    if (claim.schedule.next() <= now) due.push_back(&claim);
  }
  std::sort(due.begin(), due.end(), [](const Claim* left, const Claim* right) {
    return left->schedule.next() < right->schedule.next();
  });
  if (due.size() > kFramesPerTurn) due.resize(kFramesPerTurn);
  for (Claim* claim : due) Announce(*claim, now);
}

void AddressKeeper::RenewDue(Claim& claim, absl::Duration now) {
  if (claim.rival.has_value() && now - claim.rival_heard >= kRivalForgotten) claim.rival.reset();
  if (ownership_.kind != Ownership::Kind::kOwner || now < claim.renew_at) return;
  claim.renew_at = now + kRenewEvery;
  const absl::Status renewed =
      editor_->Renew(claim.ifindex, claim.interface, claim.wanted.address, lifetime_);
  // What is gone is seen by the next look at the host.
  if (!renewed.ok()) dirty_ = true;
}

absl::Duration AddressKeeper::NextStep(absl::Duration now) const {
  absl::Duration next = survey_at_;
  if (dirty_) next = std::min(next, surveyed_ + kSurveyBetween);
  if (ownership_.kind == Ownership::Kind::kOwner && now < lease_) next = std::min(next, lease_);
  for (const auto& [address, claim] : claims_) {
    const bool waits =
        claim.state == AddressState::kProbing || claim.state == AddressState::kRefused;
    if (waits && Owns(now)) next = std::min(next, claim.next);
    if (claim.state != AddressState::kHeld) continue;
    if (ownership_.kind == Ownership::Kind::kOwner) next = std::min(next, claim.renew_at);
    next = std::min(next, std::max(claim.schedule.next(), now + kTurn));
  }
  return next;
}

void AddressKeeper::Remove(const HostAddress& address, const std::string& reason) {
  const absl::Status removed = editor_->Remove(address);
  if (removed.ok()) {
    base::LogInfo("VIP address removed from this host", {{"address", address.address.ToString()},
                                                         {"interface", NameOf(address.ifindex)},
                                                         {"reason", reason}});
  } else {
    base::LogError("VIP address cannot be removed from this host",
                   {{"address", address.address.ToString()},
                    {"interface", NameOf(address.ifindex)},
                    {"reason", std::string(removed.message())}});
  }
}

std::string AddressKeeper::NameOf(uint32_t ifindex) const {
  const auto found = interfaces_.find(ifindex);
  return found == interfaces_.end() ? absl::StrCat("interface ", ifindex) : found->second.name;
}

std::vector<AddressReport> AddressKeeper::Reports() const {
  std::vector<AddressReport> reports;
  for (const auto& [address, claim] : claims_) {
    reports.push_back({.address = address,
                       .state = claim.state,
                       .interface = claim.interface,
                       .reason = claim.reason,
                       .since = claim.since,
                       .rival = claim.rival.has_value() ? net::MacText(*claim.rival) : "",
                       .announcements_total = claim.announcements_total});
  }
  return reports;
}

void AddressKeeper::Release() {
  Survey(clock_.Monotonic());
  for (const HostAddress& there : on_host_) {
    if (!there.own) continue;
    const auto claim = claims_.find(there.address);
    const bool stays = claim != claims_.end() && claim->second.wanted.outlives_alone &&
                       ownership_.kind == Ownership::Kind::kAlone;
    if (!stays) Remove(there, "Fairlead ends on this host");
  }
}

}  // namespace fairlead::ha
