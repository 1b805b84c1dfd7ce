// `fairlead run`: the daemon.
#pragma once

#include <string>

#include "absl/types/span.h"

namespace fairlead::cmd {

int RunRun(absl::Span<const std::string> arguments);

}  // namespace fairlead::cmd
