// MapStore: the memory that the BPF program and user space share. Two implementations: the kernel's
// maps (KernelMapStore), and plain memory for tests of what is written into them.
//
// Writes are seen by packets at once. One thread writes; counters may be read by any.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "pkg/dataplane/dr/bpf/dr_maps.h"

namespace fairlead::dataplane::dr {

enum class RingKind { kPresent, kBase };

using ReasonCounts = std::array<uint64_t, bpf::kDrReasons>;

class MapStore {
 public:
  virtual ~MapStore() = default;

  virtual bpf::DrTables& tables() = 0;
  // kDrPortTables * kDrPortGroupsPerTable.
  virtual absl::Span<bpf::DrPortGroup> port_groups() = 0;
  // kDrFlowBuckets. The program changes entries too: read and replace them by atomic operations.
  virtual absl::Span<bpf::DrFlowBucket> flows() = 0;

  // kDrInterfaces. The program changes `stage` too.
  virtual absl::Span<bpf::DrProbe> probes() = 0;

  // Swaps the ring of a service as a whole; none when `slots` is empty, else a power of two of at
  // least kDrRingSlotsMin. Returns when no packet uses the former ring any more (RCU: some 10 ms).
  virtual absl::Status SetRing(RingKind kind, uint32_t service,
                               absl::Span<const uint16_t> slots) = 0;
  // Empty when the service has none.
  virtual absl::StatusOr<std::vector<uint16_t>> GetRing(RingKind kind, uint32_t service) = 0;

  // Where frames for servers behind another interface leave; `place` is ifindex modulo
  // kDrInterfaces, ifindex 0 removes.
  virtual absl::Status SetDevice(uint32_t place, uint32_t ifindex) = 0;

  // Returns when every packet that was on its way is through, so that what was taken out of the
  // tables before may be used anew.
  virtual absl::Status WaitForPackets() = 0;

  // Sums over all CPUs: kDrServers elements.
  virtual absl::StatusOr<std::vector<bpf::DrServerCounts>> ServerCounts() const = 0;
  virtual absl::StatusOr<std::vector<bpf::DrHandshakeCounts>> HandshakeCounts() const = 0;
  // Both are zero from here on, for the next server of this index.
  virtual absl::Status ClearServerCounts(uint32_t server) = 0;
  virtual absl::StatusOr<ReasonCounts> Reasons() const = 0;
};

// Copies `from` over `to` by aligned words of 8 bytes, each at once, so that a packet sees either
// the former or the new value of every word.
template <typename T>
void StoreWords(const T& from, T* to) {
  static_assert(sizeof(T) % sizeof(uint64_t) == 0);
  const auto* source = reinterpret_cast<const char*>(&from);
  auto* target = reinterpret_cast<uint64_t*>(to);
  for (size_t i = 0; i < sizeof(T) / sizeof(uint64_t); ++i) {
    uint64_t word;  // `from` may be aligned for its halves only
    std::memcpy(&word, source + i * sizeof(word), sizeof(word));
    __atomic_store_n(&target[i], word, __ATOMIC_RELEASE);
  }
}

}  // namespace fairlead::dataplane::dr
