// Small files: credentials and kubeconfigs.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace fairlead::kube {

inline constexpr size_t kTextFileBytesMax = 4 << 20;  // the bundle of all public CAs has 0.25 MiB

// Thread-safe. The whole content. Errors, with path and cause: NotFound; as errno says; OutOfRange
// (larger than kTextFileBytesMax).
absl::StatusOr<std::string> ReadTextFile(const std::string& path);

}  // namespace fairlead::kube
