// The two halves of a service in mode Auto: what the proxy is told of it and what the program in
// the kernel is told. Pure.
//
//   client ──> program ──ring──> srv-1, srv-2      way kDirect: by their weights
//                     └────────> this host ──> proxy ──> srv-3, srv-4
//                                by the sum of the proxied ones' weights
#pragma once

#include <memory>

#include "pkg/dataplane/forwarding_plan.h"

namespace fairlead::dataplane {

// In the program's half: the server that stands for the proxied ones. No object can have this name.
inline constexpr char kThisHost[] = "this host";

// Every server. New clients get the proxied ones; while none of those may serve, a client that came
// up here all the same gets a direct one. Sessions and persistent clients of a server that became
// direct stay with it.
std::shared_ptr<const PlanService> ProxyHalf(const PlanService& service);

// Every server, of which the direct ones take new flows: the others keep what runs directly to
// them, until their check along the direct path fails. Behind them kThisHost, which is usable
// always, so that proxied flows stay proxied.
std::shared_ptr<const PlanService> DirectHalf(const PlanService& service);

}  // namespace fairlead::dataplane
