// MemoryMapStore: maps in plain memory, for tests of what is written into them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pkg/dataplane/dr/map_store.h"

namespace fairlead::dataplane::dr {

class MemoryMapStore final : public MapStore {
 public:
  bpf::DrTables& tables() override { return *tables_; }
  absl::Span<bpf::DrPortGroup> port_groups() override { return absl::MakeSpan(port_groups_); }
  absl::Span<bpf::DrFlowBucket> flows() override { return absl::MakeSpan(flows_); }
  absl::Span<bpf::DrProbe> probes() override { return absl::MakeSpan(probes_); }

  absl::Status SetRing(RingKind kind, uint32_t service, absl::Span<const uint16_t> slots) override {
    if (!ring_error.ok()) return ring_error;
    writes.push_back((kind == RingKind::kBase ? "base " : "present ") + std::to_string(service) +
                     (slots.empty() ? " out" : ""));
    auto& rings = kind == RingKind::kBase ? bases_ : rings_;
    rings[service].assign(slots.begin(), slots.end());
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<uint16_t>> GetRing(RingKind kind, uint32_t service) override {
    return kind == RingKind::kBase ? bases_[service] : rings_[service];
  }
  absl::Status SetDevice(uint32_t place, uint32_t ifindex) override {
    devices[place] = ifindex;
    return absl::OkStatus();
  }
  absl::Status WaitForPackets() override {
    writes.push_back("wait");
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<bpf::DrServerCounts>> ServerCounts() const override {
    return std::vector<bpf::DrServerCounts>(bpf::kDrServers);
  }
  absl::StatusOr<std::vector<bpf::DrHandshakeCounts>> HandshakeCounts() const override {
    return std::vector<bpf::DrHandshakeCounts>(bpf::kDrServers);
  }
  absl::Status ClearServerCounts(uint32_t server) override {
    cleared.push_back(server);
    return absl::OkStatus();
  }
  absl::StatusOr<ReasonCounts> Reasons() const override { return ReasonCounts{}; }

  absl::Status ring_error;          // of every SetRing while not ok
  std::vector<std::string> writes;  // rings and waits, in their order
  std::vector<uint32_t> cleared;
  std::map<uint32_t, uint32_t> devices;

 private:
  std::unique_ptr<bpf::DrTables> tables_ = std::make_unique<bpf::DrTables>();
  std::vector<bpf::DrPortGroup> port_groups_ =
      std::vector<bpf::DrPortGroup>(bpf::kDrPortTables * bpf::kDrPortGroupsPerTable);
  std::vector<bpf::DrFlowBucket> flows_ = std::vector<bpf::DrFlowBucket>(bpf::kDrFlowBuckets);
  std::vector<bpf::DrProbe> probes_ = std::vector<bpf::DrProbe>(bpf::kDrInterfaces);
  std::map<uint32_t, std::vector<uint16_t>> rings_;
  std::map<uint32_t, std::vector<uint16_t>> bases_;
};

}  // namespace fairlead::dataplane::dr
