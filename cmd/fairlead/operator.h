// `fairlead operator`: what is decided once for a whole Kubernetes cluster.
#pragma once

#include <string>

#include "absl/types/span.h"

namespace fairlead::cmd {

int RunOperator(absl::Span<const std::string> arguments);

}  // namespace fairlead::cmd
