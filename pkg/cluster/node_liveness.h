// Which daemons live: those whose Lease was renewed within its duration, as this process saw it by
// its own clock. Pure. While the Leases are not followed (the API server is away) no time passes
// for them: an outage kills nobody.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "pkg/kube/lease_record.h"

namespace fairlead::cluster {

struct NodeLease {
  std::string node;  // whose it is
  kube::LeaseRecord record;
};

class NodeLiveness {
 public:
  // `followed`: `leases` is what the API server has now. `at` is Clock::Monotonic().
  void Update(const std::vector<NodeLease>& leases, bool followed, absl::Duration at);

  // By the last Update. A daemon is dead at once when its Lease is gone or given up, and after the
  // Lease's duration when that is not renewed.
  const std::set<std::string>& alive() const { return alive_; }
  // Daemons that have been dead for `forget_after`, or that were never seen at all: what they said
  // of themselves is to be removed.
  bool IsForgotten(const std::string& node) const;

  // Long enough for a daemon that lost the API server for a while, and its entries, to come back.
  static constexpr absl::Duration kForgetAfter = absl::Minutes(5);

 private:
  struct Seen {
    kube::LeaseRecord record;
    absl::Duration changed_at;
    bool present = false;
  };
  std::map<std::string, Seen> seen_;
  std::set<std::string> alive_;
  absl::Duration at_;
  absl::Duration started_at_ = absl::InfiniteDuration();
};

}  // namespace fairlead::cluster
