// The bpffs below which everything is pinned (mount -t bpf). No state.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace fairlead::dataplane::dr {

bool IsBpffs(const std::string& path);

// Makes `directory`, whose parent is in a bpffs; at /sys/fs/bpf one is mounted when none is there.
// Error: there is none, with what to do.
absl::Status MakeBpfDirectory(const std::string& directory);

// One level, mode 0700. It may be there already.
absl::Status MakeDirectory(const std::string& path);

// Without "." and ".."; none when the directory cannot be read.
std::vector<std::string> NamesIn(const std::string& directory);

std::string ParentOf(const std::string& path);

}  // namespace fairlead::dataplane::dr
