#include "pkg/dataplane/dr/map_writer.h"

#include <netinet/in.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/dataplane/dr/load_writer.h"
#include "pkg/scheduler/maglev_ring.h"
#include "pkg/scheduler/stable_hash.h"

namespace fairlead::dataplane::dr {
namespace {

constexpr size_t kPorts = 65536;
constexpr uint32_t kPortsPerGroup = 4;
// So many slots per server keep shares within 1 %.
constexpr uint32_t kSlotsPerServer = 128;
uint64_t NameHash(absl::string_view name) {
  const uint64_t hash = scheduler::StableHash(name);
  return hash == 0 ? 1 : hash;  // 0 marks a free index
}

uint64_t ServerHash(const std::string& vip, const std::string& server) {
  return NameHash(absl::StrCat(vip, "\n", server));
}

// The index that has this name, or the first free one; 0 = none is free. Index 0 is never used.
uint32_t FindOrAllocate(absl::Span<const __u64> names, uint64_t name,
                        const std::set<uint32_t>& taken) {
  const auto found = std::find(names.begin() + 1, names.end(), name);
  if (found != names.end()) return static_cast<uint32_t>(found - names.begin());
  for (uint32_t index = 1; index < names.size(); ++index) {
    if (names[index] == 0 && taken.count(index) == 0) return index;
  }
  return 0;
}

uint32_t FindName(absl::Span<const __u64> names, uint64_t name) {
  const auto found = std::find(names.begin() + 1, names.end(), name);
  return found == names.end() ? 0 : static_cast<uint32_t>(found - names.begin());
}

uint32_t RingSlots(size_t servers_count) {
  const auto wanted = std::bit_ceil(static_cast<uint32_t>(servers_count) * kSlotsPerServer);
  return std::clamp(wanted, uint32_t{bpf::kDrRingSlotsMin}, uint32_t{bpf::kDrRingSlotsMax});
}

uint64_t ToNs(absl::Duration time) { return static_cast<uint64_t>(absl::ToInt64Nanoseconds(time)); }

bpf::DrServer MakeServer(const ServerEntry& entry) {
  bpf::DrServer server{};
  std::memcpy(server.mac, entry.link.mac.data(), entry.link.mac.size());
  std::memcpy(server.source_mac, entry.link.source_mac.data(), entry.link.source_mac.size());
  server.interface = static_cast<uint16_t>(entry.link.ifindex % bpf::kDrInterfaces);
  server.flags = static_cast<uint16_t>(bpf::kDrServerUsable | entry.link.vlan |
                                       (entry.link.local ? bpf::kDrServerLocal : 0) |
                                       (entry.held ? bpf::kDrServerHeld : 0));
  return server;
}

void FillClientMask(const ServiceEntry& entry, bpf::DrService* service) {
  std::array<uint8_t, 16> mask{};
  for (int bit = 0; bit < entry.client_prefix_length && bit < 128; ++bit) {
    mask[static_cast<size_t>(bit / 8)] |= static_cast<uint8_t>(0x80 >> bit % 8);
  }
  if (entry.family == net::IpFamily::kIpv4) {
    std::memcpy(&service->client_mask_ipv4, mask.data(), sizeof(service->client_mask_ipv4));
  } else {
    std::memcpy(service->client_mask_ipv6, mask.data(), sizeof(service->client_mask_ipv6));
  }
}

}  // namespace

std::string ServiceEntry::Key() const {
  return absl::StrCat(vip, " ", protocol == IPPROTO_TCP ? "TCP" : "UDP", " ",
                      family == net::IpFamily::kIpv4 ? "IPv4" : "IPv6");
}

MapWriter::MapWriter(MapStore& store, std::array<uint64_t, 2> secret)
    : store_(store), rings_(bpf::kDrServices), servers_of_(bpf::kDrServices), flow_table_(store) {
  bpf::DrTables& tables = store_.tables();
  if (tables.config.layout_version != 0) return;
  std::copy(secret.begin(), secret.end(), tables.notes.secret);
  tables.config.fragment_key[0] = scheduler::Mix(secret[0] ^ secret[1]);
  tables.config.fragment_key[1] = scheduler::Mix(secret[1] + 1);
  tables.config.layout_version = bpf::kDrLayoutVersion;
}

absl::Status MapWriter::Adopt() {
  bpf::DrTables& tables = store_.tables();
  for (uint32_t index = 1; index < bpf::kDrServices; ++index) {
    if (tables.notes.service_names[index] == 0) continue;
    auto present = store_.GetRing(RingKind::kPresent, index);
    auto base = store_.GetRing(RingKind::kBase, index);
    if (!present.ok()) return present.status();
    if (!base.ok()) return base.status();
    rings_[index] = {*std::move(present), *std::move(base)};
  }
  const uint32_t half = tables.config.vip_half & 1;
  for (uint32_t place = 0; place < bpf::kDrVipSlots; ++place) {
    const bpf::DrVipSlot& slot = tables.vip_slots[half * bpf::kDrVipSlots + place];
    const auto key = KeyOfVipSlot(slot);
    if (key.ok()) port_tables_[*key] = slot.port_table;
  }
  return absl::OkStatus();
}

std::vector<absl::Status> MapWriter::Apply(const std::vector<ServiceEntry>& entries,
                                           absl::Duration now) {
  std::vector<absl::Status> statuses(entries.size());
  Wanted wanted;
  wanted.ports.resize(bpf::kDrPortTables);
  std::vector<size_t> entry_of;
  for (size_t i = 0; i < entries.size(); ++i) {
    statuses[i] = Plan(entries[i], &wanted);
    if (statuses[i].ok()) entry_of.push_back(i);
  }
  for (size_t i = 0; i < wanted.services.size(); ++i) {
    const PlannedService& service = wanted.services[i];
    WriteServers(service);
    WriteService(service, WriteLoads(service));
    statuses[entry_of[i]].Update(WriteRing(service, now));
  }
  WritePorts(wanted);
  absl::Status common = WriteVips(wanted);
  RetireServers(wanted);
  common.Update(RemoveOthers(wanted));
  for (absl::Status& status : statuses) status.Update(common);
  return statuses;
}

absl::Status MapWriter::Plan(const ServiceEntry& entry, Wanted* wanted) {
  bpf::DrNotes& notes = store_.tables().notes;
  PlannedService planned{&entry, 0, 0, {}};
  planned.index =
      FindOrAllocate(notes.service_names, NameHash(entry.Key()), wanted->service_indexes);
  planned.vip = FindOrAllocate(notes.vip_names, NameHash(entry.vip), wanted->vip_indexes);
  if (planned.index == 0 || planned.vip == 0) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "more than ", bpf::kDrServices - 1, " services of VIPs in mode DR; use fewer VIPs"));
  }
  std::set<uint32_t> servers = wanted->server_indexes;
  for (const ServerEntry& server : entry.servers) {
    const uint32_t index =
        FindOrAllocate(notes.server_names, ServerHash(entry.vip, server.name), servers);
    if (index == 0) {
      return absl::ResourceExhaustedError(
          absl::StrCat("more than ", bpf::kDrServers - 1, " real servers in mode DR; use fewer"));
    }
    servers.insert(index);
    planned.servers.push_back(index);
  }
  if (absl::Status status = PlanPorts(entry, planned.index, wanted); !status.ok()) return status;
  wanted->service_indexes.insert(planned.index);
  wanted->server_indexes = std::move(servers);
  wanted->vip_indexes.insert(planned.vip);
  notes.service_names[planned.index] = NameHash(entry.Key());
  notes.vip_names[planned.vip] = NameHash(entry.vip);
  for (size_t i = 0; i < entry.servers.size(); ++i) {
    notes.server_names[planned.servers[i]] = ServerHash(entry.vip, entry.servers[i].name);
    flow_table_.SetLife(planned.servers[i], entry.idle_timeout, entry.client_timeout);
  }
  servers_of_[planned.index] = {planned.servers.begin(), planned.servers.end()};
  wanted->services.push_back(std::move(planned));
  return absl::OkStatus();
}

