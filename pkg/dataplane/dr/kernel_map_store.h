// KernelMapStore: the maps of the loaded program. Tables, ports and flows are mapped into memory.
//
// A ring is an inner map, which can be found in its outer map by its identifier alone, and to open
// it by that takes CAP_SYS_ADMIN. So each ring in use is pinned under its identifier:
//
//   <directory>/ring-<identifier of the map>
//
// It is pinned before it is put in and taken away after it was replaced: what is in use is there
// whenever this process ends.
#pragma once

#include <memory>
#include <string>
#include <utility>
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
  // Owns the descriptors from here on. `directory` is in a bpffs; rings there that are in no map
  // are taken away. Errors: a map is missing or has another layout.
  static absl::StatusOr<std::unique_ptr<KernelMapStore>> Create(MapDescriptors maps,
                                                                std::string directory);

  bpf::DrTables& tables() override;
  absl::Span<bpf::DrPortGroup> port_groups() override;
  absl::Span<bpf::DrFlowBucket> flows() override;
  absl::Span<bpf::DrProbe> probes() override;
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
  explicit KernelMapStore(std::string directory) : directory_(std::move(directory)) {}
  int Fd(const char* name) const { return maps_.at(name).get(); }
  std::string RingPath(uint32_t id) const;
  // The identifier of a service's ring; 0 = it has none.
  absl::StatusOr<uint32_t> RingId(RingKind kind, uint32_t service) const;
  absl::Status RemoveStrayRings();

  const std::string directory_;
  MapDescriptors maps_;
  MappedArray tables_;
  MappedArray port_groups_;
  MappedArray flows_;
  MappedArray probes_;
};

}  // namespace fairlead::dataplane::dr
