// PairSpeaker: speaks VRRP for this host and decides who of the pair owns the VIPs' addresses: one
// virtual router, whose state all addresses of both families follow.
//
//   peer <--VRRP--> [ speaker thread: VrrpMachine ] --ownership, lease--> VipAnnouncer
//                        ^ links, impairment, commands
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/ha/vip_announcer.h"
#include "pkg/ha/vrrp_machine.h"
#include "pkg/ha/vrrp_socket.h"

namespace fairlead::ha {

struct PairSettings {
  VrrpTransport transport;
  VrrpSettings vrrp;
  VrrpChecksum checksum = VrrpChecksum::kPseudoHeader;
};

// After which the kernel takes an owner's address away when nothing renews it.
absl::Duration AddressLifetime(const PairSettings& settings);

struct PairReport {
  VrrpState state = VrrpState::kBackup;
  std::string reason;
  absl::Time since = absl::InfinitePast();
  uint8_t priority = 0;     // of the next advertisement
  std::string impairment;   // why that is 1; "" = it is as configured
  net::IpAddress local;     // 0.0.0.0 while there is no way
  std::string way_problem;  // why there is none; "" = there is
  // The last host that was heard; "" = none yet.
  std::string peer;
  uint8_t peer_priority = 0;
  absl::Time peer_heard = absl::InfinitePast();
  uint64_t transitions_total = 0;
  uint64_t sent_total = 0;
  uint64_t send_failures_total = 0;
  uint64_t received_total = 0;
  uint64_t refused_total = 0;  // packets that are no advertisement of this pair
  std::string refused_reason;  // of the last one
};

class PairSpeaker {
 public:
  // `announcer` and `clock` outlive it. `resume_master`: the process before this one was Master and
  // has just ended. Error: the descriptors or the thread could not be made.
  static absl::StatusOr<std::unique_ptr<PairSpeaker>> Create(const PairSettings& settings,
                                                             const base::Clock& clock,
                                                             VipAnnouncer& announcer,
                                                             bool resume_master);
  // As Stop(kLeave).
  virtual ~PairSpeaker() = default;

  // The following are thread-safe.
  // What the advertisements name.
  virtual void SetAddresses(std::vector<net::IpAddress> addresses) = 0;
  // Why this host serves badly; "" = it does not.
  virtual void SetImpairment(std::string reason) = 0;
  virtual PairReport Report() const = 0;
  // A planned switch. Blocks until the pair has switched, at most a few seconds; what came of it,
  // in words. Errors: FailedPrecondition (it cannot be), DeadlineExceeded, Unavailable (ending).
  virtual absl::StatusOr<std::string> Takeover() = 0;
  virtual absl::StatusOr<std::string> Standby() = 0;

  // Ends the thread; once. kRelease: a Master gives up first and waits for its peer. kLeave: says
  // nothing, for another process goes on.
  virtual void Stop(VipAnnouncer::Ending ending) = 0;
};

}  // namespace fairlead::ha
