// SettleTimer: when to read after files have changed. Soon, so that an edit is in force at once,
// but not in the middle of a change: editors write in several steps, and a copy takes a while.
// Pure: the caller gives the (monotonic) time. Used on one thread.
//
//   a file was closed after writing, renamed into place ...   + 15 ms
//   a manifest is gone and may come back under its name       + 50 ms
//   further events                                            postpone, to 80 ms after the first
//   somebody writes a manifest and has not closed it yet      until it is closed, at most 1 s
//
// 80 ms leave 20 ms for reading and decoding within the promised 100 ms.
#pragma once

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fairlead::source {

inline constexpr absl::Duration kSettle = absl::Milliseconds(15);
inline constexpr absl::Duration kSettleAfterRemoval = absl::Milliseconds(50);
inline constexpr absl::Duration kSettleMax = absl::Milliseconds(80);
inline constexpr absl::Duration kWriterMax = absl::Seconds(1);

class SettleTimer {
 public:
  // Something changed that has no file name of its own (a link was swapped, events were lost).
  void OnChange(absl::Duration now);
  // A manifest is complete under this name: closed after writing, renamed or linked into place.
  void OnComplete(absl::string_view name, absl::Duration now);
  // A manifest was written to and its writer still has it open.
  void OnWrite(absl::string_view name, absl::Duration now);
  void OnRemoval(absl::string_view name, absl::Duration now);

  // When to read; InfiniteDuration when nothing has changed.
  absl::Duration due() const;
  // It was read.
  void Reset();

 private:
  bool pending_ = false;
  absl::Duration first_;
  absl::Duration last_;
  absl::flat_hash_set<std::string> removed_;
  absl::flat_hash_map<std::string, absl::Duration> open_writes_;  // name -> first write
};

}  // namespace fairlead::source
