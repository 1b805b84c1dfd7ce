// The table of subcommands: what main dispatches on, and what help and completion list.
#pragma once

#include <string>

#include "absl/types/span.h"
#include "cmd/fairlead/flags.h"

namespace fairlead::cmd {

struct Command {
  CommandSpec spec;
  int (*run)(absl::Span<const std::string> arguments);  // returns the exit code
};

// In the order of the help.
absl::Span<const Command> AllCommands();

// The whole command line after the program's name; returns the exit code.
int RunCommandLine(absl::Span<const std::string> arguments);

}  // namespace fairlead::cmd
