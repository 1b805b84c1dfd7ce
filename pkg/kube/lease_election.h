// LeaseElection: who of several processes leads, by one Lease. The rules of client-go's
// tools/leaderelection, without their thread and without I/O.
//
//   the Lease as it was read              | what to write
//   --------------------------------------+--------------------------------------------------------
//   there is none, or nobody holds it     | ours, a transition more
//   ours                                  | ours, renewed
//   another's, and it changed within      | nothing: wait
//     its duration by our own clock       |
//   another's, unchanged for longer       | ours, a transition more
//
// Clocks of two hosts are never compared: a lease has expired when this process has seen it
// unchanged for its duration. The writer wins whose resource version is still the present one.
// Who leads stops believing it `renew_deadline` after it *sent* the last renewal that succeeded,
// which is before anybody else may take over.
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "pkg/kube/lease_record.h"

namespace fairlead::kube {

// As client-go has them.
struct LeaseTimes {
  absl::Duration duration = absl::Seconds(15);        // whole seconds
  absl::Duration renew_deadline = absl::Seconds(10);  // < duration
  absl::Duration retry = absl::Seconds(2);
};

// Used on one thread, or under a lock. Times named `at` are Clock::Monotonic().
class LeaseElection {
 public:
  LeaseElection(std::string identity, const LeaseTimes& times);

  // What to write, with the resource version to compare; nothing: another one leads. `read` is
  // empty when there is no Lease.
  std::optional<LeaseRecord> Decide(const std::optional<LeaseRecord>& read, absl::Duration at,
                                    absl::Time now);
  // The server took what Decide returned, in a request that was sent at `at`, and gave it this
  // resource version.
  void OnWritten(const LeaseRecord& written, std::string resource_version, absl::Duration at);
  // The server refused (409): somebody else wrote. What is known of the Lease is void.
  void OnConflict() { known_.reset(); }

  bool IsLeader(absl::Duration at) const { return at < leads_until_; }
  // When that ends unless a renewal succeeds; InfinitePast-like when it does not lead.
  absl::Duration leads_until() const { return leads_until_; }
  // The Lease as this process wrote it last, to be renewed without reading it; empty: read it.
  const std::optional<LeaseRecord>& known() const { return known_; }
  // Gives the lease up: what to write so that another one need not wait; nothing when it is not
  // ours. Does not lead from now on.
  std::optional<LeaseRecord> Release(absl::Duration at, absl::Time now);
  // Who holds it, as far as is known; "" = nobody.
  const std::string& holder() const { return observed_.holder; }

 private:
  const std::string identity_;
  const LeaseTimes times_;
  LeaseRecord observed_;
  absl::Duration observed_at_ = -absl::InfiniteDuration();
  std::optional<LeaseRecord> known_;
  absl::Duration leads_until_ = -absl::InfiniteDuration();
};

}  // namespace fairlead::kube
