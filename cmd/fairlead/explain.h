// `fairlead explain`: which real server a client would get, and why.
#pragma once

#include <string>

#include "absl/types/span.h"
#include "cmd/fairlead/flags.h"

namespace fairlead::cmd {

extern const CommandSpec kExplainCommand;

// Exit code 1 when the client would get no server.
int RunExplain(absl::Span<const std::string> arguments);

}  // namespace fairlead::cmd