absl::Status MapWriter::PlanPorts(const ServiceEntry& entry, uint32_t service, Wanted* wanted) {
  std::map<VipKey, uint32_t> tables = wanted->port_tables;
  for (const net::IpAddress& address : entry.addresses) {
    const VipKey key{address, entry.protocol};
    if (tables.count(key) != 0) continue;
    // A table is taken while the VIP table in force or the wanted one leads to it.
    std::set<uint32_t> taken;
    for (const auto& [other, table] : port_tables_) taken.insert(table);
    for (const auto& [other, table] : tables) taken.insert(table);
    const auto held = port_tables_.find(key);
    uint32_t table = held != port_tables_.end() ? held->second : 0;
    if (held == port_tables_.end()) {
      while (taken.count(table) != 0) ++table;
    }
    if (table >= bpf::kDrPortTables) {
      return absl::ResourceExhaustedError(
          absl::StrCat("more than ", bpf::kDrPortTables,
                       " pairs of address and protocol in mode DR; use fewer addresses"));
    }
    tables[key] = table;
  }
  for (const net::IpAddress& address : entry.addresses) {
    std::vector<uint16_t>& ports = wanted->ports[tables.at({address, entry.protocol})];
    if (ports.empty()) ports.resize(kPorts);
    for (const net::PortRange& range : entry.ports.ranges()) {
      std::fill(ports.begin() + range.first, ports.begin() + range.last + 1,
                static_cast<uint16_t>(service));
    }
  }
  wanted->port_tables = std::move(tables);
  return absl::OkStatus();
}

