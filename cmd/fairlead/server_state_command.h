// `fairlead drain`, `fairlead halt`, `fairlead online`: the state of a real server on this node.
#pragma once

#include <string>

#include "absl/types/span.h"
#include "cmd/fairlead/flags.h"

namespace fairlead::cmd {

extern const CommandSpec kDrainCommand;
extern const CommandSpec kHaltCommand;
extern const CommandSpec kOnlineCommand;

int RunDrain(absl::Span<const std::string> arguments);
int RunHalt(absl::Span<const std::string> arguments);
int RunOnline(absl::Span<const std::string> arguments);

}  // namespace fairlead::cmd
