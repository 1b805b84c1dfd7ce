// `fairlead takeover` and `fairlead standby`: a planned switch of the pair.
#pragma once

#include <string>

#include "absl/types/span.h"
#include "cmd/fairlead/flags.h"

namespace fairlead::cmd {

extern const CommandSpec kTakeoverCommand;
extern const CommandSpec kStandbyCommand;

int RunTakeover(absl::Span<const std::string> arguments);
int RunStandby(absl::Span<const std::string> arguments);

}  // namespace fairlead::cmd
