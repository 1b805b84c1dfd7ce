#include "pkg/dataplane/dr/kernel_map_store.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <numeric>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"

namespace fairlead::dataplane::dr {
namespace {

constexpr size_t kPortGroupsBytes =
    sizeof(bpf::DrPortGroup) * bpf::kDrPortTables * bpf::kDrPortGroupsPerTable;
constexpr size_t kFlowsBytes = sizeof(bpf::DrFlowBucket) * bpf::kDrFlowBuckets;
constexpr size_t kProbesBytes = sizeof(bpf::DrProbe) * bpf::kDrInterfaces;
constexpr uint32_t kSlotsPerGroup = sizeof(bpf::DrRingGroup) / sizeof(uint16_t);

constexpr char kRingPrefix[] = "ring-";

const char* MapOf(RingKind kind) { return kind == RingKind::kPresent ? "rings" : "bases"; }

// An inner map; it lives as long as a ring map or a descriptor refers to it.
absl::StatusOr<base::UniqueFd> MakeRing(absl::Span<const uint16_t> slots) {
  const auto groups = static_cast<uint32_t>(slots.size() / kSlotsPerGroup);
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_INNER_MAP);
  base::UniqueFd ring(bpf_map_create(BPF_MAP_TYPE_ARRAY, "dr_ring", sizeof(uint32_t),
                                     sizeof(bpf::DrRingGroup), groups, &options));
  if (!ring.valid()) return base::LastErrnoStatus("create a ring map");
  std::vector<uint32_t> keys(groups);
  std::iota(keys.begin(), keys.end(), 0);
  uint32_t count = groups;
  LIBBPF_OPTS(bpf_map_batch_opts, batch);
  if (bpf_map_update_batch(ring.get(), keys.data(), slots.data(), &count, &batch) != 0) {
    return base::LastErrnoStatus("fill a ring map");
  }
  return ring;
}

absl::StatusOr<bpf_map_info> InfoOf(int ring) {
  bpf_map_info info{};
  uint32_t info_bytes = sizeof(info);
  if (bpf_obj_get_info_by_fd(ring, &info, &info_bytes) != 0) {
    return base::LastErrnoStatus("ask what a ring is");
  }
  return info;
}

absl::StatusOr<size_t> PossibleCpus() {
  const int count = libbpf_num_possible_cpus();
  if (count < 0) return base::ErrnoStatus(-count, "count the possible CPUs");
  return static_cast<size_t>(count);
}

// All elements of a per-CPU array whose elements are `Element`, summed by `add`.
template <typename Element, typename Add>
absl::Status SumPerCpu(int fd, uint32_t elements_count, Add add) {
  const absl::StatusOr<size_t> cpus = PossibleCpus();
  if (!cpus.ok()) return cpus.status();
  std::vector<uint32_t> keys(elements_count);
  std::vector<Element> values(elements_count * *cpus);
  uint32_t last_key = 0;
  uint32_t count = elements_count;
  LIBBPF_OPTS(bpf_map_batch_opts, batch);
  const int result =
      bpf_map_lookup_batch(fd, nullptr, &last_key, keys.data(), values.data(), &count, &batch);
  // ENOENT: the end of the map was reached.
  if (result != 0 && errno != ENOENT) return base::LastErrnoStatus("read a counter map");
  for (uint32_t i = 0; i < count; ++i) {
    for (size_t cpu = 0; cpu < *cpus; ++cpu) add(keys[i], values[i * *cpus + cpu]);
  }
  return absl::OkStatus();
}

}  // namespace

