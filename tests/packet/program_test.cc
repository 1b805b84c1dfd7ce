#include "tests/packet/program_test.h"

#include <bpf/bpf.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace fairlead::dataplane::dr {
namespace {

constexpr uint64_t kVipSeed[2] = {0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f};

void AddressWords(const net::IpAddress& address, uint32_t words[4]) {
  std::fill_n(words, 4, 0);
  std::memcpy(address.is_ipv4() ? &words[3] : words, address.bytes().data(),
              address.bytes().size());
}

}  // namespace

LoadedProgram* ProgramTest::loaded_ = nullptr;
LoadedProgram* ProgramTest::loaded_tc_ = nullptr;
KernelMapStore* ProgramTest::store_ = nullptr;
OwnBpffs* ProgramTest::bpffs_ = nullptr;
std::string ProgramTest::refusal_;

void ProgramTest::SetUpTestSuite() {
  absl::StatusOr<LoadedProgram> loaded = LoadProgram(ProgramKind::kXdp, {});
  if (!loaded.ok()) {
    refusal_ = std::string(loaded.status().message());
    return;
  }
  loaded_ = new LoadedProgram(*std::move(loaded));
  auto bpffs = OwnBpffs::Mount();
  ASSERT_TRUE(bpffs.ok()) << bpffs.status();
  bpffs_ = bpffs->release();
  auto store = KernelMapStore::Create(std::move(loaded_->maps), bpffs_->path());
  ASSERT_TRUE(store.ok()) << store.status();
  store_ = store->release();
  absl::StatusOr<LoadedProgram> tc = LoadProgram(ProgramKind::kTc, store_->maps());
  ASSERT_TRUE(tc.ok()) << tc.status();
  loaded_tc_ = new LoadedProgram(*std::move(tc));
}

void ProgramTest::TearDownTestSuite() {
  delete std::exchange(store_, nullptr);
  delete std::exchange(loaded_, nullptr);
  delete std::exchange(loaded_tc_, nullptr);
  delete std::exchange(bpffs_, nullptr);
}

void ProgramTest::SetUp() {
  if (store_ == nullptr) {
    GTEST_SKIP() << "THE BPF PROGRAM IS NOT TESTED: this host refuses it: " << refusal_;
  }
  std::memset(&tables(), 0, sizeof(tables()));
  for (bpf::DrPortGroup& group : store_->port_groups().first(8 * bpf::kDrPortGroupsPerTable)) {
    group = {};
  }
  for (bpf::DrFlowBucket& bucket : store_->flows()) bucket = {};
  for (bpf::DrProbe& probe : store_->probes()) probe = {};
  std::copy_n(kVipSeed, 2, tables().config.vip_seed[0]);
  tables().config.fragment_key[0] = 0x1111;
  tables().config.fragment_key[1] = 0x2222;
  std::memcpy(tables().interfaces[kArrival].mac, kOwnMac.data(), kOwnMac.size());
  for (uint8_t index = 1; index <= 9; ++index) {
    std::memcpy(server(index).mac, ServerMac(index).data(), 6);
    std::memcpy(server(index).source_mac, kOwnMac.data(), 6);
    server(index).flags = bpf::kDrServerUsable;
    server(index).interface = kArrival;
  }
  AddVip(kVip4, IPPROTO_TCP, 0, {80, 443, 5014, 5015, 5016, 5017, 5018, 5019}, kTcp4);
  AddVip(kVip4, IPPROTO_UDP, 1, {53}, kUdp4);
  AddVip(kVip6, IPPROTO_TCP, 2, {80}, kTcp6);
  AddVip(kVip6, IPPROTO_UDP, 3, {53}, kUdp6);
  for (const uint32_t index : {kTcp4, kUdp4, kTcp6, kUdp6}) {
    service(index).hash_key[0] = 0xfeedULL * index;
    service(index).hash_key[1] = 0xbeefULL * index;
    service(index).ring_mask = bpf::kDrRingSlotsMin - 1;
    service(index).age_shift = 30;
    FillRing(RingKind::kPresent, index, 1);
    ASSERT_TRUE(store_->SetRing(RingKind::kBase, index, {}).ok());
  }
  const auto reasons = store_->Reasons();
  const auto servers = store_->ServerCounts();
  ASSERT_TRUE(reasons.ok() && servers.ok()) << reasons.status() << servers.status();
  reasons_before_ = *reasons;
  servers_before_ = *servers;
}

void ProgramTest::AddVip(const std::string& address, uint32_t protocol, uint32_t port_table,
                         const std::vector<uint16_t>& ports, uint32_t service) {
  const auto parsed = net::IpAddress::Parse(address);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  bpf::DrVipSlot slot{};
  AddressWords(*parsed, slot.address);
  slot.kind = protocol | (parsed->is_ipv4() ? 0 : bpf::kDrVipIpv6);
  slot.port_table = port_table;
  const __u64 seed[2] = {kVipSeed[0], kVipSeed[1]};
  bpf::DrVipSlot& place = tables().vip_slots[bpf::DrVipIndex(slot.address, slot.kind, seed)];
  ASSERT_EQ(place.kind, 0u) << "two VIPs of the test are on one place";
  place = slot;
  for (const uint16_t port : ports) {
    bpf::DrPortGroup& group =
        store_->port_groups()[port_table * bpf::kDrPortGroupsPerTable + port / 4];
    group.services[port % 4] = static_cast<uint16_t>(service);
  }
}

