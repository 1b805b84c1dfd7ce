// LineSplitter: bytes as they arrive into lines. One thread.
#pragma once

#include <cstddef>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace fairlead::kube {

// An object has at most 1.5 MiB in etcd; as JSON, with room.
inline constexpr size_t kLineBytesMax = 16 << 20;

class LineSplitter {
 public:
  using OnLine = absl::FunctionRef<bool(absl::string_view line)>;

  explicit LineSplitter(size_t line_bytes_max) : line_bytes_max_(line_bytes_max) {}

  // Calls `on_line` for each line that `data` completes, without its end, empty ones left out.
  // False: `on_line` had enough (returned false), or a line is too long (`overflowed`).
  bool Add(absl::string_view data, OnLine on_line);
  // The bytes end: what follows the last line end is a line, too.
  void End(OnLine on_line);
  bool overflowed() const { return overflowed_; }

 private:
  const size_t line_bytes_max_;
  std::string begun_;  // a line without its end
  bool overflowed_ = false;
};

}  // namespace fairlead::kube