MappedArray::MappedArray(MappedArray&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

MappedArray& MappedArray::operator=(MappedArray&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedArray::~MappedArray() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

absl::StatusOr<MappedArray> MappedArray::Map(int fd, size_t bytes) {
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  MappedArray array;
  array.bytes_ = (bytes + page - 1) / page * page;
  void* data = ::mmap(nullptr, array.bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) return base::LastErrnoStatus("mmap of a BPF map");
  array.data_ = data;
  return array;
}

absl::StatusOr<std::unique_ptr<KernelMapStore>> KernelMapStore::Create(MapDescriptors maps,
                                                                       std::string directory) {
  for (const char* name : {"tables", "port_groups", "flows", "rings", "bases", "devices",
                           "server_counts", "handshakes", "reasons", "turns", "probes"}) {
    if (maps.find(name) == maps.end()) {
      return absl::NotFoundError(absl::StrCat("the BPF map \"", name, "\" is missing"));
    }
  }
  std::unique_ptr<KernelMapStore> store(new KernelMapStore(std::move(directory)));
  store->maps_ = std::move(maps);
  const struct {
    const char* name;
    size_t bytes;
    MappedArray* array;
  } mapped[] = {{"tables", sizeof(bpf::DrTables), &store->tables_},
                {"port_groups", kPortGroupsBytes, &store->port_groups_},
                {"flows", kFlowsBytes, &store->flows_},
                {"probes", kProbesBytes, &store->probes_}};
  for (const auto& map : mapped) {
    absl::StatusOr<MappedArray> array = MappedArray::Map(store->Fd(map.name), map.bytes);
    if (!array.ok()) return array.status();
    *map.array = *std::move(array);
  }
  if (absl::Status status = store->RemoveStrayRings(); !status.ok()) return status;
  return store;
}

// A process that ended between pinning and putting in, or between replacing and taking away.
absl::Status KernelMapStore::RemoveStrayRings() {
  std::set<std::string> in_use;
  for (const RingKind kind : {RingKind::kPresent, RingKind::kBase}) {
    for (uint32_t service = 0; service < bpf::kDrServices; ++service) {
      const absl::StatusOr<uint32_t> id = RingId(kind, service);
      if (!id.ok()) return id.status();
      if (*id != 0) in_use.insert(absl::StrCat(kRingPrefix, *id));
    }
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory_.c_str()), &::closedir);
  if (stream == nullptr) return base::LastErrnoStatus(absl::StrCat("read ", directory_));
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name.rfind(kRingPrefix, 0) != 0 || in_use.count(name) != 0) continue;
    ::unlink(absl::StrCat(directory_, "/", name).c_str());
  }
  return absl::OkStatus();
}

std::string KernelMapStore::RingPath(uint32_t id) const {
  return absl::StrCat(directory_, "/", kRingPrefix, id);
}

absl::StatusOr<uint32_t> KernelMapStore::RingId(RingKind kind, uint32_t service) const {
  uint32_t id = 0;
  if (bpf_map_lookup_elem(Fd(MapOf(kind)), &service, &id) == 0) return id;
  if (errno == ENOENT) return 0;
  return base::LastErrnoStatus("find a ring");
}

bpf::DrTables& KernelMapStore::tables() { return *static_cast<bpf::DrTables*>(tables_.data()); }

absl::Span<bpf::DrPortGroup> KernelMapStore::port_groups() {
  return {static_cast<bpf::DrPortGroup*>(port_groups_.data()),
          bpf::kDrPortTables * bpf::kDrPortGroupsPerTable};
}

absl::Span<bpf::DrFlowBucket> KernelMapStore::flows() {
  return {static_cast<bpf::DrFlowBucket*>(flows_.data()), bpf::kDrFlowBuckets};
}

absl::Span<bpf::DrProbe> KernelMapStore::probes() {
  return {static_cast<bpf::DrProbe*>(probes_.data()), bpf::kDrInterfaces};
}

