#include "pkg/cluster/service_vips.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "pkg/cluster/json_access.h"
#include "pkg/cluster/names.h"
#include "pkg/model/object.h"

namespace fairlead::cluster {
namespace {

using kube::KubeObject;
using kube::KubeObjectPtr;
using nlohmann::json;

// What is applied, as a number: fields that are wanted no longer differ by nothing else.
constexpr char kAppliedAnnotation[] = "lb.fairlead.dev/applied";
constexpr int64_t kAffinitySecondsDefault = 10800;  // of sessionAffinityConfig

std::optional<net::IpAddress> ParseAddress(const std::string& text) {
  const absl::StatusOr<net::IpAddress> address = net::IpAddress::Parse(text);
  return address.ok() ? std::optional(*address) : std::nullopt;
}

struct ServicePort {
  int64_t port = 0;
  std::string name;
  std::string protocol;
  bool translated = false;  // pods listen on another port, or on one with a name
};

ServicePort ToPort(const json& port) {
  ServicePort made = {NumberAt(port, {"port"}), TextAt(port, {"name"}), TextAt(port, {"protocol"})};
  if (made.protocol.empty()) made.protocol = "TCP";
  const json& target = At(port, {"targetPort"});
  const bool same =
      target.is_null() || target == json(0) || target == json("") || target == json(made.port);
  made.translated = !same;
  return made;
}

// Ports that share a VIP.
struct PortGroup {
  std::string suffix;  // of the VIP's name when there are several
  std::vector<ServicePort> ports;
};

std::vector<PortGroup> GroupPorts(const json& service) {
  std::map<std::string, PortGroup> groups;
  for (const json& item : ListAt(service, {"spec", "ports"})) {
    ServicePort port = ToPort(item);
    const std::string protocol = absl::AsciiStrToLower(port.protocol);
    const std::string suffix = port.translated ? absl::StrCat(port.port, "-", protocol) : protocol;
    PortGroup& group = groups[suffix];
    group.suffix = suffix;
    group.ports.push_back(std::move(port));
  }
  std::vector<PortGroup> list;
  list.reserve(groups.size());
  for (auto& [suffix, group] : groups) list.push_back(std::move(group));
  return list;
}

json OwnerReference(const KubeObject& service) {
  return {{"apiVersion", "v1"},
          {"kind", "Service"},
          {"name", service.name},
          {"uid", service.uid},
          {"controller", true}};
}

json Persistence(const json& service) {
  if (TextAt(service, {"spec", "sessionAffinity"}) != "ClientIP") return {{"type", "None"}};
  const int64_t seconds =
      NumberAt(service, {"spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"});
  return {{"type", "SourceIP"},
          {"timeoutSeconds", seconds > 0 ? seconds : kAffinitySecondsDefault}};
}

json SpecOf(const KubeObject& service, const PortGroup& group, const net::IpAddress& address) {
  std::vector<std::string> ports;
  for (const ServicePort& port : group.ports) ports.push_back(absl::StrCat(port.port));
  const ServicePort& first = group.ports.front();
  json reference = {{"name", service.name}};
  if (first.translated && !first.name.empty()) reference["port"] = first.name;
  json spec = {{"addresses", json::array({address.ToString()})},
               {"ports", absl::StrJoin(ports, ",")},
               {"protocol", first.protocol},
               {"persistence", Persistence(service.json)},
               {"realServers", {{"service", std::move(reference)}}}};
  constexpr std::pair<const char*, const char*> kFields[] = {
      {kModeAnnotation, "mode"},
      {kSchedulerAnnotation, "scheduler"},
      {kClientAddressAnnotation, "clientAddress"}};
  for (const auto& [annotation, field] : kFields) {
    if (std::string value = Annotation(service.json, annotation); !value.empty()) {
      spec[field] = std::move(value);
    }
  }
  if (const std::string type = Annotation(service.json, kAdvertiseAnnotation); !type.empty()) {
    spec["advertise"] = {{"type", type}};
  }
  int64_t port = 0;
  if (absl::SimpleAtoi(Annotation(service.json, kHealthCheckPortAnnotation), &port)) {
    spec["healthCheck"] = {{"port", port}};
  }
  return spec;
}

// Whether everything in `wanted` is in `present`; lists must be equal.
bool Holds(const json& present, const json& wanted) {
  if (!wanted.is_object()) return present == wanted;
  if (!present.is_object()) return false;
  return std::all_of(wanted.items().begin(), wanted.items().end(), [&](const auto& item) {
    const auto found = present.find(item.key());
    return found != present.end() && Holds(*found, item.value());
  });
}

// Lists of objects, one by one.
bool HoldsList(const json& present, const json& wanted) {
  if (!wanted.is_array()) return Holds(present, wanted);
  if (!present.is_array() || present.size() != wanted.size()) return false;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (!Holds(present[i], wanted[i])) return false;
  }
  return true;
}

// FNV-1a, 64 bits: the same in every process, which absl::Hash is not.
std::string Fingerprint(absl::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : text) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  return absl::StrCat(absl::Hex(hash, absl::kZeroPad16));
}

}  // namespace

bool IsOurs(const json& service, const ServiceClass& wanted) {
  if (TextAt(service, {"spec", "type"}) != "LoadBalancer") return false;
  if (!At(service, {"metadata", "deletionTimestamp"}).is_null()) return false;
  const std::string name = TextAt(service, {"spec", "loadBalancerClass"});
  return name.empty() ? wanted.classless : name == wanted.load_balancer_class;
}

