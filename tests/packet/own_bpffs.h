// OwnBpffs: a BPF file system of one's own, below /tmp, where rings and links are pinned;
// unmounted, with all that is pinned there, on destruction.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace fairlead::dataplane::dr {

class OwnBpffs {
 public:
  // Error: this process may not mount (CAP_SYS_ADMIN).
  static absl::StatusOr<std::unique_ptr<OwnBpffs>> Mount();
  ~OwnBpffs();
  OwnBpffs(const OwnBpffs&) = delete;
  OwnBpffs& operator=(const OwnBpffs&) = delete;

  const std::string& path() const { return path_; }

 private:
  explicit OwnBpffs(std::string path) : path_(std::move(path)) {}

  const std::string path_;
};

}  // namespace fairlead::dataplane::dr
