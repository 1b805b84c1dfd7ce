#include "pkg/doctor/doctor.h"

#include <algorithm>

namespace fairlead::doctor {

Wanted WantedOf(const HostTree& tree, const model::DesiredState* desired) {
  Wanted wanted;
  wanted.desired = desired;
  if (desired == nullptr) return wanted;
  const int64_t free_from =
      tree.ReadNumber("/proc/sys/net/ipv4/ip_unprivileged_port_start").value_or(1024);
  uint64_t sessions = 0;
  bool all_say = !desired->vips.empty();
  for (const model::Vip& vip : desired->vips) {
    // XDP forwards before any socket: mode DR has no listeners.
    const bool is_dr = vip.mode == model::Mode::kDr;
    wanted.direct_routing |= is_dr;
    wanted.low_ports |= !is_dr && vip.ports.first() < free_from;
    wanted.transparent |= vip.client_address == model::ClientAddress::kTransparent;
    wanted.icmp |= vip.health_check.type == model::HealthCheck::Type::kIcmp;
    if (is_dr) continue;  // its flows take no descriptor
    sessions += vip.connections_max;
    all_say &= vip.connections_max > 0;
  }
  if (all_say) {
    wanted.sessions = sessions;
    wanted.sessions_assumed = false;
  }
  return wanted;
}

Findings Diagnose(const HostTree& tree, const Probes& probes, const model::DesiredState* desired) {
  const Wanted wanted = WantedOf(tree, desired);
  Findings findings;
  CheckKernel(tree, probes, wanted, findings);
  CheckRights(tree, wanted, findings);
  CheckLimits(tree, wanted, findings);
  CheckNetwork(tree, wanted, findings);
  CheckCloud(tree, wanted, findings);
  CheckInterfaces(tree, probes, findings);
  CheckVips(tree, probes, wanted, findings);
  CheckClaims(probes, wanted, findings);
  return findings;
}

}  // namespace fairlead::doctor
