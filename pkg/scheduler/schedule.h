// The choice among real servers that may serve: pure functions over a list of candidates. Who is a
// candidate (state, limits, port) is decided before.
#pragma once

#include <cstdint>

#include "absl/types/span.h"

namespace fairlead::scheduler {

// `index` is the caller's name for the server. `finish` is its virtual finish time: it rises by
// 1/weight with each connection, so that equal times mean shares by weight (Demers, Keshav,
// Shenker: "Analysis and simulation of a fair queueing algorithm", SIGCOMM 1989).
struct Candidate {
  uint32_t index = 0;
  double weight = 0;         // > 0
  uint32_t connections = 0;  // now, on all shards
  double finish = 0;         // after its last connection, on this shard
  uint64_t name_hash = 0;    // StableHash of its name
};

// The finish time that a candidate would have after this connection. `now` is the virtual time of
// the scheduler: a server that was away joins at most one turn behind, so that it gets its share
// and not everything that it missed.
inline double NextFinish(const Candidate& candidate, double now) {
  const double turn = 1.0 / candidate.weight;
  const double start = candidate.finish > now - turn ? candidate.finish : now - turn;
  return start + turn;
}

// Each returns a position in `candidates`, which must not be empty.

// The lowest NextFinish: interleaved shares by weight.
size_t PickWeightedRoundRobin(absl::Span<const Candidate> candidates, double now);
// The lowest connections/weight; ties by the round robin, so that an idle VIP spreads by weight
// too.
size_t PickWeightedLeastConnections(absl::Span<const Candidate> candidates, double now);
// Weighted rendezvous (highest random weight) hashing: a server that goes moves only its own
// clients (Thaler, Ravishankar 1998; weights as in Schindelhauer, Schomaker 2005).
size_t PickRendezvous(absl::Span<const Candidate> candidates, uint64_t key);

}  // namespace fairlead::scheduler
