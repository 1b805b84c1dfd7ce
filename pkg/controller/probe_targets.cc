#include "pkg/controller/probe_targets.h"

#include "absl/strings/str_cat.h"
#include "pkg/dataplane/plan_builder.h"

namespace fairlead::controller {
namespace {

using CheckType = model::HealthCheck::Type;

uint16_t CheckedPort(const model::HealthCheck& check, const model::ServerSpec& spec) {
  if (check.type == CheckType::kIcmp || check.type == CheckType::kNone) return 0;
  // A translated port is where the server really listens, unless the manifest knows better.
  if (spec.port.has_value() && !check.port_from_manifest) return *spec.port;
  if (spec.port.has_value() && check.each_port) return *spec.port;
  return check.port;
}

health::ProbeTarget MakeTarget(const model::Vip& vip, const model::VipServer& server,
                               const net::IpAddress& address, uint16_t port) {
  health::ProbeTarget target;
  target.endpoint = {address, port};
  target.id =
      absl::StrCat(vip.id.QualifiedName(), " ", server.name, " ", target.endpoint.ToString());
  target.check = vip.health_check;
  target.check.port = port;
  return target;
}

}  // namespace

std::vector<std::pair<uint16_t, health::ProbeTarget>> ProbeTargetsOf(
    const model::Vip& vip, const model::VipServer& server, const net::IpAddress& address) {
  std::vector<std::pair<uint16_t, health::ProbeTarget>> targets;
  if (dataplane::ChecksEachPort(vip, server.spec)) {
    for (const uint16_t port : vip.ports.ToPorts()) {
      targets.emplace_back(port, MakeTarget(vip, server, address, port));
    }
    return targets;
  }
  const uint16_t port = CheckedPort(vip.health_check, server.spec);
  targets.emplace_back(port, MakeTarget(vip, server, address, port));
  return targets;
}

std::vector<std::pair<net::IpAddress, health::ProbeTarget>> PathTargetsOf(
    const model::Vip& vip, const model::VipServer& server, const net::IpAddress& address,
    const dataplane::DirectPath& path) {
  const uint16_t port = dataplane::ChecksEachPort(vip, server.spec)
                            ? vip.ports.first()
                            : CheckedPort(vip.health_check, server.spec);
  std::vector<std::pair<net::IpAddress, health::ProbeTarget>> targets;
  for (const net::IpAddress& vip_address : vip.addresses) {
    if (vip_address.family() != address.family()) continue;
    health::ProbeTarget target;
    target.endpoint = {vip_address, port};
    target.id = absl::StrCat(vip.id.QualifiedName(), " ", server.name, " ", address.ToString(),
                             " serves ", target.endpoint.ToString());
    target.check = vip.health_check;
    target.check.port = port;
    target.direct = health::DirectWay{.ifindex = path.ifindex,
                                      .mac = path.mac,
                                      .source_mac = path.source_mac,
                                      .source = path.source};
    targets.emplace_back(vip_address, std::move(target));
  }
  return targets;
}

}  // namespace fairlead::controller
