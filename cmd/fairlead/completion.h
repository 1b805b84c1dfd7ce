// `fairlead completion bash|zsh|fish`: the shell's completion script, from the table of commands.
#pragma once

#include <string>

#include "absl/types/span.h"
#include "cmd/fairlead/flags.h"

namespace fairlead::cmd {

extern const CommandSpec kCompletionCommand;

int RunCompletion(absl::Span<const std::string> arguments);

// Pure; exposed for tests. "" for an unknown shell.
std::string CompletionScript(absl::string_view shell);

}  // namespace fairlead::cmd
