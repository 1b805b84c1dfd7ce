// `fairlead status`: what a running daemon does, problems first.
#pragma once

#include <string>

#include "absl/types/span.h"
#include "cmd/fairlead/flags.h"

namespace fairlead::cmd {

extern const CommandSpec kStatusCommand;

int RunStatus(absl::Span<const std::string> arguments);

}  // namespace fairlead::cmd
