#include "pkg/dataplane/dr/ring_window.h"

#include <algorithm>

#include "pkg/dataplane/dr/bpf/dr_maps.h"

namespace fairlead::dataplane::dr {
namespace {

uint16_t Owner(uint16_t slot) { return slot & bpf::kDrSlotServer; }
bool IsDirty(uint16_t slot) { return (slot & bpf::kDrSlotDirty) != 0; }
uint16_t Dirty(uint16_t owner) { return static_cast<uint16_t>(owner | bpf::kDrSlotDirty); }

std::vector<uint16_t> Owners(const std::vector<uint16_t>& ring) {
  std::vector<uint16_t> owners(ring.size());
  std::transform(ring.begin(), ring.end(), owners.begin(), Owner);
  return owners;
}

}  // namespace

bool HasOwners(const RingState& state, absl::Span<const uint16_t> owners) {
  return std::equal(state.present.begin(), state.present.end(), owners.begin(), owners.end(),
                    [](uint16_t slot, uint16_t owner) { return Owner(slot) == owner; });
}

RingState ChangeOwners(const RingState& state, absl::Span<const uint16_t> owners) {
  RingState changed = {{owners.begin(), owners.end()}, state.base};
  if (state.present.size() != owners.size()) return {changed.present, {}};
  bool any_dirty = false;
  for (size_t i = 0; i < owners.size(); ++i) {
    const uint16_t before = state.present[i];
    const bool moved = Owner(before) != owners[i] && Owner(before) != 0;
    if (!moved && !IsDirty(before)) continue;
    changed.present[i] = Dirty(owners[i]);
    any_dirty = true;
  }
  if (any_dirty && changed.base.empty()) changed.base = Owners(state.present);
  return changed;
}

RingState MakeAllDirty(const RingState& state) {
  RingState dirty = state;
  for (uint16_t& slot : dirty.present) slot = Dirty(slot);
  if (dirty.base.empty()) dirty.base = Owners(state.present);
  return dirty;
}

RingState EndWindow(const RingState& state,
                    const std::function<bool(uint32_t slot, uint16_t owner)>& has_foreign_flow) {
  RingState ended = {Owners(state.present), {}};
  bool any_dirty = false;
  for (size_t i = 0; i < ended.present.size(); ++i) {
    if (!IsDirty(state.present[i])) continue;
    if (!has_foreign_flow(static_cast<uint32_t>(i), ended.present[i])) continue;
    ended.present[i] = Dirty(ended.present[i]);
    any_dirty = true;
  }
  // What is unrecorded from now on began after the last change, with the present owner.
  if (any_dirty) ended.base = Owners(ended.present);
  return ended;
}

}  // namespace fairlead::dataplane::dr
