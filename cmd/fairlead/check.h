// `fairlead check PATH`: validates manifests without a daemon and prints every finding with its
// place.
#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "cmd/fairlead/flags.h"
#include "pkg/model/desired_state.h"

namespace fairlead::cmd {

extern const CommandSpec kCheckSpec;

// 0: no error (warnings may be); 1: at least one error; 2: the command line is wrong.
int RunCheck(absl::Span<const std::string> arguments);

// Pure; exposed for tests. One line per finding and the summary:
//   dir/a.yaml:12:10: error: VIP default/dispatcher: spec.ports: port "70000" > 65535
//   3 VIPs, 5 real servers, 1 error, 2 warnings
std::string CheckText(const model::DesiredState& desired, bool colour);
// {"vips": [...], "realServers": [...], "errors": 1, "warnings": 2, "findings": [...]}.
std::string CheckJson(const model::DesiredState& desired);

}  // namespace fairlead::cmd
