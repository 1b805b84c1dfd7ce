// The checks of one real server along direct routing, one for each address of the VIP, joined into
// one verdict, and that with the plain check's. Pure.
#pragma once

#include <map>
#include <string>

#include "pkg/controller/health_summary.h"
#include "pkg/health/health_monitor.h"
#include "pkg/model/server_state.h"
#include "pkg/net/ip_address.h"

namespace fairlead::controller {

// What the path check of a server is for.
enum class PathUse {
  kNone,     // nothing: another mode, checks of type None, or the server is this host
  kDecides,  // mode DR: without the path the server is of no use
  kAdvises   // mode Auto: the plan chooses between DR and SNAT by it
};

struct PathSummary {
  model::OperationalState state = model::OperationalState::kUnknown;
  // The checks cannot be made (no CAP_NET_RAW), and never could: they have no say.
  bool impossible = false;
  std::string reason;
};

// By VIP address; not empty. Down when one of them is, for a client may come to any; else Unknown
// while one is; else Up. The reason is of the first that says so.
PathSummary SummarizePath(const std::map<net::IpAddress, health::HealthReport>& reports);

// The plain verdict with the path's:
//
//   plain \ path | Up       Down   Unknown   impossible
//   Up           | Up       Down   Unknown   Up
//   Unknown      | Unknown  Down   Unknown   Unknown
//   Down         | Down     Down   Down      Down
//
// The reason names the check that decided. `unreachable` and ports are the plain check's.
HealthSummary JoinPath(HealthSummary plain, const PathSummary& path);

}  // namespace fairlead::controller
