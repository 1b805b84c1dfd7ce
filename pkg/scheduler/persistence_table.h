// PersistenceTable: which real server a client (prefix) used last. Shared by all shards without a
// lock; bounded; forgets the longest unused first.
//
//   key hash 64 bit:  [ bucket index | tag 24 bit ]
//   bucket: 8 entries of 8 bytes = one cache line:  { tag:24, server:16, last use in seconds:24 }
//
// 131,072 entries are 1 MiB, mapped lazily. Two clients of one bucket with equal tags would share
// an entry: with 14 + 24 bits compared and 8 entries a bucket, that is 5e-7 per look-up, and costs
// a client nothing but another server.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "pkg/base/unique_fd.h"

namespace fairlead::scheduler {

class PersistenceTable {
 public:
  static constexpr uint32_t kBuckets = 1 << 14;
  static constexpr uint32_t kEntriesPerBucket = 8;

  // `shared` is DuplicateFd() of another process's table, or invalid for a new one. Error: the
  // memory cannot be had, or the file is not a table of this layout.
  static absl::StatusOr<std::unique_ptr<PersistenceTable>> Create(base::UniqueFd shared);
  ~PersistenceTable();
  PersistenceTable(const PersistenceTable&) = delete;
  PersistenceTable& operator=(const PersistenceTable&) = delete;

  // A duplicate for another process; invalid when descriptors are short.
  base::UniqueFd DuplicateFd() const;

  // `key` is a well-mixed hash of the VIP and the client's prefix. `now_seconds` counts from any
  // start and may wrap at 2^24 (194 days; time-outs end at 7 days). All functions are thread-safe.
  //
  // The server that `key` used within the last `timeout_seconds`.
  std::optional<uint16_t> Find(uint64_t key, uint32_t now_seconds, uint32_t timeout_seconds) const;
  // Remembers (or refreshes) it; evicts the entry of the bucket that was unused for longest.
  void Remember(uint64_t key, uint16_t server, uint32_t now_seconds);
  void Forget(uint64_t key);

 private:
  struct alignas(64) Bucket {
    std::array<std::atomic<uint64_t>, kEntriesPerBucket> entries{};
  };

  PersistenceTable(base::UniqueFd memory, Bucket* buckets);

  const base::UniqueFd memory_;
  Bucket* const buckets_;  // mapped, kBuckets of them
};

}  // namespace fairlead::scheduler
