// The ring of a service through its changes: which slots are dirty, and the base ring that flows
// which began before the window still follow. Pure; see bpf/choose.bpf.h for what the program does
// by it.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/types/span.h"

namespace fairlead::dataplane::dr {

// Slots are server indexes with kDrSlotDirty, as in the maps; 0 = no server.
struct RingState {
  std::vector<uint16_t> present;  // empty: the service has no ring yet
  std::vector<uint16_t> base;     // empty: no window is open
  friend bool operator==(const RingState&, const RingState&) = default;
};

// Whether the slots have these owners already.
bool HasOwners(const RingState& state, absl::Span<const uint16_t> owners);

// Gives the slots new owners. A slot that changes hands becomes dirty, and stays dirty through
// further changes, back to its first owner too; the base is the ring before the first of them. A
// slot without an owner before had no flows, so that it stays clean.
RingState ChangeOwners(const RingState& state, absl::Span<const uint16_t> owners);

// Opens a window in which every slot is dirty: flows may be recorded with other servers than the
// owners of their slots.
RingState MakeAllDirty(const RingState& state);

// The window has passed: what began before it has ended. Slots become clean, but for those of
// which `has_foreign_flow` says that a recorded flow lives with another server than the owner.
RingState EndWindow(const RingState& state,
                    const std::function<bool(uint32_t slot, uint16_t owner)>& has_foreign_flow);

}  // namespace fairlead::dataplane::dr
