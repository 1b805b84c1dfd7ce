// The program as a plugin of kubectl: called as kubectl-fairlead (a link to it in the PATH), it
// speaks to the API server instead of a daemon. It changes nothing but RealServer.spec.state.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "cmd/fairlead/commands.h"

namespace fairlead::cmd {

// Whether argv[0] is that of the plugin.
bool IsKubectlPlugin(absl::string_view program);

// In the order of the help.
absl::Span<const Command> KubectlCommands();

// The command line after the program's name; returns the exit code.
int RunKubectlCommandLine(absl::Span<const std::string> arguments);

}  // namespace fairlead::cmd
