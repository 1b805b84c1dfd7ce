// HealthSummary: several checks of one real server (`port: Each`) joined into one verdict. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "pkg/health/health_monitor.h"
#include "pkg/model/server_state.h"
#include "pkg/net/port_set.h"

namespace fairlead::controller {

struct HealthSummary {
  model::OperationalState state = model::OperationalState::kUnknown;
  bool unreachable = false;
  net::PortSet ports_up;
  std::string reason;
};

// One report is its own verdict. Several: Up when a port is up, else Unknown while one has no
// verdict, else Down; unreachable only when no port answered at all. The reason counts the ports
// and quotes the first one that is down.
HealthSummary SummarizeHealth(const std::map<uint16_t, health::HealthReport>& reports);

}  // namespace fairlead::controller
