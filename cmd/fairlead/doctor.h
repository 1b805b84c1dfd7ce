// `fairlead doctor`: what this host gives Fairlead, what that means, and how to change it.
#pragma once

#include <string>

#include "absl/types/span.h"
#include "cmd/fairlead/flags.h"
#include "pkg/doctor/finding.h"

namespace fairlead::cmd {

extern const CommandSpec kDoctorCommand;

// 0: no problem (warnings may be); 1: at least one; 2: the command line is wrong.
int RunDoctor(absl::Span<const std::string> arguments);

// Pure; exposed for tests.
std::string DoctorText(const doctor::Findings& findings, bool colour);
// {"problems": 1, "warnings": 2, "findings": [{"state": ..., "subject": ..., "seen": ..., "fix"}]}.
std::string DoctorJson(const doctor::Findings& findings);

}  // namespace fairlead::cmd
