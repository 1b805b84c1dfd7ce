// FlowTable: what user space does to the table of recorded flows, while the program uses it:
// forgets those that were idle for too long or whose server is gone, and keeps the loads true to
// it.
//
// A recorded flow is on the load of its server exactly as long as its entry says so (DrFlowCounts):
// whoever changes that by an atomic exchange changes the load after it. A process that is killed
// between the two leaves the load wrong; the recount finds that. One thread.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "absl/time/time.h"
#include "pkg/dataplane/dr/map_store.h"

namespace fairlead::dataplane::dr {

// The unit that the age of a record is counted in, as 2^shift ns: half of what the 7 bits of an age
// hold are the longer one of the times, so that an old record is seen as such for as long again.
uint32_t AgeShift(absl::Duration flow_timeout, absl::Duration client_timeout);

class FlowTable {
 public:
  // `store` outlives the table.
  explicit FlowTable(MapStore& store);

  // How long records of a real server live without a packet: of flows, and of persistent clients
  // (0 = there are none). Servers without a life keep their records.
  void SetLife(uint32_t server, absl::Duration flow_timeout, absl::Duration client_timeout);

  // Takes out every record of these servers, and their loads. No packet may be on its way to them.
  void ForgetServers(const std::set<uint32_t>& servers);

  // Ends every flow of these servers, which are not usable any more: nobody tells of their ends,
  // and a server that comes back must not be taken for full. The records stay, for flows that
  // outlast its absence.
  void EndFlowsOf(const std::set<uint32_t>& servers);

  // Takes out what was idle for its life, and recounts the loads: one that was too high, or too
  // low, in kRecountsToHeal calls one after another is corrected. `now` is monotonic.
  void ForgetIdle(absl::Duration now);
  // A recount does not see the table at one instant: a difference that keeps its sign is none that
  // the flows of the meantime made.
  static constexpr int kRecountsToHeal = 3;

 private:
  struct Life {
    uint32_t age_shift = 0;  // 0 = not known
    uint64_t flow_units = 0;
    uint64_t client_units = 0;
  };
  struct Drift {
    int64_t smallest = 0;  // of the differences seen in a row, all of one sign
    int seen = 0;
  };

  bool Replace(__u64* entry, uint64_t value, uint64_t wanted);
  bool IsIdle(uint64_t entry, absl::Duration now) const;
  std::vector<int32_t> Loads() const;
  void Heal(const std::vector<int32_t>& before, const std::vector<int32_t>& counted);
  void HealVips();
  static int64_t TakeDrift(int64_t difference, Drift* drift);

  MapStore& store_;
  std::vector<Life> lives_;        // by server index
  std::vector<Drift> drifts_;      // by server index
  std::vector<Drift> vip_drifts_;  // by index of the VIP's load
};

}  // namespace fairlead::dataplane::dr
