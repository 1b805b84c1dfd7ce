// OperatorView: what the operator tells of itself, and its metrics. Values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "pkg/cluster/decisions.h"
#include "pkg/kube/lease_elector.h"
#include "pkg/kube/reflector.h"

namespace fairlead::cluster {

struct OperatorView {
  struct Resource {
    std::string name;  // "vips"
    kube::ReflectorHealth health;
  };
  std::vector<Resource> resources;
  bool synced = false;    // everything that a leader needs was listed once
  bool deciding = false;  // it leads, and has begun
  kube::LeaseElectorHealth lease;
  std::string identity;
  DecisionFigures figures;  // of the last decision; zero while another process leads
  uint64_t decisions_total = 0;
  std::map<std::string, uint64_t> writes_total;          // by Write::kind_name()
  std::map<std::string, uint64_t> write_failures_total;  // the same
  uint64_t writes_pending = 0;
  uint64_t services_refused = 0;
  uint64_t daemons_alive = 0;
};

// The Prometheus text; `now` is the wall clock.
std::string MetricsText(const OperatorView& view, absl::Time now);

// "" when a probe may call the operator ready, else why not.
std::string WhyNotReady(const OperatorView& view);

}  // namespace fairlead::cluster
