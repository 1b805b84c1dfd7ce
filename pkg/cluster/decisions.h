// Decide: from everything that is known of the cluster to everything that is to be written. Pure:
// the same cluster gives the same decisions, and none once they have been carried out.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "pkg/cluster/catalog.h"
#include "pkg/cluster/node_liveness.h"
#include "pkg/cluster/service_vips.h"
#include "pkg/cluster/write.h"
#include "pkg/kube/reflector.h"

namespace fairlead::cluster {

struct ClusterState {
  std::vector<kube::KubeObjectPtr> vips;
  std::vector<kube::KubeObjectPtr> real_servers;
  std::vector<kube::KubeObjectPtr> pools;
  std::vector<kube::KubeObjectPtr> services;
  // False: Services cannot be listed (no right, no such API). Then nothing is done for them, and
  // nothing taken from them.
  bool services_known = false;
};

// Figures of one decision, for metrics.
struct DecisionFigures {
  uint64_t vips = 0;
  uint64_t vips_accepted = 0;
  uint64_t vips_programmed = 0;
  uint64_t vips_ready = 0;
  uint64_t real_servers = 0;
  uint64_t services = 0;  // that are ours
  std::map<std::string, PoolUse> pools;
};

// Why a Service gets no VIP, or no address.
struct Refusal {
  std::string reason;
  nlohmann::json regarding{};  // the Service, for events
};

struct Decisions {
  std::vector<Write> writes;
  std::map<std::string, Refusal> refused_services;  // by "Service ns/name"
  DecisionFigures figures;
};

Decisions Decide(const ClusterState& cluster, const NodeLiveness& daemons,
                 const ServiceClass& service_class, DecodeMemory& memory, absl::Time now);

}  // namespace fairlead::cluster
