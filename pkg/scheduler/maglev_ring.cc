#include "pkg/scheduler/maglev_ring.h"

#include <algorithm>

#include "pkg/scheduler/stable_hash.h"

namespace fairlead::scheduler {
namespace {

constexpr uint64_t kOffsetSeed = 0x6f666673;
constexpr uint64_t kSkipSeed = 0x736b6970;

struct Walk {
  uint32_t next;
  uint32_t skip;  // odd
  double credit = 0;
};

}  // namespace

std::vector<uint16_t> BuildMaglevRing(absl::Span<const MaglevServer> servers,
                                      uint32_t slots_count) {
  std::vector<uint16_t> slots(slots_count, kNoServer);
  double weight_max = 0;
  for (const MaglevServer& server : servers) weight_max = std::max(weight_max, server.weight);
  if (weight_max <= 0) return slots;
  const uint32_t mask = slots_count - 1;
  std::vector<Walk> walks;
  for (const MaglevServer& server : servers) {
    const auto offset = static_cast<uint32_t>(Mix(server.name_hash ^ kOffsetSeed));
    const auto skip = static_cast<uint32_t>(Mix(server.name_hash ^ kSkipSeed));
    walks.push_back({offset & mask, skip | 1});
  }
  // Rounds, as in MaglevTable: the heaviest server takes a slot each, the others as credit allows.
  for (uint32_t filled = 0; filled < slots_count;) {
    for (size_t i = 0; i < servers.size() && filled < slots_count; ++i) {
      Walk& walk = walks[i];
      walk.credit += servers[i].weight / weight_max;
      if (walk.credit < 1) continue;
      walk.credit -= 1;
      while (slots[walk.next] != kNoServer) walk.next = (walk.next + walk.skip) & mask;
      slots[walk.next] = static_cast<uint16_t>(i);
      ++filled;
    }
  }
  return slots;
}

}  // namespace fairlead::scheduler
