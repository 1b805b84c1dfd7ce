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

// How many turns a server may be behind the virtual time: one that was away gets its share, and at
// most this much of what it missed. With least connections a server is passed over for a moment all
// the time, because it has a connection too many, and must get those turns back: over many of them
// its share would else fall short of its weight. The rule of the loads keeps that from being a
// burst.
inline constexpr double kTurnsBehindRoundRobin = 1;
inline constexpr double kTurnsBehindLeastConnections = 64;

// The finish time that a candidate would have after this connection. `now` is the virtual time of
// the scheduler.
inline double NextFinish(const Candidate& candidate, double now, double turns_behind) {
  const double turn = 1.0 / candidate.weight;
  const double earliest = now - turns_behind * turn;
  const double start = candidate.finish > earliest ? candidate.finish : earliest;
  return start + turn;
}

// Each returns a position in `candidates`, which must not be empty.

// The lowest NextFinish: interleaved shares by weight.
size_t PickWeightedRoundRobin(absl::Span<const Candidate> candidates, double now);
// The weighted turn among those with the fewest connections for their weight, to within one
// connection: whose connections/weight is below the lowest (connections + 1)/weight. The lowest
// connections/weight alone would favour light servers (it hands every server a first connection
// whatever its weight: Adams' way to apportion seats), by 41 points of share for weights 100:10
// and two connections at a time. This way no server is ever more than one connection ahead, and
// shares of short connections are those of the round robin.
size_t PickWeightedLeastConnections(absl::Span<const Candidate> candidates, double now);
// Weighted rendezvous (highest random weight) hashing: a server that goes moves only its own
// clients (Thaler, Ravishankar 1998; weights as in Schindelhauer, Schomaker 2005).
size_t PickRendezvous(absl::Span<const Candidate> candidates, uint64_t key);

}  // namespace fairlead::scheduler
