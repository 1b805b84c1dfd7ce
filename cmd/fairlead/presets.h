// `fairlead presets [NAME]`: the vendor port lists that `presets:` of a VIP takes.
#pragma once

#include <string>

#include "absl/types/span.h"
#include "cmd/fairlead/flags.h"
#include "pkg/model/presets.h"

namespace fairlead::cmd {

extern const CommandSpec kPresetsSpec;

// 0; 1: there is no such preset; 2: the command line is wrong.
int RunPresets(absl::Span<const std::string> arguments);

// Pure; exposed for tests.
std::string PresetsText(absl::Span<const model::Preset> presets, bool colour);
std::string PresetsJson(absl::Span<const model::Preset> presets);

}  // namespace fairlead::cmd
