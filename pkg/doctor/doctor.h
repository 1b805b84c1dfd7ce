// The checks of `fairlead doctor`: what this host gives Fairlead, what that means, and the fix.
// Pure but for reading the tree.
#pragma once

#include "pkg/doctor/finding.h"
#include "pkg/doctor/host_tree.h"
#include "pkg/doctor/probes.h"
#include "pkg/model/desired_state.h"

namespace fairlead::doctor {

// What is to be served: from the configuration, or assumed.
struct Wanted {
  const model::DesiredState* desired = nullptr;  // null: no configuration was given
  uint64_t sessions = 10'000;                    // the sum of maxConnections where all VIPs say
  bool sessions_assumed = true;                  // they do not
  bool low_ports = false;                        // some VIP has a port below
                                                 // net.ipv4.ip_unprivileged_port_start
  bool direct_routing = false;                   // mode DR
  bool transparent = false;                      // clientAddress: Transparent
  bool icmp = false;                             // ICMP health checks
};
Wanted WantedOf(const HostTree& tree, const model::DesiredState* desired);

// Each appends its findings.
void CheckKernel(const HostTree& tree, const Probes& probes, const Wanted& wanted,
                 Findings& findings);
void CheckRights(const HostTree& tree, const Wanted& wanted, Findings& findings);
void CheckLimits(const HostTree& tree, const Wanted& wanted, Findings& findings);
void CheckNetwork(const HostTree& tree, const Wanted& wanted, Findings& findings);
void CheckCloud(const HostTree& tree, const Wanted& wanted, Findings& findings);
void CheckInterfaces(const HostTree& tree, const Probes& probes, Findings& findings);
void CheckVips(const HostTree& tree, const Probes& probes, const Wanted& wanted,
               Findings& findings);
void CheckClaims(const Probes& probes, const Wanted& wanted, Findings& findings);

// All of them, in that order. `desired` may be null: then no VIP is checked.
Findings Diagnose(const HostTree& tree, const Probes& probes, const model::DesiredState* desired);

}  // namespace fairlead::doctor
