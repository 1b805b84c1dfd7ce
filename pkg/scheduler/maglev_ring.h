// A Maglev table whose size is a power of two, for a data plane that finds a flow's slot by a mask:
// the walk of each server has an odd skip, which is prime to the size, so that it visits every
// slot.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "pkg/scheduler/maglev.h"

namespace fairlead::scheduler {

// An empty slot: no server has a weight.
inline constexpr uint16_t kNoServer = 0xffff;

// `slots_count` slots, each with the position of its server in `servers` (at most 65,534 of them).
// Shares are by weight, exact within a slot per server and round; a server that comes or goes moves
// little besides its own slots. `slots_count` is a power of two.
std::vector<uint16_t> BuildMaglevRing(absl::Span<const MaglevServer> servers, uint32_t slots_count);

}  // namespace fairlead::scheduler
