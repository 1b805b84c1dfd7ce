// ServerWays: how each server of a VIP in mode Auto is reached, as far as the controller sees it:
// what the DR data plane lacks, and what changed. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "pkg/controller/event_log.h"
#include "pkg/controller/server_records.h"
#include "pkg/dataplane/data_plane.h"
#include "pkg/dataplane/forwarding_plan.h"

namespace fairlead::controller {

// Of every server that the DR data plane has looked at: what it lacks on the way there; "" =
// nothing.
std::vector<std::pair<ServerKey, std::string>> WayProblems(
    const dataplane::ForwardingPlan& plan, const dataplane::PlaneObservation& observation);

// One event per server of a VIP that was in mode Auto before and is still, and that is reached in
// another way now. `before` may be null.
std::vector<Event> DescribeWayChanges(const dataplane::ForwardingPlan* before,
                                      const dataplane::ForwardingPlan& after);

}  // namespace fairlead::controller
