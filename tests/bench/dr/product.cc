#include "tests/bench/dr/product.h"

#include <bpf/bpf.h>
#include <netinet/in.h>

#include <cstdlib>
#include <fstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "pkg/base/errno_status.h"
#include "pkg/model/presets.h"

namespace fairlead::bench {
namespace {

using dataplane::dr::Mac;
using dataplane::dr::ServerEntry;
using dataplane::dr::ServiceEntry;

constexpr uint32_t kPrintServers = 300;
constexpr uint32_t kOtherVips = 16;
constexpr uint32_t kOtherServers = 16;
constexpr absl::Duration kNow = absl::Seconds(1);
constexpr std::array<uint64_t, 2> kSecret = {0x243f6a8885a308d3, 0x13198a2e03707344};

// The first half of the servers takes the flows, the other half stands by; see ChangeEveryOwner().
std::vector<ServerEntry> MakeServers(uint32_t count, uint32_t ifindex, const Mac& own_mac) {
  std::vector<ServerEntry> servers;
  for (uint32_t i = 0; i < count; ++i) {
    ServerEntry server;
    server.name = absl::StrCat("srv-", i);
    server.weight = i < count / 2 ? 100 : 0;
    server.usable = true;
    server.link.mac = {2, 0, 0, 1, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)};
    server.link.source_mac = own_mac;
    server.link.ifindex = ifindex;
    servers.push_back(std::move(server));
  }
  return servers;
}

ServiceEntry MakeService(const std::string& vip, const std::string& address, uint8_t protocol) {
  ServiceEntry entry;
  entry.vip = vip;
  entry.protocol = protocol;
  entry.addresses = {*net::IpAddress::Parse(address)};
  entry.family = entry.addresses[0].family();
  entry.ports = PrintPorts();
  entry.idle_timeout = absl::Hours(1);
  return entry;
}

absl::StatusOr<uint64_t> Memlock(int fd) {
  const std::string path = absl::StrCat("/proc/self/fdinfo/", fd);
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    absl::string_view value = line;
    uint64_t bytes = 0;
    if (absl::ConsumePrefix(&value, "memlock:") && absl::SimpleAtoi(value, &bytes)) return bytes;
  }
  return absl::NotFoundError(absl::StrCat(path, " says nothing of memlock"));
}

// Of the rings that a map of maps holds.
absl::StatusOr<uint64_t> MemlockOfRings(int fd) {
  uint64_t bytes = 0;
  for (uint32_t key = 0; key < dataplane::dr::bpf::kDrServices; ++key) {
    uint32_t id = 0;
    if (bpf_map_lookup_elem(fd, &key, &id) != 0) continue;
    const base::UniqueFd ring(bpf_map_get_fd_by_id(id));
    if (!ring.valid()) return base::LastErrnoStatus("open a ring by its id");
    const absl::StatusOr<uint64_t> ring_bytes = Memlock(ring.get());
    if (!ring_bytes.ok()) return ring_bytes.status();
    bytes += *ring_bytes;
  }
  return bytes;
}

}  // namespace

const net::PortSet& PrintPorts() {
  static const auto& ports =
      *new net::PortSet(*net::PortSet::Parse(model::FindPreset("konica-minolta")->ports));
  return ports;
}

absl::StatusOr<std::unique_ptr<Product>> Product::Create(uint32_t ifindex, const Mac& own_mac) {
  auto loaded = dataplane::dr::LoadProgram(dataplane::dr::ProgramKind::kXdp, {});
  if (!loaded.ok()) return loaded.status();
  auto bpffs = dataplane::dr::OwnBpffs::Mount();
  if (!bpffs.ok()) return bpffs.status();
  auto store = dataplane::dr::KernelMapStore::Create(std::move(loaded->maps), (*bpffs)->path());
  if (!store.ok()) return store.status();
  std::unique_ptr<Product> product(new Product());
  product->program_ = std::move(loaded->program);
  product->bpffs_ = *std::move(bpffs);
  product->store_ = *std::move(store);
  product->writer_ = std::make_unique<dataplane::dr::MapWriter>(*product->store_, kSecret);
  for (const uint8_t protocol : {uint8_t{IPPROTO_TCP}, uint8_t{IPPROTO_UDP}}) {
    product->entries_.push_back(MakeService("default/print", kVip4, protocol));
    product->entries_.back().servers = MakeServers(kPrintServers, ifindex, own_mac);
    product->entries_.push_back(MakeService("default/print-6", kVip6, protocol));
    product->entries_.back().servers = MakeServers(kPrintServers, ifindex, own_mac);
  }
  for (uint32_t i = 0; i < kOtherVips; ++i) {
    product->entries_.push_back(MakeService(absl::StrCat("default/other-", i),
                                            absl::StrCat("10.10.20.", i + 1), IPPROTO_TCP));
    product->entries_.back().servers = MakeServers(kOtherServers, ifindex, own_mac);
  }
  if (absl::Status status = product->Apply(); !status.ok()) return status;
  return product;
}

absl::Status Product::Apply() {
  absl::Status all;
  for (const absl::Status& status : writer_->Apply(entries_, kNow)) all.Update(status);
  return all;
}

absl::Status Product::ChangeEveryOwner() {
  for (ServiceEntry& entry : entries_) {
    for (ServerEntry& server : entry.servers) server.weight = 100 - server.weight;
  }
  return Apply();
}

absl::StatusOr<Product::Forwarded> Product::CountForwarded() const {
  const auto counts = store_->ServerCounts();
  if (!counts.ok()) return counts.status();
  Forwarded forwarded;
  for (const auto& server : *counts) {
    forwarded.packets += server.packets;
    forwarded.recorded += server.recorded;
  }
  return forwarded;
}

absl::StatusOr<uint64_t> Product::MapBytes() const {
  uint64_t bytes = 0;
  for (const auto& [name, fd] : store_->maps()) {
    const absl::StatusOr<uint64_t> map_bytes = Memlock(fd.get());
    if (!map_bytes.ok()) return map_bytes.status();
    bytes += *map_bytes;
    if (name != "rings" && name != "bases") continue;
    const absl::StatusOr<uint64_t> ring_bytes = MemlockOfRings(fd.get());
    if (!ring_bytes.ok()) return ring_bytes.status();
    bytes += *ring_bytes;
  }
  return bytes;
}

}  // namespace fairlead::bench
