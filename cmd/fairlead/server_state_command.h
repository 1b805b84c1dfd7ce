// `fairlead drain`, `fairlead halt`, `fairlead online`: the state of a real server on this node.
#pragma once

#include <string>

#include "absl/types/span.h"
#include "cmd/fairlead/flags.h"

namespace fairlead::cmd {

extern const CommandSpec kDrainCommand;
extern const CommandSpec kHaltCommand;
extern const CommandSpec kOnlineCommand;

// Who runs this command, for the daemon's log; "" when that has no name here (a container).
std::string UserName();

int RunDrain(absl::Span<const std::string> arguments);
int RunHalt(absl::Span<const std::string> arguments);
int RunOnline(absl::Span<const std::string> arguments);

}  // namespace fairlead::cmd
