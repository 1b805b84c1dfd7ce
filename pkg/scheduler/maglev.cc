#include "pkg/scheduler/maglev.h"

#include <algorithm>
#include <array>

#include "pkg/scheduler/stable_hash.h"

namespace fairlead::scheduler {
namespace {

constexpr std::array<uint32_t, 8> kPrimes = {503, 1009, 2003, 4001, 8009, 16001, 32003, 65537};
constexpr uint16_t kFree = 0xffff;
constexpr uint64_t kSkipSeed = 0x736b6970;  // any constant that differs from the offset's

uint32_t TableSize(size_t servers_count) {
  for (const uint32_t prime : kPrimes) {
    if (prime >= servers_count * 100) return prime;
  }
  return kPrimes.back();
}

// One server's walk over all slots: offset, offset + skip, ... (a permutation: the size is prime).
struct Walk {
  uint32_t next;
  uint32_t skip;
  double credit = 0;  // turns saved up; a turn is taken when it reaches 1
};

}  // namespace

MaglevTable::MaglevTable(absl::Span<const MaglevServer> servers) {
  double weight_max = 0;
  for (const MaglevServer& server : servers) weight_max = std::max(weight_max, server.weight);
  if (weight_max <= 0) return;
  const uint32_t size = TableSize(servers.size());
  std::vector<Walk> walks;
  for (const MaglevServer& server : servers) {
    const uint64_t skip = Mix(server.name_hash ^ kSkipSeed) % (size - 1) + 1;
    walks.push_back({static_cast<uint32_t>(server.name_hash % size), static_cast<uint32_t>(skip)});
  }
  slots_.assign(size, kFree);
  // Rounds: the heaviest server takes a slot each round, the others as their credit allows.
  for (uint32_t filled = 0; filled < size;) {
    for (size_t i = 0; i < servers.size() && filled < size; ++i) {
      Walk& walk = walks[i];
      walk.credit += servers[i].weight / weight_max;
      if (walk.credit < 1) continue;
      walk.credit -= 1;
      while (slots_[walk.next] != kFree) walk.next = (walk.next + walk.skip) % size;
      slots_[walk.next] = static_cast<uint16_t>(i);
      ++filled;
    }
  }
}

}  // namespace fairlead::scheduler
