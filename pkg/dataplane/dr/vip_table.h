// The table that finds a VIP by address and protocol in one load: user space looks for a seed under
// which no two of them share a place. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "pkg/dataplane/dr/bpf/dr_maps.h"
#include "pkg/net/ip_address.h"

namespace fairlead::dataplane::dr {

struct VipKey {
  net::IpAddress address;
  uint8_t protocol = 0;
  friend bool operator==(const VipKey&, const VipKey&) = default;
  friend auto operator<=>(const VipKey&, const VipKey&) = default;
};

// Without its port table.
bpf::DrVipSlot MakeVipSlot(const VipKey& key);
// Error: InvalidArgument when the slot holds none.
absl::StatusOr<VipKey> KeyOfVipSlot(const bpf::DrVipSlot& slot);

struct VipTable {
  __u64 seed[2] = {};
  std::vector<bpf::DrVipSlot> slots;  // kDrVipSlots
};

// At most kDrPortTables slots, which are distinct. The search ends: 64 in 1,024 places need 8 tries
// at the mean. Error: Internal after 10,000 tries.
absl::StatusOr<VipTable> BuildVipTable(absl::Span<const bpf::DrVipSlot> vips);

}  // namespace fairlead::dataplane::dr
