// Turns errno values into absl::Status with the failing call and, where it is known, the likely
// cause and its fix.
#pragma once

#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fairlead::base {

// `error` is a positive errno value (errno(3)); `what` names the call and its object, for example
// `bind 10.0.0.1:80`. The message reads "<what>: <strerror> (E...)".
absl::Status ErrnoStatus(int error, absl::string_view what);

inline absl::Status LastErrnoStatus(absl::string_view what) { return ErrnoStatus(errno, what); }

}  // namespace fairlead::base
