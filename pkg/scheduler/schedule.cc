#include "pkg/scheduler/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "pkg/scheduler/stable_hash.h"

namespace fairlead::scheduler {

size_t PickWeightedRoundRobin(absl::Span<const Candidate> candidates, double now) {
  size_t best = 0;
  double best_finish = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < candidates.size(); ++i) {
    const double finish = NextFinish(candidates[i], now, kTurnsBehindRoundRobin);
    if (finish < best_finish) {
      best = i;
      best_finish = finish;
    }
  }
  return best;
}

size_t PickWeightedLeastConnections(absl::Span<const Candidate> candidates, double now) {
  double load_limit = std::numeric_limits<double>::infinity();
  for (const Candidate& candidate : candidates) {
    load_limit = std::min(load_limit, (candidate.connections + 1.0) / candidate.weight);
  }
  size_t best = 0;
  double best_finish = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < candidates.size(); ++i) {
    // The one that made the limit is below it, so that there is a best one.
    if (candidates[i].connections / candidates[i].weight >= load_limit) continue;
    const double finish = NextFinish(candidates[i], now, kTurnsBehindLeastConnections);
    if (finish < best_finish) {
      best = i;
      best_finish = finish;
    }
  }
  return best;
}

size_t PickRendezvous(absl::Span<const Candidate> candidates, uint64_t key) {
  size_t best = 0;
  double best_score = -1;
  for (size_t i = 0; i < candidates.size(); ++i) {
    // 53 bits to a number in (0, 1): never 0, so that the logarithm is finite.
    const uint64_t bits = Mix(key ^ candidates[i].name_hash) >> 11;
    const double uniform = (static_cast<double>(bits) + 0.5) * 0x1.0p-53;
    const double score = candidates[i].weight / -std::log(uniform);
    if (score > best_score) {
      best = i;
      best_score = score;
    }
  }
  return best;
}

}  // namespace fairlead::scheduler
