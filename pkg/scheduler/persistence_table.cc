#include "pkg/scheduler/persistence_table.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"

namespace fairlead::scheduler {
namespace {

constexpr uint64_t kTimeMask = (1u << 24) - 1;

// An entry of all zero is empty: a tag of 0 is stored as 1.
uint64_t TagOf(uint64_t key) {
  const uint64_t tag = (key >> 40) & 0xffffff;
  return tag == 0 ? 1 : tag;
}
uint64_t Pack(uint64_t tag, uint16_t server, uint32_t now) {
  return tag << 40 | uint64_t{server} << 24 | (now & kTimeMask);
}
uint64_t EntryTag(uint64_t entry) { return entry >> 40; }
uint32_t Age(uint64_t entry, uint32_t now) {
  return static_cast<uint32_t>((now - (entry & kTimeMask)) & kTimeMask);
}

}  // namespace

absl::StatusOr<std::unique_ptr<PersistenceTable>> PersistenceTable::Create(base::UniqueFd shared) {
  constexpr off_t kBytes = sizeof(Bucket) * kBuckets;
  base::UniqueFd memory = std::move(shared);
  if (memory.valid()) {
    struct stat status {};
    if (::fstat(memory.get(), &status) != 0 || status.st_size != kBytes) {
      return absl::InvalidArgumentError(absl::StrCat("the other process's persistence table has ",
                                                     status.st_size, " bytes, not ", kBytes));
    }
  } else {
    memory.Reset(::memfd_create("fairlead-persistence", MFD_CLOEXEC));
    if (!memory.valid() || ::ftruncate(memory.get(), kBytes) != 0) {
      return base::LastErrnoStatus("memory for the persistence table");
    }
  }
  void* mapped =
      ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memory.get(), 0);
  if (mapped == MAP_FAILED) return base::LastErrnoStatus("map the persistence table");
  // Fresh memory is zero, and entries of zero are empty: nothing to construct.
  static_assert(std::atomic<uint64_t>::is_always_lock_free);
  return std::unique_ptr<PersistenceTable>(
      new PersistenceTable(std::move(memory), static_cast<Bucket*>(mapped)));
}

PersistenceTable::PersistenceTable(base::UniqueFd memory, Bucket* buckets)
    : memory_(std::move(memory)), buckets_(buckets) {}

PersistenceTable::~PersistenceTable() { ::munmap(buckets_, sizeof(Bucket) * kBuckets); }

base::UniqueFd PersistenceTable::DuplicateFd() const {
  return base::UniqueFd(::fcntl(memory_.get(), F_DUPFD_CLOEXEC, 0));
}

std::optional<uint16_t> PersistenceTable::Find(uint64_t key, uint32_t now_seconds,
                                               uint32_t timeout_seconds) const {
  const Bucket& bucket = buckets_[key % kBuckets];
  for (const auto& slot : bucket.entries) {
    const uint64_t entry = slot.load(std::memory_order_relaxed);
    if (EntryTag(entry) != TagOf(key)) continue;
    if (Age(entry, now_seconds) > timeout_seconds) return std::nullopt;
    return static_cast<uint16_t>(entry >> 24);
  }
  return std::nullopt;
}

void PersistenceTable::Remember(uint64_t key, uint16_t server, uint32_t now_seconds) {
  Bucket& bucket = buckets_[key % kBuckets];
  std::atomic<uint64_t>* victim = &bucket.entries[0];
  uint32_t victim_age = 0;
  for (auto& slot : bucket.entries) {
    const uint64_t entry = slot.load(std::memory_order_relaxed);
    if (EntryTag(entry) == TagOf(key)) {
      victim = &slot;
      break;
    }
    const uint32_t age = entry == 0 ? UINT32_MAX : Age(entry, now_seconds);
    if (age > victim_age) {
      victim = &slot;
      victim_age = age;
    }
  }
  // Two shards that meet here lose one of two fresh entries: that client is placed anew next time.
  victim->store(Pack(TagOf(key), server, now_seconds), std::memory_order_relaxed);
}

void PersistenceTable::Forget(uint64_t key) {
  for (auto& slot : buckets_[key % kBuckets].entries) {
    if (EntryTag(slot.load(std::memory_order_relaxed)) == TagOf(key)) {
      slot.store(0, std::memory_order_relaxed);
    }
  }
}

}  // namespace fairlead::scheduler
