// `fairlead prepare-realserver`: prints the script that makes a server ready for direct routing.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "cmd/fairlead/flags.h"
#include "pkg/serverkit/request.h"

namespace fairlead::cmd {

extern const CommandSpec kPrepareRealserverCommand;

// 0; 1: the VIP object is not there or the configuration cannot be read; 2: the command line is
// wrong. Nothing is printed on stdout unless the whole script is.
int RunPrepareRealserver(absl::Span<const std::string> arguments);

// What the flags ask for, without the addresses of --config. Errors (InvalidArgument) name the
// flag. Exposed for tests.
absl::StatusOr<serverkit::Request> PrepareRequest(const Flags& flags);

}  // namespace fairlead::cmd
