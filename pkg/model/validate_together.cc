// Rules over several objects.
#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "pkg/model/desired_state.h"
#include "pkg/model/server_fit.h"

namespace fairlead::model {
namespace {

using IdSet = absl::flat_hash_set<ObjectId>;

// Indexes of `objects` in the order of precedence: preferred ones first, then by place.
template <typename T>
std::vector<size_t> Precedence(const std::vector<T>& objects, const IdSet& preferred) {
  std::vector<size_t> order(objects.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_partition(order.begin(), order.end(),
                        [&](size_t i) { return preferred.contains(objects[i].id); });
  return order;
}

template <typename T>
void RemoveRejected(std::vector<T>& objects, const IdSet& rejected) {
  std::erase_if(objects, [&rejected](const T& object) { return rejected.contains(object.id); });
}

Finding MakeFinding(Severity severity, const ObjectId& id, const SourceLocation& location,
                    std::string field, std::string message) {
  return {severity, id.ToString(), location, std::move(field), std::move(message)};
}

std::vector<Protocol> TransportsOf(Protocol protocol) {
  if (protocol == Protocol::kTcpAndUdp) return {Protocol::kTcp, Protocol::kUdp};
  return {protocol};
}

// Who has which ports of one address and transport.
struct Occupancy {
  net::PortSet ports;
  std::vector<const Vip*> vips;
};
using OccupancyMap = absl::flat_hash_map<std::pair<net::IpAddress, Protocol>, Occupancy>;

// The text about the first conflict of `vip` with those that came earlier; "" without one.
std::string ConflictOf(const Vip& vip, const OccupancyMap& occupancy) {
  for (const net::IpAddress& address : vip.addresses) {
    for (const Protocol transport : TransportsOf(vip.protocol)) {
      const auto taken = occupancy.find({address, transport});
      if (taken == occupancy.end() || !taken->second.ports.Intersects(vip.ports)) continue;
      for (const Vip* earlier : taken->second.vips) {
        const net::PortSet common = earlier->ports.Intersection(vip.ports);
        if (common.empty()) continue;
        return absl::StrCat(common.count() == 1 ? "port " : "ports ", common.ToString(), "/",
                            ProtocolName(transport), " of ", address.ToString(), " belong",
                            common.count() == 1 ? "s" : "", " to ", earlier->id.ToString(),
                            " already, which keeps working; use another address or other ports");
      }
    }
  }
  return "";
}

void Occupy(const Vip& vip, OccupancyMap& occupancy) {
  for (const net::IpAddress& address : vip.addresses) {
    for (const Protocol transport : TransportsOf(vip.protocol)) {
      Occupancy& taken = occupancy[{address, transport}];
      taken.ports.Add(vip.ports);
      taken.vips.push_back(&vip);
    }
  }
}

// A wildcard listener has the port on every address of its family; [::] on those of both families,
// as IPV6_V6ONLY is off by default (ipv6(7)).
bool Listens(const net::Endpoint& own, const net::IpAddress& address) {
  if (own.address == address) return true;
  if (!own.address.is_unspecified()) return false;
  return !own.address.is_ipv4() || address.is_ipv4();
}

// A listener of our own, and what to do when it is in the way.
struct OwnListener {
  net::Endpoint endpoint;
  const char* name;
  const char* remedy;
};

std::vector<OwnListener> OwnListeners(const DesiredState& state,
                                      const std::optional<net::Endpoint>& admin_flag) {
  std::vector<OwnListener> listeners = {{AdminHttpEndpoint(admin_flag, state.node), "admin API",
                                         "--admin, or spec.admin.http of a Node"}};
  if (state.node.has_value() && state.node->admin_https.has_value()) {
    listeners.push_back(
        {*state.node->admin_https, "web page", "--web, or spec.admin.https of a Node"});
  }
  return listeners;
}

std::string OwnPortConflict(const Vip& vip, const std::vector<OwnListener>& listeners) {
  if (vip.protocol == Protocol::kUdp) return "";
  for (const OwnListener& own : listeners) {
    if (!vip.ports.Contains(own.endpoint.port)) continue;
    for (const net::IpAddress& address : vip.addresses) {
      if (!Listens(own.endpoint, address)) continue;
      return absl::StrCat(
          "port ", own.endpoint.port, " of ", address.ToString(), " is Fairlead's own: its ",
          own.name, " listens on ", own.endpoint.ToString(),
          "; use another port, or another address for the ", own.name, " (", own.remedy, ")");
    }
  }
  return "";
}

void RejectConflictingVips(DesiredState& state, const std::vector<OwnListener>& listeners,
                           const IdSet& preferred) {
  OccupancyMap occupancy;
  IdSet rejected;
  for (const size_t i : Precedence(state.vips, preferred)) {
    const Vip& vip = state.vips[i];
    std::string problem = vip.elsewhere ? "" : OwnPortConflict(vip, listeners);
    if (problem.empty()) problem = ConflictOf(vip, occupancy);
    if (problem.empty()) {
      Occupy(vip, occupancy);
      continue;
    }
    rejected.insert(vip.id);
    state.findings.push_back(
        MakeFinding(Severity::kError, vip.id, vip.location, "spec.ports", std::move(problem)));
  }
  RemoveRejected(state.vips, rejected);
}

bool HasDuplicateServers(const DesiredState& state, const ServerIndex& index) {
  return std::any_of(state.vips.begin(), state.vips.end(), [&index](const Vip& vip) {
    absl::flat_hash_set<ServerPlace> places;
    const std::vector<const RealServer*> servers = index.Matching(vip);
    return !std::all_of(servers.begin(), servers.end(), [&places](const RealServer* server) {
      return places.insert(PlaceOf(server->spec)).second;
    });
  });
}

// Two objects with one endpoint in one VIP would share its connections twice over.
void RejectDuplicateServers(DesiredState& state, const IdSet& preferred) {
  absl::flat_hash_map<const RealServer*, size_t> rank;
  for (const size_t i : Precedence(state.real_servers, preferred)) {
    rank.emplace(&state.real_servers[i], rank.size());
  }
  const ServerIndex index(state);
  IdSet rejected;
  for (const Vip& vip : state.vips) {
    std::vector<const RealServer*> servers = index.Matching(vip);
    std::sort(servers.begin(), servers.end(),
              [&rank](const RealServer* a, const RealServer* b) { return rank[a] < rank[b]; });
    absl::flat_hash_map<ServerPlace, const RealServer*> by_place;
    for (const RealServer* server : servers) {
      if (rejected.contains(server->id)) continue;
      const ServerPlace place = PlaceOf(server->spec);
      const auto [earlier, is_new] = by_place.emplace(place, server);
      if (is_new) continue;
      rejected.insert(server->id);
      state.findings.push_back(MakeFinding(
          Severity::kError, server->id, server->location, "spec.address",
          absl::StrCat(place.ToString(), " is ", earlier->second->id.ToString(), " of ",
                       vip.id.ToString(),
                       " already; delete one of them, or raise the weight of the other")));
    }
  }
  RemoveRejected(state.real_servers, rejected);
}

// Why a matched object is not among the VIP's servers; "" when it is.
std::string UnusedReason(const Vip& vip, const RealServer& server) {
  for (const InlineServer& entry : vip.inline_servers) {
    const bool same_place = PlaceOf(entry.spec) == PlaceOf(server.spec);
    if (entry.name != server.id.name && !same_place) continue;
    return absl::StrCat("the inline entry ", entry.name, " of ", vip.id.ToString(),
                        " is used instead; remove one of the two");
  }
  std::string misfit = ServerMisfit(vip, server.spec);
  if (!misfit.empty()) return absl::StrCat(vip.id.ToString(), " cannot use it: ", misfit);
  return "";
}

// Whether the VIP's Service gives it a real server; a finding when it does not, or lacks some.
bool WarnOfEndpoints(const Vip& vip, const ServiceEndpoints* endpoints, DesiredState& state) {
  EndpointServers found;
  if (endpoints != nullptr) found = EndpointsOf(vip, *endpoints);
  std::string problem = std::move(found.problem);
  if (problem.empty() && found.servers.empty()) {
    problem =
        "it has no endpoint that is ready, so that clients get the fallback; see kubectl get "
        "endpointslices";
  }
  if (!problem.empty()) {
    state.findings.push_back(
        MakeFinding(Severity::kWarning, vip.id, vip.location, "spec.realServers.service",
                    absl::StrCat("Service ", vip.service.name, ": ", problem)));
  }
  return !found.servers.empty();
}

void WarnOfUnused(DesiredState& state, const ServerIndex& index) {
  absl::flat_hash_set<const RealServer*> matched;
  for (const Vip& vip : state.vips) {
    bool has_server = !vip.inline_servers.empty();
    for (const RealServer* server : index.Matching(vip)) {
      matched.insert(server);
      if (vip.elsewhere) continue;
      std::string reason = UnusedReason(vip, *server);
      has_server = has_server || reason.empty();
      if (reason.empty()) continue;
      state.findings.push_back(MakeFinding(Severity::kWarning, server->id, server->location,
                                           "spec.address", std::move(reason)));
    }
    if (vip.elsewhere) continue;
    if (!vip.service.empty()) {
      has_server = WarnOfEndpoints(vip, index.EndpointsFor(vip), state) || has_server;
    }
    if (has_server || vip.selector.empty()) continue;
    const auto label = *vip.selector.begin();
    state.findings.push_back(MakeFinding(
        Severity::kWarning, vip.id, vip.location, "spec.realServers",
        absl::StrCat("no real server yet: clients get the fallback; add a list, or RealServer "
                     "objects in namespace ",
                     vip.id.name_space, " with the label ", label.first, ": ", label.second)));
  }
  for (const RealServer& server : state.real_servers) {
    if (matched.contains(&server)) continue;
    state.findings.push_back(
        MakeFinding(Severity::kWarning, server.id, server.location, "metadata.labels",
                    absl::StrCat("no VIP of namespace ", server.id.name_space,
                                 " selects this server; label it ", kVipLabel, ": VIP-NAME")));
  }
}

}  // namespace

void ValidateTogether(DesiredState& state, const std::optional<net::Endpoint>& admin_flag,
                      const std::vector<ObjectId>& preferred) {
  const IdSet preferred_set(preferred.begin(), preferred.end());
  RejectConflictingVips(state, OwnListeners(state, admin_flag), preferred_set);
  auto index = std::make_unique<const ServerIndex>(state);
  if (HasDuplicateServers(state, *index)) {
    RejectDuplicateServers(state, preferred_set);
    index = std::make_unique<const ServerIndex>(state);
  }
  WarnOfUnused(state, *index);
}

}  // namespace fairlead::model