uint64_t ProgramTest::HashOf(uint32_t index, const Flow& flow) {
  uint32_t words[4];
  AddressWords(flow.client, words);
  const bool by_source = (service(index).flags & bpf::kDrServiceBySource) != 0;
  const uint32_t ports = by_source ? 0
                                   : static_cast<uint32_t>(htons(flow.client_port)) |
                                         static_cast<uint32_t>(htons(flow.vip_port)) << 16;
  return flow.vip.is_ipv4() ? bpf::DrHashIpv4(words[3], ports, service(index).hash_key)
                            : bpf::DrHashIpv6(words, ports, service(index).hash_key);
}

uint32_t ProgramTest::SlotOf(uint32_t index, const Flow& flow) {
  return bpf::DrRingSlot(HashOf(index, flow), bpf::kDrRingSlotsMin - 1);
}

void ProgramTest::SetRing(RingKind kind, uint32_t index,
                          const std::function<uint16_t(uint32_t)>& slot_of) {
  std::vector<uint16_t> slots;
  for (uint32_t i = 0; i < bpf::kDrRingSlotsMin; ++i) slots.push_back(slot_of(i));
  const absl::Status status = store_->SetRing(kind, index, slots);
  ASSERT_TRUE(status.ok()) << status;
}

void ProgramTest::FillRing(RingKind kind, uint32_t index, uint16_t slot) {
  SetRing(kind, index, [slot](uint32_t) { return slot; });
}

void ProgramTest::MakeDirty(uint32_t index, uint16_t before, uint16_t after) {
  FillRing(RingKind::kBase, index, before);
  FillRing(RingKind::kPresent, index, static_cast<uint16_t>(after | bpf::kDrSlotDirty));
}

Outcome ProgramTest::Run(const Bytes& frame) { return RunProgram(loaded_->program.get(), frame); }

Outcome ProgramTest::RunTc(const Bytes& frame) {
  return RunProgram(loaded_tc_->program.get(), frame);
}

Outcome ProgramTest::RunProgram(int program, const Bytes& frame) {
  Outcome outcome;
  outcome.frame.resize(frame.size() + 4096);
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(), .data_out = outcome.frame.data(),
              .data_size_in = static_cast<uint32_t>(frame.size()),
              .data_size_out = static_cast<uint32_t>(outcome.frame.size()), .repeat = 1);
  const int result = bpf_prog_test_run_opts(program, &options);
  EXPECT_EQ(result, 0) << std::strerror(errno);
  outcome.verdict = options.retval;
  outcome.frame.resize(options.data_size_out);
  return outcome;
}

int ProgramTest::ServerOf(const Bytes& frame) {
  const Outcome outcome = Run(frame);
  if (outcome.verdict != XDP_TX && outcome.verdict != XDP_REDIRECT) return 0;
  const int index = outcome.frame.size() > 5 ? outcome.frame[5] : 0;
  Bytes wanted = frame;
  std::copy_n(ServerMac(static_cast<uint8_t>(index)).begin(), 6, wanted.begin());
  std::copy_n(reinterpret_cast<const uint8_t*>(server(index).source_mac), 6, wanted.begin() + 6);
  EXPECT_EQ(outcome.frame, wanted) << "more than the MACs changed, or another MAC";
  return outcome.frame == wanted ? index : 0;
}

uint64_t ProgramTest::Count(uint32_t reason) {
  const auto counts = store_->Reasons();
  EXPECT_TRUE(counts.ok()) << counts.status();
  return counts.ok() ? (*counts)[reason] - reasons_before_[reason] : 0;
}

bpf::DrServerCounts ProgramTest::ServerCounts(uint32_t index) {
  const auto counts = store_->ServerCounts();
  EXPECT_TRUE(counts.ok()) << counts.status();
  if (!counts.ok()) return {};
  bpf::DrServerCounts now = (*counts)[index];
  const bpf::DrServerCounts& before = servers_before_[index];
  return {now.packets - before.packets, now.bytes - before.bytes, now.flows - before.flows,
          now.recorded - before.recorded};
}

void ProgramTest::ExpectVerdict(const Bytes& frame, uint32_t verdict, uint32_t reason, int line) {
  const uint64_t before = Count(reason);
  const Outcome outcome = Run(frame);
  EXPECT_EQ(outcome.verdict, verdict) << "line " << line;
  EXPECT_EQ(outcome.frame, frame) << "line " << line;
  EXPECT_EQ(Count(reason), before + 1) << "line " << line;
}

std::vector<uint64_t> ProgramTest::Flows() {
  std::vector<uint64_t> entries;
  for (const bpf::DrFlowBucket& bucket : store_->flows()) {
    for (const uint64_t entry : bucket.entries) {
      if (entry != 0) entries.push_back(entry);
    }
  }
  return entries;
}

}  // namespace fairlead::dataplane::dr
