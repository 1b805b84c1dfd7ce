// VrrpMachine: who of a pair is Master (RFC 9568 §6), without sockets and without a clock of its
// own.
//
//             nobody is heard for 3 intervals + skew, or Takeover
//   Backup ------------------------------------------------------> Master <--nobody takes over--.
//     ^ ^    a higher priority, or an equal one of a higher address   |                         |
//     | '--------------------------------------------------------------'--Standby, Stop-->
//     Resigning | |
//   Fault <-- an interface is down, no way to the peer -- any state      the peer is heard -->
//   Backup
//
// Beyond the RFC:
//  - Priority 1 means "I serve badly" (no real server left): a healthy Backup takes over from it
//    even without preemption. Two of them leave things as they are.
//  - A Master that wakes up so late that its peer may be Master yields before it does anything.
//  - A Master that hears a lower Master three times running is not heard itself, and yields.
//  - A Resigning node serves on until it hears its peer, and goes on as Master when nobody takes
//    over: a planned switch leaves no gap.
// One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "pkg/ha/vrrp_packet.h"
#include "pkg/net/ip_address.h"

namespace fairlead::ha {

// What may be configured; 0, 1 and 255 have meanings of their own.
inline constexpr uint8_t kPriorityImpaired = 1;

struct VrrpSettings {
  uint8_t virtual_router_id = 51;
  uint8_t priority = 100;  // 2..254
  bool preempt = false;    // take over from a Master of lower priority
  absl::Duration interval = absl::Milliseconds(100);
};

enum class VrrpState { kBackup, kMaster, kResigning, kFault };
// "Backup", "Master", "Resigning", "Fault".
const char* VrrpStateName(VrrpState state);

class VrrpMachine {
 public:
  // An advertisement to be sent at once.
  struct Send {
    uint8_t priority = 0;
  };
  using Output = std::optional<Send>;

  // Between taking the addresses and telling the old Master so, in a planned switch.
  static constexpr absl::Duration kTakeoverLead = absl::Milliseconds(20);
  static constexpr int kLowerMastersMax = 3;

  explicit VrrpMachine(const VrrpSettings& settings) : settings_(settings) {}

  // As Backup, or as the Master that it was before (a new process of the same host).
  Output Start(bool resume_master, absl::Duration now);
  // This host's own address, for the tie of equal priorities.
  void SetLocal(const net::IpAddress& local) { local_ = local; }

  // To be called first after each wait, before packets are read: whether the Master's time is over.
  void CheckLease(absl::Duration now);
  // An advertisement of this virtual router by another host.
  Output Receive(const VrrpAdvert& advert, const net::IpAddress& source, absl::Duration now);
  // What is due by time; to be called after packets are read.
  Output Tick(absl::Duration now);
  // When Tick has something to do.
  absl::Duration next() const;

  // Why this host cannot take part (an interface is down); "" = it can.
  Output SetFault(const std::string& reason, absl::Duration now);
  // Why this host serves badly; "" = it does not.
  Output SetImpairment(const std::string& reason, absl::Duration now);
  // A planned switch. Error texts: why it cannot be; "" = it begins, or there is nothing to do.
  std::string Takeover(absl::Duration now);
  std::string Standby(absl::Duration now, Output* output);
  // The end of the process: gives up as Standby does, but for good.
  Output Stop(absl::Duration now);
  // Nothing holds the end up any more.
  bool stopped() const { return stopping_ && state_ != VrrpState::kResigning; }

  VrrpState state() const { return state_; }
  // Why it is in this state, for people; how often it has changed.
  const std::string& reason() const { return reason_; }
  uint64_t transitions_total() const { return transitions_total_; }
  bool owns() const { return state_ == VrrpState::kMaster || state_ == VrrpState::kResigning; }
  // Until when this host may serve without another advertisement of its own (monotonic).
  absl::Duration lease() const;
  // The priority of the next advertisement.
  uint8_t priority() const;
  const std::string& impairment() const { return impairment_; }
  // The last advertisement of the peer, and when; absent: none yet.
  struct Peer {
    net::IpAddress address;
    uint8_t priority = 0;
    absl::Duration heard;
  };
  const std::optional<Peer>& peer() const { return peer_; }

 private:
  absl::Duration Skew() const;
  absl::Duration MasterDown() const { return 3 * master_interval_ + Skew(); }
  void Become(VrrpState state, std::string reason);
  Output BecomeMaster(std::string reason, absl::Duration now);
  void BecomeBackup(std::string reason, absl::Duration now);
  Output Advertise(absl::Duration now);
  Output ReceiveAsBackup(const VrrpAdvert& advert, absl::Duration now);
  Output ReceiveAsMaster(const VrrpAdvert& advert, const net::IpAddress& source,
                         absl::Duration now);
  Output Resign(absl::Duration now);
  std::string PeerText() const;

  const VrrpSettings settings_;
  net::IpAddress local_;
  VrrpState state_ = VrrpState::kBackup;
  std::string reason_ = "it has just started";
  uint64_t transitions_total_ = 0;
  std::string impairment_;
  std::optional<Peer> peer_;
  absl::Duration master_interval_;  // of the Master that is heard
  absl::Duration master_down_at_;   // kBackup
  absl::Duration advert_at_;        // kMaster
  absl::Duration sent_;             // kMaster, kResigning: the last advertisement
  absl::Duration resigned_until_;   // kResigning
  int owner_adverts_ = 0;           // of a planned takeover: so many more with priority 255
  int lower_masters_ = 0;
  absl::Duration lower_heard_ = -absl::InfiniteDuration();
  bool stays_backup_ = false;  // an operator sent it there: it does not preempt
  bool stopping_ = false;
};

}  // namespace fairlead::ha
