// `fairlead version`, and the version for everybody who shows it.
#pragma once

#include <string>

#include "absl/types/span.h"
#include "cmd/fairlead/flags.h"

namespace fairlead::cmd {

extern const CommandSpec kVersionCommand;

const char* Version();         // "0.1.0"
const char* SourceRevision();  // "" = not known

int RunVersion(absl::Span<const std::string> arguments);

}  // namespace fairlead::cmd
