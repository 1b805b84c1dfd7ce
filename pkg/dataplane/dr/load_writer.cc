#include "pkg/dataplane/dr/load_writer.h"

#include <algorithm>
#include <cmath>

namespace fairlead::dataplane::dr {
namespace {

template <typename T>
void Store(T value, T* word) {
  if (*word != value) __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

}  // namespace

void WriteLimits(const ServerEntry& server, uint32_t vip, bpf::DrServerLoad* load) {
  Store(__u32{vip}, &load->vip);
  const uint32_t limit = server.connections_max;
  const uint32_t below_limit = limit == 0 ? 0 : limit - 1;
  const uint32_t resume =
      server.connections_min == 0 ? below_limit : std::min(server.connections_min, below_limit);
  const bool changes = load->connections_max != limit || load->connections_resume != resume;
  Store(__u32{resume}, &load->connections_resume);
  Store(__u32{limit}, &load->connections_max);
  // By other limits it was full, or was not.
  if (changes) Store(__u32{limit != 0 && ActiveFlows(load->active) >= limit}, &load->full);
}

void WriteVipLimit(uint32_t connections_max, bpf::DrVipLoad* load) {
  Store(__u32{connections_max}, &load->connections_max);
}

void WriteWeight(double weight, bpf::DrServerLoad* load) {
  const double units = weight * bpf::kDrWeightUnit;
  Store(weight <= 0 ? __u32{0} : std::max(__u32{1}, static_cast<__u32>(std::lround(units))),
        &load->weight);
}

uint32_t WriteCandidates(absl::Span<const ServerEntry> servers, absl::Span<const uint32_t> indexes,
                         uint32_t service, bpf::DrTables* tables) {
  uint32_t count = 0;
  for (size_t i = 0; i < servers.size(); ++i) {
    if (!servers[i].usable || servers[i].weight <= 0) continue;
    if (count < bpf::kDrCandidatesMax) {
      Store(static_cast<__u16>(indexes[i]), &tables->candidates[service][count]);
    }
    ++count;
  }
  return count;
}

bool IsFull(const bpf::DrServerLoad& load) {
  return load.full != 0 && ActiveFlows(load.active) > load.connections_resume;
}

uint64_t ActiveFlows(const int32_t& active) {
  return static_cast<uint64_t>(std::max(0, __atomic_load_n(&active, __ATOMIC_RELAXED)));
}

}  // namespace fairlead::dataplane::dr