absl::Status KernelMapStore::SetRing(RingKind kind, uint32_t service,
                                     absl::Span<const uint16_t> slots) {
  const absl::StatusOr<uint32_t> before = RingId(kind, service);
  if (!before.ok()) return before.status();
  if (slots.empty()) {
    if (*before == 0) return absl::OkStatus();
    if (bpf_map_delete_elem(Fd(MapOf(kind)), &service) != 0 && errno != ENOENT) {
      return base::LastErrnoStatus("take out a ring");
    }
    ::unlink(RingPath(*before).c_str());
    return absl::OkStatus();
  }
  const absl::StatusOr<base::UniqueFd> ring = MakeRing(slots);
  if (!ring.ok()) return ring.status();
  const int fd = ring->get();
  const absl::StatusOr<bpf_map_info> info = InfoOf(fd);
  if (!info.ok()) return info.status();
  const std::string path = RingPath(info->id);
  if (bpf_obj_pin(fd, path.c_str()) != 0) return base::LastErrnoStatus("pin a ring");
  if (bpf_map_update_elem(Fd(MapOf(kind)), &service, &fd, BPF_ANY) != 0) {
    const absl::Status status = base::LastErrnoStatus("put in a ring");
    ::unlink(path.c_str());
    return status;
  }
  if (*before != 0) ::unlink(RingPath(*before).c_str());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<uint16_t>> KernelMapStore::GetRing(RingKind kind, uint32_t service) {
  const absl::StatusOr<uint32_t> id = RingId(kind, service);
  if (!id.ok()) return id.status();
  if (*id == 0) return std::vector<uint16_t>();
  const base::UniqueFd ring(bpf_obj_get(RingPath(*id).c_str()));
  if (!ring.valid()) return base::LastErrnoStatus(absl::StrCat("open ", RingPath(*id)));
  const absl::StatusOr<bpf_map_info> info = InfoOf(ring.get());
  if (!info.ok()) return info.status();
  std::vector<uint32_t> keys(info->max_entries);
  std::vector<uint16_t> slots(size_t{info->max_entries} * kSlotsPerGroup);
  uint32_t last_key = 0;
  uint32_t count = info->max_entries;
  LIBBPF_OPTS(bpf_map_batch_opts, batch);
  if (bpf_map_lookup_batch(ring.get(), nullptr, &last_key, keys.data(), slots.data(), &count,
                           &batch) != 0 &&
      errno != ENOENT) {
    return base::LastErrnoStatus("read a ring");
  }
  return slots;
}

absl::Status KernelMapStore::SetDevice(uint32_t place, uint32_t ifindex) {
  if (ifindex == 0) {
    if (bpf_map_delete_elem(Fd("devices"), &place) != 0 && errno != ENOENT) {
      return base::LastErrnoStatus("take an interface out of the device map");
    }
    return absl::OkStatus();
  }
  if (bpf_map_update_elem(Fd("devices"), &place, &ifindex, BPF_ANY) != 0) {
    return base::LastErrnoStatus(absl::StrCat("put interface ", ifindex, " into the device map"));
  }
  return absl::OkStatus();
}

// An update of a map of maps returns after an RCU grace period (kernel/bpf/syscall.c,
// maybe_wait_bpf_programs: "userspace ... knows that all programs that could be running use the new
// map value"). Ring 0 is of no service.
absl::Status KernelMapStore::WaitForPackets() {
  const std::vector<uint16_t> nothing(bpf::kDrRingSlotsMin);
  return SetRing(RingKind::kPresent, 0, nothing);
}

absl::StatusOr<std::vector<bpf::DrServerCounts>> KernelMapStore::ServerCounts() const {
  std::vector<bpf::DrServerCounts> sums(bpf::kDrServers);
  const absl::Status status =
      SumPerCpu<bpf::DrServerCounts>(Fd("server_counts"), bpf::kDrServers,
                                     [&](uint32_t server, const bpf::DrServerCounts& counts) {
                                       sums[server].packets += counts.packets;
                                       sums[server].bytes += counts.bytes;
                                       sums[server].flows += counts.flows;
                                       sums[server].recorded += counts.recorded;
                                     });
  if (!status.ok()) return status;
  return sums;
}

absl::StatusOr<std::vector<bpf::DrHandshakeCounts>> KernelMapStore::HandshakeCounts() const {
  std::vector<bpf::DrHandshakeCounts> sums(bpf::kDrServers);
  const absl::Status status =
      SumPerCpu<bpf::DrHandshakeCounts>(Fd("handshakes"), bpf::kDrServers,
                                        [&](uint32_t server, const bpf::DrHandshakeCounts& counts) {
                                          sums[server].watched += counts.watched;
                                          sums[server].progressed += counts.progressed;
                                        });
  if (!status.ok()) return status;
  return sums;
}

absl::Status KernelMapStore::ClearServerCounts(uint32_t server) {
  const absl::StatusOr<size_t> cpus = PossibleCpus();
  if (!cpus.ok()) return cpus.status();
  const std::vector<bpf::DrServerCounts> zeros(*cpus);
  const std::vector<bpf::DrHandshakeCounts> no_handshakes(*cpus);
  if (bpf_map_update_elem(Fd("server_counts"), &server, zeros.data(), BPF_ANY) != 0 ||
      bpf_map_update_elem(Fd("handshakes"), &server, no_handshakes.data(), BPF_ANY) != 0) {
    return base::LastErrnoStatus("clear the counters of a real server");
  }
  return absl::OkStatus();
}

absl::StatusOr<ReasonCounts> KernelMapStore::Reasons() const {
  ReasonCounts sums{};
  const absl::Status status =
      SumPerCpu<uint64_t>(Fd("reasons"), bpf::kDrReasons,
                          [&](uint32_t reason, uint64_t count) { sums[reason] += count; });
  if (!status.ok()) return status;
  return sums;
}

}  // namespace fairlead::dataplane::dr
