// What `kubectl fairlead` says of VIPs and RealServers, from the objects as the API server has
// them. Pure. The status is the operator's and the daemons'; where it is missing or of an older
// version of the object, that is said.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace fairlead::cmd {

struct ClusterObjects {
  std::vector<nlohmann::json> vips;
  std::vector<nlohmann::json> real_servers;
};

struct ClusterTextOptions {
  bool colour = false;
  bool wide = false;  // one row more for each daemon of a VIP
  absl::Time now;
};

// One sentence, the VIPs, and the real servers of every source; problems first.
std::string ClusterStatusText(const ClusterObjects& objects, const ClusterTextOptions& options);

// Whether an object is ready, its conditions, what each daemon or VIP says, and what to do.
struct Explained {
  bool ready = false;
  std::string text;
};
Explained ExplainVip(const nlohmann::json& vip, const ClusterTextOptions& options);
Explained ExplainRealServer(const nlohmann::json& server, const ClusterTextOptions& options);

// How far a new spec.state is in force, by the RealServer's status.
struct StateProgress {
  bool done = false;
  std::string sentence;  // "Drain is in force in 1 of 2 VIPs"
};
StateProgress ProgressOf(const nlohmann::json& server);

}  // namespace fairlead::cmd
