// MapWriter: makes the maps say what the entries say, by their difference to what the maps hold:
// also when a former process wrote that, so that forwarding goes on through a restart.
//
// Order of writing: what a packet finds last is written first (server, ring, service, ports, VIP);
// what goes is taken out in the opposite order, and its index is used anew only when no packet and
// no record can refer to it. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/dataplane/dr/flow_table.h"
#include "pkg/dataplane/dr/map_store.h"
#include "pkg/dataplane/dr/ring_window.h"
#include "pkg/dataplane/dr/service_entry.h"
#include "pkg/dataplane/dr/vip_table.h"

namespace fairlead::dataplane::dr {

// For so long after a change of the ring, a UDP flow without a record is taken for an older one.
// Twice a talkative protocol's silence.
inline constexpr absl::Duration kUdpGrace = absl::Seconds(30);

class MapWriter {
 public:
  // `store` outlives the writer. `secret`: for maps that have none yet; see DrNotes.
  MapWriter(MapStore& store, std::array<uint64_t, 2> secret);

  // Reads rings that a former process left. Error: they cannot be read; then nothing was changed.
  absl::Status Adopt();

  // `now` is monotonic. A status per entry, in their order: a table is full, and the entry is not
  // served (what goes in the same call counts until it is gone: try again); or the kernel refuses a
  // ring, and the entry keeps the one that it had. Services that are not among the entries are
  // taken out.
  std::vector<absl::Status> Apply(const std::vector<ServiceEntry>& entries, absl::Duration now);

  // Ends windows that have passed, forgets flows that were idle for their time-out and recounts the
  // loads. To be called every kTickInterval.
  absl::Status Tick(absl::Duration now);
  static constexpr absl::Duration kTickInterval = absl::Seconds(10);

  // 0 = the maps do not have it.
  uint32_t ServiceIndex(const std::string& key) const;
  uint32_t ServerIndex(const std::string& vip, const std::string& server) const;
  uint32_t VipIndex(const std::string& vip) const;
  // Empty for a service that the maps do not have.
  const RingState& RingOf(uint32_t service) const;

 private:
  struct PlannedService {
    const ServiceEntry* entry;
    uint32_t index;
    uint32_t vip;                   // of the VIP's load
    std::vector<uint32_t> servers;  // indexes, in the entry's order
  };
  struct Wanted {
    std::vector<PlannedService> services;
    std::map<VipKey, uint32_t> port_tables;
    std::vector<std::vector<uint16_t>> ports;  // by port table: 65,536 service indexes, or empty
    std::set<uint32_t> service_indexes;
    std::set<uint32_t> server_indexes;
    std::set<uint32_t> vip_indexes;
  };

  absl::Status Plan(const ServiceEntry& entry, Wanted* wanted);
  absl::Status PlanPorts(const ServiceEntry& entry, uint32_t service, Wanted* wanted);
  void WriteServers(const PlannedService& service);
  uint32_t WriteLoads(const PlannedService& service);
  bool KeepsRing(const PlannedService& service) const;
  absl::Status WriteRing(const PlannedService& service, absl::Duration now);
  void WriteService(const PlannedService& service, uint32_t candidates);
  void WritePorts(const Wanted& wanted);
  absl::Status WriteVips(const Wanted& wanted);
  void RetireServers(const Wanted& wanted);
  absl::Status RemoveOthers(const Wanted& wanted);
  absl::Status SetRings(uint32_t service, const RingState& state);
  absl::Status EndPassedWindow(uint32_t service, absl::Duration now);

  MapStore& store_;
  std::vector<RingState> rings_;                // by service index
  std::vector<std::set<uint32_t>> servers_of_;  // by service index
  std::map<VipKey, uint32_t> port_tables_;      // as in the VIP table in force
  FlowTable flow_table_;
};

}  // namespace fairlead::dataplane::dr
