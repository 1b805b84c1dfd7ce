// Tells in the log what a new configuration changes.
#pragma once

#include "pkg/model/desired_state.h"

namespace fairlead::source {

// One line per object that was added, changed or removed, per finding that is new and per object
// that keeps its last good version; at most kChangeLinesMax lines of each, then their number.
inline constexpr int kChangeLinesMax = 50;
void LogChanges(const model::DesiredState& before, const model::DesiredState& after);

}  // namespace fairlead::source
