// AddressKeeper: sees to it that this host has the addresses of its VIPs exactly while it owns
// them.
//
//   Standby --owned--> Probing --nobody has it--> Held --not owned, not wanted--> removed
//                        |  (a pair's new owner skips this: its dying peer may still answer)
//                        '--somebody has it--> Refused --after a while--> Probing
//
// It works by level: each Step looks at the host as it is, so that an address that somebody took
// away comes back, and what an earlier run left behind goes. Addresses without our mark are never
// touched. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "pkg/arp/interfaces.h"
#include "pkg/base/clock.h"
#include "pkg/ha/address_editor.h"
#include "pkg/ha/announce_schedule.h"
#include "pkg/ha/neighbour_link.h"
#include "pkg/net/ip_address.h"
#include "pkg/net/mac_address.h"

namespace fairlead::ha {

// An address that a VIP wants this host to bring up.
struct WantedAddress {
  net::IpAddress address;
  std::string interface;        // "" = the one whose network holds the address
  bool outlives_alone = false;  // it stays when the daemon of a host that is alone ends
  friend bool operator==(const WantedAddress&, const WantedAddress&) = default;
};

// Whose the addresses are.
struct Ownership {
  enum class Kind {
    kAlone,    // this host's, from which nobody can take them
    kOwner,    // this host's, while its lease runs
    kStandby,  // not this host's
  };
  Kind kind = Kind::kAlone;
  std::string reason{};  // in words: "this host is alone", "the peer 10.0.0.2 is Master"
  friend bool operator==(const Ownership&, const Ownership&) = default;
};

enum class AddressState {
  kStandby,  // another host's; not here
  kProbing,  // asking whether somebody has it
  kHeld,     // here, by us
  kForeign,  // here, but not by us: it stays whoever owns it
  kRefused,  // should be here and is not; the reason says why
};
// "Standby", "Probing", "Held", "OnHost", "Refused": the words of status.
const char* AddressStateName(AddressState state);

struct AddressReport {
  net::IpAddress address;
  AddressState state = AddressState::kStandby;
  std::string interface;  // where it is or should be; "" = not known
  std::string reason;     // why it is in that state
  absl::Time since = absl::InfinitePast();
  // Another host claims it too: its MAC; "" = none that was heard lately.
  std::string rival;
  uint64_t announcements_total = 0;  // frames
};

class AddressKeeper {
 public:
  // RFC 5227 §1.1 spreads its probes over seconds, for hosts that are all switched on at once and
  // have no reason for a hurry. A VIP has clients that wait.
  static constexpr int kProbes = 3;
  static constexpr absl::Duration kProbeEvery = absl::Milliseconds(200);
  static constexpr absl::Duration kProbeListen = absl::Milliseconds(300);
  static constexpr absl::Duration kRetry = absl::Seconds(10);
  // RFC 5227 §2.4: DEFEND_INTERVAL.
  static constexpr absl::Duration kDefendEvery = absl::Seconds(10);
  static constexpr absl::Duration kRivalForgotten = absl::Seconds(60);
  // Announcements: 1,000 frames a second at most, however many VIPs there are.
  static constexpr int kFramesPerTurn = 10;
  static constexpr absl::Duration kTurn = absl::Milliseconds(10);
  static constexpr absl::Duration kRenewEvery = absl::Milliseconds(500);

  // `lifetime`: after which the kernel takes a pair's address away when this process does not renew
  // it, at least 2 s. `clock` outlives the keeper.
  AddressKeeper(const base::Clock& clock, std::unique_ptr<AddressEditor> editor,
                absl::Duration lifetime);

  void SetWanted(const std::vector<WantedAddress>& wanted);
  // `lease` is the monotonic time at which the ownership of a pair's owner ends by itself.
  void SetOwnership(const Ownership& ownership, absl::Duration lease);

  // To be polled for reading, next to the time that Step returns; then Hear, then Step.
  std::vector<int> fds() const;
  void Hear();
  // Does what is due. Returns the monotonic time of the next step.
  absl::Duration Step();

  std::vector<AddressReport> Reports() const;
  // What must go when the daemon ends: all that is ours, but of a host that is alone not what
  // outlives it.
  void Release();

 private:
  struct Claim {
    WantedAddress wanted;
    AddressState state = AddressState::kStandby;
    uint32_t ifindex = 0;
    std::string interface;
    std::string reason;
    absl::Time since = absl::InfinitePast();
    int probes_sent = 0;
    absl::Duration next;  // the next probe (Probing), or another try (Refused)
    absl::Duration taken_at;
    absl::Duration renew_at = absl::InfiniteDuration();
    AnnounceSchedule schedule;
    std::optional<net::MacAddress> rival;
    absl::Duration rival_heard;
    absl::Duration defended_at = -absl::InfiniteDuration();
    uint64_t announcements_total = 0;
  };

  bool Owns(absl::Duration now) const;
  void Survey(absl::Duration now);
  void RemoveStale(absl::Duration now);
  const HostAddress* OnHost(const net::IpAddress& address) const;
  // The interface that the address belongs on, whatever its state; null: none.
  const arp::Interface* CandidateOf(const WantedAddress& wanted) const;
  // The same when it can be used; null with the reason in `why`.
  const arp::Interface* PlaceOf(const WantedAddress& wanted, std::string* why) const;
  void Advance(Claim& claim, absl::Duration now);
  void AdvanceHere(Claim& claim, const HostAddress& there, absl::Duration now);
  void AdvanceAbsent(Claim& claim, absl::Duration now);
  void Probe(Claim& claim, absl::Duration now);
  void Take(Claim& claim, absl::Duration now);
  void Hold(Claim& claim, std::string reason, absl::Duration now);
  std::string StandbyReason() const;
  void Withdraw(Claim& claim);
  void Refuse(Claim& claim, std::string reason, absl::Duration now);
  void HearClaim(uint32_t ifindex, const arp::Claim& heard, absl::Duration now);
  void HearRival(Claim& claim, const net::MacAddress& mac, absl::Duration now);
  void Announce(Claim& claim, absl::Duration now);
  void AnnounceDue(absl::Duration now);
  void RenewDue(Claim& claim, absl::Duration now);
  absl::Duration NextStep(absl::Duration now) const;
  void Remove(const HostAddress& address, const std::string& reason);
  std::string NameOf(uint32_t ifindex) const;

  const base::Clock& clock_;
  const std::unique_ptr<AddressEditor> editor_;
  const absl::Duration lifetime_;
  NeighbourLink link_;
  Ownership ownership_;
  absl::Duration lease_ = absl::InfiniteDuration();
  std::map<net::IpAddress, Claim> claims_;
  arp::Interfaces interfaces_;
  std::set<net::MacAddress> own_macs_;
  std::vector<HostAddress> on_host_;
  std::string survey_problem_;  // "" = the host could be read
  bool dirty_ = true;
  absl::Duration survey_at_;  // by the clock alone
  absl::Duration surveyed_ = -absl::InfiniteDuration();
};

}  // namespace fairlead::ha