void MapWriter::WriteServers(const PlannedService& service) {
  for (size_t i = 0; i < service.servers.size(); ++i) {
    const ServerEntry& entry = service.entry->servers[i];
    if (entry.usable) StoreWords(MakeServer(entry), &store_.tables().servers[service.servers[i]]);
  }
}

// Before the service and its ring, which lead to them. Returns how many candidates there are.
uint32_t MapWriter::WriteLoads(const PlannedService& service) {
  const ServiceEntry& entry = *service.entry;
  bpf::DrTables& tables = store_.tables();
  WriteVipLimit(entry.connections_max, &tables.vips[service.vip]);
  for (size_t i = 0; i < service.servers.size(); ++i) {
    WriteLimits(entry.servers[i], service.vip, &tables.loads[service.servers[i]]);
  }
  if (KeepsRing(service)) return tables.services[service.index].candidates;
  for (size_t i = 0; i < service.servers.size(); ++i) {
    const double weight = entry.servers[i].usable ? entry.servers[i].weight : 0;
    WriteWeight(weight, &tables.loads[service.servers[i]]);
  }
  return WriteCandidates(entry.servers, service.servers, service.index, &tables);
}

bool MapWriter::KeepsRing(const PlannedService& service) const {
  return service.entry->keep_ring && !rings_[service.index].present.empty();
}

void MapWriter::WriteService(const PlannedService& service, uint32_t candidates) {
  const ServiceEntry& entry = *service.entry;
  bpf::DrTables& tables = store_.tables();
  bpf::DrService record = tables.services[service.index];
  const uint64_t name = tables.notes.service_names[service.index];
  record.hash_key[0] = scheduler::Mix(tables.notes.secret[0] ^ name);
  record.hash_key[1] = scheduler::Mix(tables.notes.secret[1] ^ name);
  if (record.ring_mask == 0) record.ring_mask = RingSlots(entry.servers.size()) - 1;
  // A service that is tracked no longer still is until its slots are dirty: see WriteRing.
  record.flags = entry.flags | (record.flags & bpf::kDrServiceTracked);
  record.age_shift = AgeShift(entry.idle_timeout, entry.client_timeout);
  record.vip = service.vip;
  record.candidates = candidates;
  FillClientMask(entry, &record);
  StoreWords(record, &tables.services[service.index]);
}

absl::Status MapWriter::WriteRing(const PlannedService& service, absl::Duration now) {
  bpf::DrTables& tables = store_.tables();
  std::vector<scheduler::MaglevServer> weights;
  for (const ServerEntry& server : service.entry->servers) {
    weights.push_back({NameHash(server.name), server.usable ? server.weight : 0});
  }
  bpf::DrService& record = tables.services[service.index];
  std::vector<uint16_t> owners = scheduler::BuildMaglevRing(weights, record.ring_mask + 1);
  for (uint16_t& owner : owners) {
    owner = owner == scheduler::kNoServer ? 0 : static_cast<uint16_t>(service.servers[owner]);
  }
  const RingState& before = rings_[service.index];
  const bool untracks = record.flags != service.entry->flags;
  const bool same = KeepsRing(service) || HasOwners(before, owners);
  if (same && !untracks) return absl::OkStatus();
  RingState after = same ? before : ChangeOwners(before, owners);
  // Flows are where they are recorded, wherever that is.
  if (untracks) after = MakeAllDirty(after);
  if (!after.base.empty()) {
    tables.notes.window_until_ns[service.index] = ToNs(now + service.entry->idle_timeout);
    // Before the ring: the first packet that finds a dirty slot must know what it came from.
    __atomic_store_n(&record.udp_grace_until_ns, ToNs(now + kUdpGrace), __ATOMIC_RELEASE);
  }
  if (absl::Status status = SetRings(service.index, after); !status.ok()) return status;
  __atomic_store_n(&record.flags, service.entry->flags, __ATOMIC_RELEASE);
  return absl::OkStatus();
}

