// What an edit of the configuration changed, in words for the list of events (the source has
// written the log lines). Pure.
#pragma once

#include <string>
#include <vector>

#include "pkg/controller/event_log.h"
#include "pkg/model/desired_state.h"

namespace fairlead::controller {

// One event per VIP and RealServer that was added, changed (with the fields) or removed, and one
// per finding that `before` did not have. `before` may be null: everything is new. An object that
// only moved inside its file is unchanged.
std::vector<Event> DescribeConfigChange(const model::DesiredState* before,
                                        const model::DesiredState& after);

// The manifest's names of the fields that differ, for example "spec.ports, spec.scheduler".
std::string ChangedFields(const model::Vip& before, const model::Vip& after);
std::string ChangedFields(const model::RealServer& before, const model::RealServer& after);

// Whether both have the same real servers in the same VIPs, at the same places, in the same states,
// and check them alike: then neither records nor checks need a look. Both sorted by id.
bool SameServersAndChecks(const model::DesiredState& before, const model::DesiredState& after);

}  // namespace fairlead::controller
