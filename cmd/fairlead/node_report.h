// From what the daemon knows of itself to what it tells the cluster. Pure.
#pragma once

#include <cstdint>
#include <set>

#include "pkg/controller/view.h"
#include "pkg/kube/kubernetes_source.h"
#include "pkg/kube/node_reporter.h"
#include "pkg/model/vip.h"

namespace fairlead::cmd {

// The entry of each VIP that is this daemon's to run, that is whose mode is among `modes` or whose
// last good version it runs:
//
//   reason           | programmed | the VIP
//   -----------------+------------+-----------------------------------------------------------
//   Applied          | yes        | is served as it is written
//   Disabled         | yes        | is not served, as it is written
//   Rejected         | no         | is wrong, and never was right
//   LastGoodVersion  | no         | is wrong; the version before stays in force
//   WaitingForAddress| no         | has no address of its pool yet
//   NotServed        | no         | cannot be served here, or not fully
//
// Events are those of VIPs and their servers with a number above `*last_event`, which follows.
kube::NodeReport ReportOf(const controller::ControlView& view, const kube::ObservedVips& observed,
                          const std::set<model::Mode>& modes, uint64_t* last_event);

}  // namespace fairlead::cmd
