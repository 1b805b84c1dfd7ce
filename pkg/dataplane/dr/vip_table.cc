#include "pkg/dataplane/dr/vip_table.h"

#include <netinet/in.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "pkg/scheduler/stable_hash.h"

namespace fairlead::dataplane::dr {
namespace {

constexpr uint64_t kTriesMax = 10'000;

bool Place(absl::Span<const bpf::DrVipSlot> vips, VipTable* table) {
  table->slots.assign(bpf::kDrVipSlots, {});
  for (const bpf::DrVipSlot& vip : vips) {
    bpf::DrVipSlot& slot = table->slots[bpf::DrVipIndex(vip.address, vip.kind, table->seed)];
    if (slot.kind != 0) return false;
    slot = vip;
  }
  return true;
}

}  // namespace

bpf::DrVipSlot MakeVipSlot(const VipKey& key) {
  bpf::DrVipSlot slot{};
  const auto bytes = key.address.bytes();
  auto* words = reinterpret_cast<uint8_t*>(slot.address);
  std::memcpy(words + sizeof(slot.address) - bytes.size(), bytes.data(), bytes.size());
  slot.kind = key.protocol | (key.address.is_ipv4() ? 0 : bpf::kDrVipIpv6);
  return slot;
}

absl::StatusOr<VipKey> KeyOfVipSlot(const bpf::DrVipSlot& slot) {
  if (slot.kind == 0) return absl::InvalidArgumentError("the slot holds no VIP");
  const auto* bytes = reinterpret_cast<const uint8_t*>(slot.address);
  VipKey key;
  key.protocol = static_cast<uint8_t>(slot.kind & 0xff);
  key.address = (slot.kind & bpf::kDrVipIpv6) != 0
                    ? net::IpAddress::FromBytes(absl::MakeConstSpan(bytes, 16))
                    : net::IpAddress::FromBytes(absl::MakeConstSpan(bytes + 12, 4));
  return key;
}

absl::StatusOr<VipTable> BuildVipTable(absl::Span<const bpf::DrVipSlot> vips) {
  VipTable table;
  for (uint64_t attempt = 1; attempt <= kTriesMax; ++attempt) {
    table.seed[0] = scheduler::Mix(2 * attempt) | 1;
    table.seed[1] = scheduler::Mix(2 * attempt + 1) | 1;
    if (Place(vips, &table)) return table;
  }
  return absl::InternalError(absl::StrCat("no collision-free seed for ", vips.size(), " VIPs"));
}

}  // namespace fairlead::dataplane::dr
