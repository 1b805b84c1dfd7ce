// Decide over any objects (a JSON list of them): no crash; no two VIPs are given one address; what
// was carried out is not wanted again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "pkg/cluster/decisions.h"
#include "pkg/cluster/json_access.h"
#include "pkg/kube/lease_record.h"

namespace {

using fairlead::kube::KubeObject;
using fairlead::kube::KubeObjectPtr;
using nlohmann::json;
using namespace fairlead::cluster;  // NOLINT(google-build-using-namespace): a program

void Require(bool condition) {
  if (!condition) std::abort();
}

// As an API server would have it: a kind, a name, a namespace where it has one.
KubeObjectPtr ToObject(const json& object, bool namespaced) {
  auto made = std::make_shared<KubeObject>();
  made->name_space = namespaced ? TextAt(object, {"metadata", "namespace"}) : "";
  if (namespaced && made->name_space.empty()) made->name_space = "default";
  made->name = TextAt(object, {"metadata", "name"});
  made->uid = made->name_space + "/" + made->name;
  made->generation = NumberAt(object, {"metadata", "generation"});
  made->json = object;
  return made;
}

void Put(std::vector<KubeObjectPtr>& objects, KubeObjectPtr object) {
  for (const KubeObjectPtr& known : objects) {
    if (known->name == object->name && known->name_space == object->name_space) return;
  }
  if (!object->name.empty()) objects.push_back(std::move(object));
}

void CarryOut(const Decisions& decisions, const std::string& kind,
              std::vector<KubeObjectPtr>& objects) {
  std::map<std::string, const Write*> writes;
  for (const Write& write : decisions.writes) {
    if (write.kind == Write::Kind::kStatus) writes.emplace(write.object, &write);
  }
  for (KubeObjectPtr& object : objects) {
    const auto write = writes.find(kind + " " + object->name_space +
                                   (object->name_space.empty() ? "" : "/") + object->name);
    if (write == writes.end()) continue;
    auto written = std::make_shared<KubeObject>(*object);
    json& status = written->json["status"];
    if (!status.is_object()) status = json::object();
    for (const auto& [field, value] : write->second->status.items()) {
      if (value.is_null()) {
        status.erase(field);
      } else {
        status[field] = value;
      }
    }
    object = std::move(written);
  }
}

void CheckAddresses(const ClusterState& cluster) {
  std::set<std::string> given;
  for (const KubeObjectPtr& vip : cluster.vips) {
    if (TextAt(vip->json, {"spec", "addressPoolRef", "name"}).empty()) continue;
    const json& addresses = ListAt(vip->json, {"status", "addresses"});
    if (addresses.empty()) continue;
    Require(given.insert(TextAt(addresses[0], {"address"})).second);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const json list = json::parse(data, data + size, nullptr, /*allow_exceptions=*/false);
  if (!list.is_array() || list.size() > 64) return 0;
  ClusterState cluster;
  cluster.services_known = true;
  std::vector<NodeLease> leases;
  for (const json& object : list) {
    const std::string kind = TextAt(object, {"kind"});
    if (kind == "VIP") Put(cluster.vips, ToObject(object, true));
    if (kind == "RealServer") Put(cluster.real_servers, ToObject(object, true));
    if (kind == "AddressPool") Put(cluster.pools, ToObject(object, false));
    if (kind == "Service") Put(cluster.services, ToObject(object, true));
    if (kind != "Lease") continue;
    const auto record = fairlead::kube::ParseLease(object);
    if (record.ok()) leases.push_back({TextAt(object, {"metadata", "name"}), *record});
  }
  NodeLiveness daemons;
  daemons.Update(leases, true, absl::Seconds(1));
  const ServiceClass any = {"lb.fairlead.dev/fairlead", true};
  DecodeMemory memory;
  for (int round = 0; round < 2; ++round) {
    const Decisions decisions =
        Decide(cluster, daemons, any, memory, absl::FromUnixSeconds(1'800'000'000 + round));
    CarryOut(decisions, "VIP", cluster.vips);
    CarryOut(decisions, "RealServer", cluster.real_servers);
    CarryOut(decisions, "AddressPool", cluster.pools);
    CheckAddresses(cluster);
  }
  for (const Write& write :
       Decide(cluster, daemons, any, memory, absl::FromUnixSeconds(1'800'000'002)).writes) {
    Require(write.kind != Write::Kind::kStatus);
  }
  return 0;
}
