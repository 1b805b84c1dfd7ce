// Builds the ControlView from what the controller knows. Pure.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "pkg/controller/server_records.h"
#include "pkg/controller/view.h"
#include "pkg/dataplane/data_plane.h"
#include "pkg/dataplane/forwarding_plan.h"
#include "pkg/model/desired_state.h"

namespace fairlead::controller {

// What the data plane said about one service when the plan was applied.
struct ServiceState {
  std::string problem{};  // "" = the data plane does what the plan says
  // A real server of the plan takes clients. Without one there is nothing to serve with, and the
  // data plane has no problem, for it need not listen.
  bool has_server = true;
  std::vector<dataplane::AddressOutcome> addresses;
};

struct ViewInputs {
  const model::DesiredState* desired = nullptr;  // null before the first reading
  const model::ServerIndex* servers = nullptr;   // of `desired`
  const std::map<ServerKey, ServerRecord>& records;
  const dataplane::ForwardingPlan* plan = nullptr;  // null before the first one
  const std::map<std::string, ServiceState>& services;
  absl::Duration now_monotonic;
  absl::Time now;
};

// The VIPs with their servers, sorted by qualified name; counters are zero.
std::vector<VipView> BuildVipViews(const ViewInputs& inputs);

// Puts the counters of `observation` into `view`.
void MergeObservation(dataplane::PlaneObservation observation, ControlView* view);

}  // namespace fairlead::controller