// The base comes before the ring that needs it and goes after the ring that does not.
absl::Status MapWriter::SetRings(uint32_t service, const RingState& state) {
  RingState& known = rings_[service];
  if (!state.base.empty() && state.base != known.base) {
    if (auto status = store_.SetRing(RingKind::kBase, service, state.base); !status.ok()) {
      return status;
    }
    known.base = state.base;
  }
  if (state.present != known.present) {
    if (auto status = store_.SetRing(RingKind::kPresent, service, state.present); !status.ok()) {
      return status;
    }
    known.present = state.present;
  }
  if (state.base.empty() && !known.base.empty()) {
    if (auto status = store_.SetRing(RingKind::kBase, service, {}); !status.ok()) return status;
    known.base.clear();
  }
  return absl::OkStatus();
}

// Of every table that a packet may be led to; what is no longer wanted becomes "not served".
void MapWriter::WritePorts(const Wanted& wanted) {
  const absl::Span<bpf::DrPortGroup> groups = store_.port_groups();
  std::set<uint32_t> tables;
  for (const auto& [key, table] : port_tables_) tables.insert(table);
  for (const auto& [key, table] : wanted.port_tables) tables.insert(table);
  for (const uint32_t table : tables) {
    const std::vector<uint16_t>& ports = wanted.ports[table];
    bpf::DrPortGroup* const first = &groups[table * bpf::kDrPortGroupsPerTable];
    for (uint32_t i = 0; i < bpf::kDrPortGroupsPerTable; ++i) {
      bpf::DrPortGroup group{};
      if (!ports.empty()) std::copy_n(&ports[i * kPortsPerGroup], kPortsPerGroup, group.services);
      if (std::memcmp(&group, &first[i], sizeof(group)) != 0) StoreWords(group, &first[i]);
    }
  }
}

absl::Status MapWriter::WriteVips(const Wanted& wanted) {
  if (wanted.port_tables == port_tables_) return absl::OkStatus();
  std::vector<bpf::DrVipSlot> vips;
  for (const auto& [key, table] : wanted.port_tables) {
    vips.push_back(MakeVipSlot(key));
    vips.back().port_table = table;
  }
  const absl::StatusOr<VipTable> table = BuildVipTable(vips);
  if (!table.ok()) return table.status();
  bpf::DrTables& tables = store_.tables();
  const uint32_t idle = 1 - (tables.config.vip_half & 1);
  for (uint32_t i = 0; i < bpf::kDrVipSlots; ++i) {
    StoreWords(table->slots[i], &tables.vip_slots[idle * bpf::kDrVipSlots + i]);
  }
  std::copy(std::begin(table->seed), std::end(table->seed), tables.config.vip_seed[idle]);
  __atomic_store_n(&tables.config.vip_half, idle, __ATOMIC_RELEASE);
  port_tables_ = wanted.port_tables;
  return store_.WaitForPackets();
}

// After the rings: a new flow must not find a server gone that its slot still names.
void MapWriter::RetireServers(const Wanted& wanted) {
  std::set<uint32_t> retired;
  for (const PlannedService& service : wanted.services) {
    for (size_t i = 0; i < service.servers.size(); ++i) {
      bpf::DrServer& server = store_.tables().servers[service.servers[i]];
      if (service.entry->servers[i].usable || server.flags == 0) continue;
      StoreWords(bpf::DrServer{}, &server);
      retired.insert(service.servers[i]);
    }
  }
  flow_table_.EndFlowsOf(retired);
}