std::string ClaimantOf(const KubeObject& service) {
  return absl::StrCat("Service ", service.name_space, "/", service.name);
}

std::optional<Owner> OwnerOf(const KubeObject& vip) {
  if (TextAt(vip.json, {"metadata", "labels", kServiceLabel}).empty()) return std::nullopt;
  for (const json& owner : ListAt(vip.json, {"metadata", "ownerReferences"})) {
    if (TextAt(owner, {"kind"}) != "Service" || TextAt(owner, {"apiVersion"}) != "v1") continue;
    if (BoolAt(owner, {"controller"}))
      return Owner{TextAt(owner, {"name"}), TextAt(owner, {"uid"})};
  }
  return std::nullopt;
}

PoolClaim ClaimOf(const KubeObject& service, const std::vector<KubeObjectPtr>& owned) {
  PoolClaim claim;
  claim.name_space = service.name_space;
  claim.name = service.name;
  claim.created = TimeAt(service.json, {"metadata", "creationTimestamp"});
  claim.pool = Annotation(service.json, kPoolAnnotation);
  std::string wished = Annotation(service.json, kAddressAnnotation);
  if (wished.empty()) wished = TextAt(service.json, {"spec", "loadBalancerIP"});
  claim.wished = ParseAddress(wished);
  const json& families = ListAt(service.json, {"spec", "ipFamilies"});
  if (!families.empty() && families[0].is_string()) {
    claim.family = families[0] == json("IPv6") ? net::IpFamily::kIpv6 : net::IpFamily::kIpv4;
  }
  for (const KubeObjectPtr& vip : owned) {
    const json& addresses = ListAt(vip->json, {"spec", "addresses"});
    if (addresses.empty() || !addresses[0].is_string()) continue;
    claim.held = ParseAddress(addresses[0].get<std::string>());
    claim.held_pool = Annotation(vip->json, kPoolAnnotation);
    return claim;
  }
  const json& ingress = ListAt(service.json, {"status", "loadBalancer", "ingress"});
  if (!ingress.empty()) claim.held = ParseAddress(TextAt(ingress[0], {"ip"}));
  return claim;
}

absl::StatusOr<std::vector<json>> WantedVips(const KubeObject& service,
                                             const net::IpAddress& address,
                                             const std::string& pool) {
  const std::vector<PortGroup> groups = GroupPorts(service.json);
  if (groups.empty()) return absl::InvalidArgumentError("the Service has no port");
  std::vector<json> vips;
  for (const PortGroup& group : groups) {
    const std::string& protocol = group.ports.front().protocol;
    if (protocol != "TCP" && protocol != "UDP") {
      return absl::InvalidArgumentError(
          absl::StrCat("port ", group.ports.front().port, "/", protocol,
                       ": only TCP and UDP are balanced; give that port a Service of its own"));
    }
    json spec = SpecOf(service, group, address);
    const std::string name =
        groups.size() == 1 ? service.name : absl::StrCat(service.name, "-", group.suffix);
    const std::string applied = absl::StrCat(spec.dump(), " ", pool);
    vips.push_back(
        {{"apiVersion", model::kApiVersion},
         {"kind", "VIP"},
         {"metadata",
          {{"name", name},
           {"namespace", service.name_space},
           {"labels", {{kServiceLabel, service.name}}},
           {"annotations", {{kPoolAnnotation, pool}, {kAppliedAnnotation, Fingerprint(applied)}}},
           {"ownerReferences", json::array({OwnerReference(service)})}}},
         {"spec", std::move(spec)}});
  }
  return vips;
}

bool IsApplied(const json& present, const json& wanted) {
  if (!Holds(At(present, {"spec"}), wanted["spec"])) return false;
  for (const char* field : {"labels", "annotations"}) {
    if (!Holds(At(present, {"metadata", field}), wanted["metadata"][field])) return false;
  }
  const json& owners = ListAt(present, {"metadata", "ownerReferences"});
  return std::any_of(owners.begin(), owners.end(), [&](const json& owner) {
    return Holds(owner, wanted["metadata"]["ownerReferences"][0]);
  });
}

json WantedIngress(const json& service, const net::IpAddress& address) {
  json ports = json::array();
  for (const json& item : ListAt(service, {"spec", "ports"})) {
    const ServicePort port = ToPort(item);
    ports.push_back({{"port", port.port}, {"protocol", port.protocol}});
  }
  return json::array(
      {{{"ip", address.ToString()}, {"ipMode", "Proxy"}, {"ports", std::move(ports)}}});
}

bool HasIngress(const json& service, const json& ingress) {
  const json& present = ListAt(service, {"status", "loadBalancer", "ingress"});
  if (present.size() != ingress.size()) return false;
  for (size_t i = 0; i < ingress.size(); ++i) {
    if (TextAt(present[i], {"ip"}) != TextAt(ingress[i], {"ip"})) return false;
    for (const char* field : {"ipMode", "ports"}) {
      const json& kept = At(present[i], {field});
      if (!kept.is_null() && !HoldsList(kept, At(ingress[i], {field}))) return false;
    }
  }
  return true;
}

}  // namespace fairlead::cluster
