#include "pkg/dataplane/service_split.h"

#include <algorithm>

namespace fairlead::dataplane {
namespace {

using model::Eligibility;
using model::OperationalState;

bool TakesProxiedClients(const PlanServer& server) {
  return server.way == Way::kProxy && server.eligibility == Eligibility::kAll;
}

void TakeNoNewClients(PlanServer* server) {
  server->weight = 0;
  if (server->eligibility == Eligibility::kAll) server->eligibility = Eligibility::kPersistentOnly;
}

// The worse one of the two checks.
OperationalState StateOfDirectPath(const PlanServer& server) {
  const auto either = [&](OperationalState state) {
    return server.operational == state || server.direct_path == state;
  };
  if (either(OperationalState::kDown)) return OperationalState::kDown;
  return either(OperationalState::kUnknown) ? OperationalState::kUnknown : OperationalState::kUp;
}

PlanServer ThisHost(const PlanService& service) {
  PlanServer host;
  host.name = kThisHost;
  host.this_host = true;
  host.eligibility = Eligibility::kAll;
  host.operational = OperationalState::kUp;
  bool unlimited = false;
  for (const PlanServer& server : service.servers) {
    if (!TakesProxiedClients(server)) continue;
    host.weight += server.weight;
    host.connections_min += server.connections_min;
    host.connections_max += server.connections_max;
    unlimited |= server.connections_max == 0;
  }
  if (unlimited) host.connections_min = host.connections_max = 0;
  return host;
}

}  // namespace

std::shared_ptr<const PlanService> ProxyHalf(const PlanService& service) {
  auto half = std::make_shared<PlanService>(service);
  if (std::none_of(half->servers.begin(), half->servers.end(), TakesProxiedClients)) return half;
  for (PlanServer& server : half->servers) {
    if (server.way == Way::kDirect) TakeNoNewClients(&server);
  }
  return half;
}

std::shared_ptr<const PlanService> DirectHalf(const PlanService& service) {
  auto half = std::make_shared<PlanService>(service);
  // Without a usable server the host's stack gets the packet, and there the proxy, which knows the
  // fallback.
  half->fallback = {};
  for (PlanServer& server : half->servers) {
    server.operational = StateOfDirectPath(server);
    if (server.way == Way::kProxy) TakeNoNewClients(&server);
  }
  half->servers.push_back(ThisHost(service));
  return half;
}

}  // namespace fairlead::dataplane
