// NodeReporter: what a node tells the cluster of itself: its sign of life, its entries in the VIPs'
// status, and events. One thread, one turn a second:
//
//   NodeLease, then StatusWriter, then EventWriter; the first error ends the turn, and the next one
//   waits longer: 1 s, 2 s, ... 30 s.
//
// None of it has any effect on what the node serves.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/kube/api_client.h"
#include "pkg/kube/event_writer.h"
#include "pkg/kube/node_lease.h"
#include "pkg/kube/status_writer.h"

namespace fairlead::kube {

struct NodeReport {
  // False: the node's state is not that of the newest configuration yet; nothing is written of it.
  bool is_current = false;
  std::vector<WantedEntry> entries;  // of every VIP there is
  std::vector<NodeEvent> events;     // since the last report
};

class NodeReporter {
 public:
  static constexpr absl::Duration kInterval = absl::Seconds(1);
  static constexpr absl::Duration kBackoffMax = absl::Seconds(30);
  static constexpr absl::Duration kWithdrawMax = absl::Seconds(3);

  // `client` and `clock` outlive it; `collect` is called on its thread. Errors: no thread could be
  // made.
  static absl::StatusOr<std::unique_ptr<NodeReporter>> Start(ApiClient& client,
                                                             const base::Clock& clock,
                                                             NodeIdentity identity,
                                                             std::function<NodeReport()> collect);
  // How the thread ends.
  enum class Ending {
    kWithdraw,  // the node leaves: its entries and its Lease go, within kWithdrawMax
    kLeave      // another process goes on under its name
  };
  // Thread-safe; returns at once. At most one more report is collected. The first call counts.
  virtual void BeginEnd(Ending ending) = 0;
  // As BeginEnd(kLeave), and waits for the end.
  virtual ~NodeReporter() = default;
};

}  // namespace fairlead::kube
