#include "pkg/model/service_endpoints.h"

#include <algorithm>
#include <map>
#include <optional>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "pkg/model/server_fit.h"

namespace fairlead::model {
namespace {

bool Carries(Protocol vip, Protocol endpoint) {
  return vip == Protocol::kTcpAndUdp || vip == endpoint;
}

// "http 8080, metrics 9090".
std::string ListPorts(const std::vector<EndpointPort>& ports) {
  constexpr size_t kPortsShown = 8;
  const std::vector<EndpointPort> shown(
      ports.begin(), ports.begin() + static_cast<ptrdiff_t>(std::min(ports.size(), kPortsShown)));
  return absl::StrJoin(shown, ", ", [](std::string* out, const EndpointPort& port) {
    absl::StrAppend(out, port.name, port.name.empty() ? "" : " ", port.port);
  });
}

struct PortChoice {
  std::optional<uint16_t> port;  // absent = the client's
  std::string problem;           // "" = there is one
};

PortChoice ChoosePort(const Vip& vip, const std::vector<EndpointPort>& all_ports) {
  if (vip.service.port != 0) return {vip.service.port, ""};
  std::vector<EndpointPort> ports;
  for (const EndpointPort& port : all_ports) {
    if (Carries(vip.protocol, port.protocol)) ports.push_back(port);
  }
  if (!vip.service.port_name.empty()) {
    for (const EndpointPort& port : ports) {
      if (port.name == vip.service.port_name && port.port != 0) return {port.port, ""};
    }
    return {std::nullopt, absl::StrCat("its endpoints have no port ", vip.service.port_name,
                                       ", but ", ports.empty() ? "none" : ListPorts(ports))};
  }
  net::PortSet listening;
  for (const EndpointPort& port : ports) {
    if (port.port == 0) return {};
    listening.Add({port.port, port.port});
  }
  if (all_ports.empty() || listening.Intersection(vip.ports) == vip.ports) return {};
  if (vip.ports.count() == 1 && ports.size() == 1) return {ports.front().port, ""};
  return {std::nullopt,
          absl::StrCat("its endpoints listen on ", ports.empty() ? "nothing" : ListPorts(ports),
                       " (", ProtocolName(vip.protocol), "), not on every port of the VIP; say ",
                       "which one by service: {port: NAME or NUMBER}")};
}

// Of a pod with an address of each family, whether `address` is the one to use.
bool IsPreferred(const Vip& vip, const net::IpAddress& address) {
  return vip.addresses.empty() || vip.addresses.front().family() == address.family();
}

}  // namespace

EndpointServers EndpointsOf(const Vip& vip, const ServiceEndpoints& service) {
  EndpointServers result;
  std::map<std::string, VipServer> by_name;
  absl::flat_hash_set<ServerPlace> places;
  for (const EndpointGroup& group : service.groups) {
    const PortChoice choice = ChoosePort(vip, group.ports);
    if (!choice.problem.empty()) {
      result.problem = choice.problem;
      continue;
    }
    for (const Endpoint& endpoint : group.endpoints) {
      VipServer server;
      server.name = endpoint.name;
      server.spec.address = endpoint.address;
      server.spec.port = choice.port;
      server.spec.state = endpoint.state;
      if (std::string misfit = ServerMisfit(vip, server.spec); !misfit.empty()) {
        result.problem = absl::StrCat(endpoint.name, ": ", misfit);
        continue;
      }
      const auto [known, is_new] = by_name.try_emplace(endpoint.name, server);
      if (!is_new && IsPreferred(vip, endpoint.address) &&
          !IsPreferred(vip, known->second.spec.address)) {
        known->second = std::move(server);
      }
    }
  }
  for (auto& [name, server] : by_name) {
    // One address of several pods (hostNetwork): one server.
    if (places.insert(PlaceOf(server.spec)).second) result.servers.push_back(std::move(server));
  }
  return result;
}

}  // namespace fairlead::model