absl::Status MapWriter::RemoveOthers(const Wanted& wanted) {
  bpf::DrTables& tables = store_.tables();
  std::set<uint32_t> services;
  std::set<uint32_t> servers;
  for (uint32_t index = 1; index < bpf::kDrServices; ++index) {
    const bool in_use = tables.notes.service_names[index] != 0;
    if (in_use && wanted.service_indexes.count(index) == 0) services.insert(index);
  }
  for (uint32_t index = 1; index < bpf::kDrServers; ++index) {
    const bool in_use = tables.notes.server_names[index] != 0;
    if (in_use && wanted.server_indexes.count(index) == 0) servers.insert(index);
  }
  if (services.empty() && servers.empty()) return absl::OkStatus();
  for (const uint32_t index : servers) StoreWords(bpf::DrServer{}, &tables.servers[index]);
  for (const uint32_t index : services) {
    if (auto status = SetRings(index, {}); !status.ok()) return status;
    rings_[index] = {};
    servers_of_[index].clear();
    StoreWords(bpf::DrService{}, &tables.services[index]);
  }
  if (auto status = store_.WaitForPackets(); !status.ok()) return status;
  flow_table_.ForgetServers(servers);
  for (const uint32_t index : servers) {
    if (auto status = store_.ClearServerCounts(index); !status.ok()) return status;
    tables.notes.server_names[index] = 0;
  }
  for (const uint32_t index : services) {
    tables.notes.service_names[index] = 0;
    tables.notes.window_until_ns[index] = 0;
  }
  for (uint32_t index = 1; index < bpf::kDrServices; ++index) {
    if (wanted.vip_indexes.count(index) != 0) continue;
    tables.notes.vip_names[index] = 0;
    StoreWords(bpf::DrVipLoad{}, &tables.vips[index]);
  }
  return absl::OkStatus();
}

absl::Status MapWriter::Tick(absl::Duration now) {
  flow_table_.ForgetIdle(now);
  absl::Status status;
  for (uint32_t index = 1; index < bpf::kDrServices; ++index) {
    const uint64_t until = store_.tables().notes.window_until_ns[index];
    if (until != 0 && until <= ToNs(now)) status.Update(EndPassedWindow(index, now));
  }
  return status;
}

absl::Status MapWriter::EndPassedWindow(uint32_t service, absl::Duration now) {
  bpf::DrTables& tables = store_.tables();
  const RingState& before = rings_[service];
  std::map<uint32_t, std::set<uint16_t>> servers_with_flows;  // by slot
  for (const bpf::DrFlowBucket& bucket : store_.flows()) {
    for (const __u64& entry : bucket.entries) {
      const __u64 value = __atomic_load_n(&entry, __ATOMIC_RELAXED);
      const auto server = static_cast<uint16_t>(value & bpf::kDrFlowServerMask);
      if (servers_of_[service].count(server) == 0) continue;
      // Of another protocol or family of the VIP, perhaps: then a slot stays dirty for nothing.
      const uint32_t slot = bpf::DrRingSlot(value, tables.services[service].ring_mask);
      servers_with_flows[slot].insert(server);
    }
  }
  const RingState after = EndWindow(before, [&](uint32_t slot, uint16_t owner) {
    const auto found = servers_with_flows.find(slot);
    if (found == servers_with_flows.end()) return false;
    return std::any_of(found->second.begin(), found->second.end(),
                       [&](uint16_t server) { return server != owner; });
  });
  // Half of what an age holds: the longest that a flow may have been idle, or more.
  const uint32_t shift = tables.services[service].age_shift;
  const absl::Duration window = absl::Nanoseconds(int64_t{(bpf::kDrFlowAgeMask + 1) / 2} << shift);
  tables.notes.window_until_ns[service] = after.base.empty() ? 0 : ToNs(now + window);
  return SetRings(service, after);
}

uint32_t MapWriter::ServiceIndex(const std::string& key) const {
  return FindName(store_.tables().notes.service_names, NameHash(key));
}

uint32_t MapWriter::ServerIndex(const std::string& vip, const std::string& server) const {
  return FindName(store_.tables().notes.server_names, ServerHash(vip, server));
}

uint32_t MapWriter::VipIndex(const std::string& vip) const {
  return FindName(store_.tables().notes.vip_names, NameHash(vip));
}

const RingState& MapWriter::RingOf(uint32_t service) const { return rings_.at(service); }

}  // namespace fairlead::dataplane::dr
