// Maglev consistent hashing (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load
// Balancer", NSDI 2016, §3.4) with weights. Immutable after construction.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace fairlead::scheduler {

struct MaglevServer {
  uint64_t name_hash = 0;
  double weight = 0;  // 0 = owns no slot
};

class MaglevTable {
 public:
  // At most 65,535 servers. The size is a prime of at least 100 slots per server, so that shares
  // are exact within about 1 % of a server's own (paper §5.3), 65,537 at most.
  explicit MaglevTable(absl::Span<const MaglevServer> servers);

  bool empty() const { return slots_.empty(); }
  size_t size() const { return slots_.size(); }
  // The server (position in the constructor's list) of the `attempt`-th slot for `key`: 0 is the
  // owner; higher attempts walk on to other slots, for when the owner cannot serve. Not empty.
  uint16_t Lookup(uint64_t key, uint32_t attempt = 0) const {
    return slots_[(key + attempt) % slots_.size()];
  }

 private:
  std::vector<uint16_t> slots_;
};

}  // namespace fairlead::scheduler
