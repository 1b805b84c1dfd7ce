// VipAnnouncer: brings the addresses of VIPs up where this host owns them, tells the network, and
// takes them away where it does not. An AddressKeeper on a thread of its own.
//
//   any thread --SetWanted, SetOwnership--> [ announcer thread: rtnetlink, ARP, ND ] --> Reports
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/ha/address_keeper.h"

namespace fairlead::ha {

class VipAnnouncer {
 public:
  enum class Ending {
    kRelease,  // AddressKeeper::Release: the daemon ends
    kLeave,    // all stays as it is: another process goes on with it
  };

  // `ownership`, with `lease`, is in force until SetOwnership. `lifetime` as in AddressKeeper.
  // `clock` outlives the announcer. Error: the descriptors or the thread could not be made.
  static absl::StatusOr<std::unique_ptr<VipAnnouncer>> Create(const base::Clock& clock,
                                                              const Ownership& ownership,
                                                              absl::Duration lease,
                                                              absl::Duration lifetime);
  // As Stop(kLeave).
  virtual ~VipAnnouncer() = default;

  // The following are thread-safe and do not block.
  // Until the first call nothing is touched, also not what a former process left.
  virtual void SetWanted(std::vector<WantedAddress> wanted) = 0;
  // `lease` (monotonic) is of kind kOwner: without RenewLease the ownership ends then.
  virtual void SetOwnership(const Ownership& ownership, absl::Duration lease) = 0;
  // A longer lease for the owner. It never wakes the announcer.
  virtual void RenewLease(absl::Duration lease) = 0;
  // As they were after the last step.
  virtual std::vector<AddressReport> Reports() const = 0;

  // Ends the thread; once. Blocks until the addresses are gone, or left.
  virtual void Stop(Ending ending) = 0;
};

}  // namespace fairlead::ha
