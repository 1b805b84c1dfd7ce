// From a service of the ForwardingPlan to the entries of the maps. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "absl/time/time.h"
#include "pkg/dataplane/dr/service_entry.h"
#include "pkg/dataplane/forwarding_plan.h"

namespace fairlead::dataplane::dr {

// Whether the program serves it, wholly or (mode Auto) its direct half.
bool Forwards(const PlanService& service);

// By PlanServer::id, and by PlanService::id that of the fallback server (IdRegistry numbers both as
// one); servers whose way is not known are absent.
using ServerLinks = std::map<uint32_t, ServerLink>;

// The fallback server in the maps; no real server can have this name. It is one of them that gets
// new flows only while none of the others does, so that its flows stay when they come back.
inline constexpr char kFallbackName[] = "(fallback)";

// Whether the program records every flow of the service, so that it knows how many run: least
// connections, weighted round robin, persistence, limits.
bool RecordsEveryFlow(const PlanService& service);

// One entry for each protocol and address family that the service has. `now` is monotonic: a server
// whose sessions are cut by then is not usable, and neither is one that is down or has no link.
std::vector<ServiceEntry> TranslateService(const PlanService& service, const ServerLinks& links,
                                           absl::Duration now);

}  // namespace fairlead::dataplane::dr
