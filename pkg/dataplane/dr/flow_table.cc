#include "pkg/dataplane/dr/flow_table.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

namespace fairlead::dataplane::dr {
namespace {

constexpr int kUnitsPerTimeout = 64;
constexpr uint32_t kAgeShiftMin = 24;  // 17 ms

uint64_t ToNs(absl::Duration time) { return static_cast<uint64_t>(absl::ToInt64Nanoseconds(time)); }

uint64_t UnitsOf(absl::Duration time, uint32_t age_shift) { return (ToNs(time) >> age_shift) + 1; }

uint32_t ServerOf(uint64_t entry) { return static_cast<uint32_t>(entry & bpf::kDrFlowServerMask); }

void AddFlows(bpf::DrTables& tables, uint32_t server, int32_t flows) {
  bpf::DrServerLoad& load = tables.loads[server];
  __atomic_fetch_add(&load.active, flows, __ATOMIC_RELAXED);
  __atomic_fetch_add(&tables.vips[load.vip % bpf::kDrServices].active, flows, __ATOMIC_RELAXED);
}

}  // namespace

uint32_t AgeShift(absl::Duration flow_timeout, absl::Duration client_timeout) {
  const uint64_t unit_ns = ToNs(std::max(flow_timeout, client_timeout)) / kUnitsPerTimeout;
  return std::max(kAgeShiftMin, static_cast<uint32_t>(std::bit_width(unit_ns)));
}

FlowTable::FlowTable(MapStore& store)
    : store_(store),
      lives_(bpf::kDrServers),
      drifts_(bpf::kDrServers),
      vip_drifts_(bpf::kDrServices) {}

void FlowTable::SetLife(uint32_t server, absl::Duration flow_timeout,
                        absl::Duration client_timeout) {
  const uint32_t shift = AgeShift(flow_timeout, client_timeout);
  lives_[server] = {shift, UnitsOf(flow_timeout, shift), UnitsOf(client_timeout, shift)};
}

// Unless the program changes it first; keeps the load true.
bool FlowTable::Replace(__u64* entry, uint64_t value, uint64_t wanted) {
  __u64 expected = value;
  if (!__atomic_compare_exchange_n(entry, &expected, __u64{wanted}, false, __ATOMIC_ACQ_REL,
                                   __ATOMIC_RELAXED)) {
    return false;
  }
  if (bpf::DrFlowCounts(value) != 0 && bpf::DrFlowCounts(wanted) == 0) {
    AddFlows(store_.tables(), ServerOf(value), -1);
  }
  return true;
}

void FlowTable::EndFlowsOf(const std::set<uint32_t>& servers) {
  if (servers.empty()) return;
  for (bpf::DrFlowBucket& bucket : store_.flows()) {
    for (__u64& entry : bucket.entries) {
      const __u64 value = __atomic_load_n(&entry, __ATOMIC_RELAXED);
      if (bpf::DrFlowCounts(value) == 0 || servers.count(ServerOf(value)) == 0) continue;
      // No handshake any more: its age counts in the units of the others.
      const __u64 marks = bpf::kDrFlowHandshake;
      Replace(&entry, value, (value & ~marks) | bpf::kDrFlowEnded | DR_FLOW_ESTABLISHED);
    }
  }
}

void FlowTable::ForgetServers(const std::set<uint32_t>& servers) {
  if (servers.empty()) return;
  bpf::DrTables& tables = store_.tables();
  for (bpf::DrFlowBucket& bucket : store_.flows()) {
    for (__u64& entry : bucket.entries) {
      const __u64 value = __atomic_load_n(&entry, __ATOMIC_RELAXED);
      if (value != 0 && servers.count(ServerOf(value)) != 0) Replace(&entry, value, 0);
    }
  }
  for (const uint32_t server : servers) {
    AddFlows(tables, server, -__atomic_load_n(&tables.loads[server].active, __ATOMIC_RELAXED));
    StoreWords(bpf::DrServerLoad{}, &tables.loads[server]);
    lives_[server] = {};
    drifts_[server] = {};
  }
}

bool FlowTable::IsIdle(uint64_t entry, absl::Duration now) const {
  const Life& life = lives_[ServerOf(entry)];
  if (life.age_shift == 0) return false;
  const bool handshake = (entry & bpf::kDrFlowHandshake) != 0;
  const uint64_t age = ToNs(now) >> (handshake ? bpf::kDrHandshakeAgeShift : life.age_shift);
  const uint64_t idle = (age - (entry >> bpf::kDrFlowAgeShift)) & bpf::kDrFlowAgeMask;
  // The program's clock lags by a tick of the kernel: an age just ahead of ours is new.
  if (idle == bpf::kDrFlowAgeMask) return false;
  if (handshake) return idle > kUnitsPerTimeout;
  return idle > ((entry & bpf::kDrFlowClient) != 0 ? life.client_units : life.flow_units);
}

void FlowTable::ForgetIdle(absl::Duration now) {
  const std::vector<int32_t> before = Loads();
  std::vector<int32_t> counted(bpf::kDrServers);
  for (bpf::DrFlowBucket& bucket : store_.flows()) {
    for (__u64& entry : bucket.entries) {
      const __u64 value = __atomic_load_n(&entry, __ATOMIC_RELAXED);
      if (value == 0) continue;
      if (IsIdle(value, now) && Replace(&entry, value, 0)) continue;
      if (bpf::DrFlowCounts(value) != 0) ++counted[ServerOf(value)];
    }
  }
  Heal(before, counted);
  HealVips();
}

std::vector<int32_t> FlowTable::Loads() const {
  std::vector<int32_t> loads(bpf::kDrServers);
  const bpf::DrTables& tables = store_.tables();
  for (uint32_t server = 1; server < bpf::kDrServers; ++server) {
    loads[server] = __atomic_load_n(&tables.loads[server].active, __ATOMIC_RELAXED);
  }
  return loads;
}

// Flows that came or went since `before` are in the present loads: what was counted should lie
// between the two.
void FlowTable::Heal(const std::vector<int32_t>& before, const std::vector<int32_t>& counted) {
  const std::vector<int32_t> after = Loads();
  for (uint32_t server = 1; server < bpf::kDrServers; ++server) {
    const auto [low, high] = std::minmax(before[server], after[server]);
    const int64_t nearest = std::clamp(counted[server], low, high);
    const int64_t correction = TakeDrift(counted[server] - nearest, &drifts_[server]);
    if (correction != 0) AddFlows(store_.tables(), server, static_cast<int32_t>(correction));
  }
}

void FlowTable::HealVips() {
  bpf::DrTables& tables = store_.tables();
  std::vector<int64_t> sums(bpf::kDrServices);
  for (uint32_t server = 1; server < bpf::kDrServers; ++server) {
    const bpf::DrServerLoad& load = tables.loads[server];
    if (load.vip != 0) sums[load.vip] += __atomic_load_n(&load.active, __ATOMIC_RELAXED);
  }
  for (uint32_t vip = 1; vip < bpf::kDrServices; ++vip) {
    const int64_t active = __atomic_load_n(&tables.vips[vip].active, __ATOMIC_RELAXED);
    const int64_t correction = TakeDrift(sums[vip] - active, &vip_drifts_[vip]);
    if (correction == 0) continue;
    __atomic_fetch_add(&tables.vips[vip].active, static_cast<int32_t>(correction),
                       __ATOMIC_RELAXED);
  }
}

// What to add now, or 0. `difference`: how much the truth is above what the load says.
int64_t FlowTable::TakeDrift(int64_t difference, Drift* drift) {
  const bool turned = (difference > 0) != (drift->smallest > 0);
  if (drift->seen == 0 || difference == 0 || turned) *drift = {difference, 0};
  if (difference == 0) return 0;
  if (std::abs(difference) < std::abs(drift->smallest)) drift->smallest = difference;
  if (++drift->seen < kRecountsToHeal) return 0;
  const int64_t correction = drift->smallest;
  *drift = {};
  return correction;
}

}  // namespace fairlead::dataplane::dr
