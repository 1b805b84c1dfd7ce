// What `fairlead run` does to its own process before any thread exists.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/base/unique_fd.h"

namespace fairlead::cmd {

// Ignores SIGPIPE (a write to a closed connection is an error code, not the end) and blocks SIGTERM
// and SIGINT in this and all later threads; they are read from the returned signalfd(2).
absl::StatusOr<base::UniqueFd> SetUpSignals();

// Raises the soft limit of descriptors to the hard one (a proxied connection takes two) and logs
// both. Returns a warning when the limit is low, else "".
std::string RaiseDescriptorLimit();

}  // namespace fairlead::cmd
