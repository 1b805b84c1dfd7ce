// KernelMapStore: the maps of the loaded program. Tables, ports and flows are mapped into memory.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/dataplane/dr/map_store.h"
#include "pkg/dataplane/dr/program_object.h"

namespace fairlead::dataplane::dr {

// Shared memory of a BPF array (mmap(2)); unmapped on destruction.
class MappedArray {
 public:
  MappedArray() = default;
  MappedArray(MappedArray&& other) noexcept;
  MappedArray& operator=(MappedArray&& other) noexcept;
  ~MappedArray();
  // `bytes` is rounded up to whole pages. Error: the map is not of this size or not BPF_F_MMAPABLE.
  static absl::StatusOr<MappedArray> Map(int fd, size_t bytes);
  void* data() const { return data_; }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

class KernelMapStore final : public MapStore {
 public:
  // Owns the descriptors from here on. Errors: a map is missing or has another layout.
  static absl::StatusOr<std::unique_ptr<KernelMapStore>> Create(MapDescriptors maps);

  bpf::DrTables& tables() override;
  absl::Span<bpf::DrPortGroup> port_groups() override;
  absl::Span<bpf::DrFlowBucket> flows() override;
  absl::Status SetRing(RingKind kind, uint32_t service, absl::Span<const uint16_t> slots) override;
  absl::StatusOr<std::vector<uint16_t>> GetRing(RingKind kind, uint32_t service) override;
  absl::Status SetDevice(uint32_t place, uint32_t ifindex) override;
  absl::Status WaitForPackets() override;
  absl::StatusOr<std::vector<bpf::DrServerCounts>> ServerCounts() const override;
  absl::StatusOr<std::vector<bpf::DrHandshakeCounts>> HandshakeCounts() const override;
  absl::Status ClearServerCounts(uint32_t server) override;
  absl::StatusOr<ReasonCounts> Reasons() const override;

  const MapDescriptors& maps() const { return maps_; }

 private:
  KernelMapStore() = default;
  int Fd(const char* name) const { return maps_.at(name).get(); }

  MapDescriptors maps_;
  MappedArray tables_;
  MappedArray port_groups_;
  MappedArray flows_;
};

}  // namespace fairlead::dataplane::dr
