#include "pkg/kube/endpoint_slices.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <vector>

#include "pkg/kube/cluster_object.h"
#include "pkg/model/limits.h"
#include "pkg/net/ip_address.h"

namespace fairlead::kube {
namespace {

using Json = nlohmann::json;
using model::AdminState;
using model::Endpoint;
using model::EndpointPort;

// Absent and null are `fallback`.
bool Condition(const Json& endpoint, const char* name, bool fallback) {
  const Json& value = ValueAt(endpoint, {"conditions", name});
  return value.is_boolean() ? value.get<bool>() : fallback;
}

// Absent: it is not used. `serving` absent is `ready` (EndpointConditions of discovery.k8s.io/v1).
std::optional<AdminState> StateOf(const Json& endpoint) {
  const bool ready = Condition(endpoint, "ready", true);
  if (ready) return AdminState::kOnline;
  const bool serves_to_the_end =
      Condition(endpoint, "terminating", false) && Condition(endpoint, "serving", ready);
  return serves_to_the_end ? std::optional(AdminState::kDrain) : std::nullopt;
}

std::vector<EndpointPort> PortsOf(const Json& slice) {
  std::vector<EndpointPort> ports;
  for (const Json& entry : ValueAt(slice, {"ports"})) {
    const std::string protocol = StringAt(entry, {"protocol"});
    if (!protocol.empty() && protocol != "TCP" && protocol != "UDP") continue;
    const Json& number = ValueAt(entry, {"port"});
    const int64_t port = number.is_number_integer() ? number.get<int64_t>() : 0;
    if (!number.is_null() && !model::kPortLimits.Contain(port)) continue;
    ports.push_back({StringAt(entry, {"name"}), static_cast<uint16_t>(port),
                     protocol == "UDP" ? model::Protocol::kUdp : model::Protocol::kTcp});
  }
  const auto key = [](const EndpointPort& port) {
    return std::tuple(port.name, port.port, port.protocol);
  };
  std::sort(ports.begin(), ports.end(),
            [&](const EndpointPort& a, const EndpointPort& b) { return key(a) < key(b); });
  return ports;
}

// The endpoints of one set of ports.
struct Group {
  std::vector<EndpointPort> ports;
  std::map<std::pair<std::string, net::IpAddress>, AdminState> endpoints;
};

// A group of its own for each set of ports: all slices of most Services have the same.
Group& GroupOf(std::vector<EndpointPort> ports, std::vector<Group>* groups) {
  for (Group& group : *groups) {
    if (group.ports == ports) return group;
  }
  return groups->emplace_back(Group{std::move(ports), {}});
}

}  // namespace

ServiceKey ServiceOf(const Json& slice) {
  return {StringAt(slice, {"metadata", "namespace"}),
          StringAt(slice, {"metadata", "labels", "kubernetes.io/service-name"})};
}

model::ServiceEndpoints JoinSlices(const ServiceKey& service,
                                   const std::map<std::string, const Json*>& slices) {
  model::ServiceEndpoints result = {.name_space = service.first, .name = service.second};
  std::vector<Group> groups;
  size_t count = 0;
  for (const auto& [slice_name, slice] : slices) {
    Group& group = GroupOf(PortsOf(*slice), &groups);
    for (const Json& entry : ValueAt(*slice, {"endpoints"})) {
      // All addresses of an endpoint lead to it, and clients shall use the first.
      const Json& addresses = ValueAt(entry, {"addresses"});
      const bool has_address = addresses.is_array() && !addresses.empty();
      const auto address = net::IpAddress::Parse(
          has_address && addresses[0].is_string() ? addresses[0].get<std::string>() : "");
      const std::optional<AdminState> state = StateOf(entry);
      if (!address.ok() || !state.has_value() || count == model::kEndpointsMax) {
        ++result.not_ready_count;
        continue;
      }
      const bool is_pod = StringAt(entry, {"targetRef", "kind"}) == "Pod";
      std::string name = is_pod ? StringAt(entry, {"targetRef", "name"}) : "";
      if (name.empty()) name = address->ToString();
      const auto [known, is_new] = group.endpoints.try_emplace({std::move(name), *address}, *state);
      count += is_new ? 1 : 0;
      if (*state == AdminState::kOnline) known->second = *state;
    }
  }
  for (Group& group : groups) {
    model::EndpointGroup& made = result.groups.emplace_back();
    made.ports = std::move(group.ports);
    for (const auto& [place, state] : group.endpoints) {
      made.endpoints.push_back({place.first, place.second, state});
    }
  }
  return result;
}

}  // namespace fairlead::kube
