#include "pkg/cluster/decisions.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/cluster/conditions.h"
#include "pkg/cluster/event.h"
#include "pkg/cluster/json_access.h"
#include "pkg/cluster/object_status.h"
#include "pkg/cluster/vip_status.h"

namespace fairlead::cluster {
namespace {

using kube::KubeObject;
using kube::KubeObjectPtr;
using model::ObjectKind;
using nlohmann::json;

// The fields of each status that are the operator's. `nodes` of a VIP are the daemons'.
const std::vector<const char*> kVipFields = {
    "observedGeneration", "addresses", "addressPool", "ports",
    "scheduler",          "summary",   "servers",     "conditions"};
const std::vector<const char*> kServerFields = {"observedGeneration", "summary", "vips",
                                                "conditions"};
const std::vector<const char*> kPoolFields = {"observedGeneration", "summary", "conditions"};

std::string QualifiedName(const KubeObject& object) {
  return absl::StrCat(object.name_space, "/", object.name);
}

// A Service of ours, with the VIPs that are its own.
struct OurService {
  KubeObjectPtr service;
  std::vector<KubeObjectPtr> owned;
};

class Decider {
 public:
  Decider(const ClusterState& cluster, const NodeLiveness& daemons, const ServiceClass& wanted,
          DecodeMemory& memory, absl::Time now)
      : cluster_(cluster), daemons_(daemons), class_(wanted), memory_(memory), now_(now) {}

  Decisions Run() {
    FindServices();
    catalog_ = BuildCatalog(InputOfCatalog(), memory_);
    DecideVips();
    if (cluster_.services_known) {
      for (const OurService& ours : services_) DecideService(ours);
      ReleaseOrphans();
    }
    DecideServers();
    DecidePools();
    DecisionFigures& figures = decisions_.figures;
    figures.vips = cluster_.vips.size();
    figures.real_servers = cluster_.real_servers.size();
    figures.services = services_.size();
    figures.pools = catalog_.pool_uses;
    return std::move(decisions_);
  }

 private:
  void FindServices() {
    std::map<std::string, std::vector<KubeObjectPtr>> owned;  // by the uid of the Service
    for (const KubeObjectPtr& vip : cluster_.vips) {
      by_name_.emplace(QualifiedName(*vip), vip);
      const std::optional<Owner> owner = OwnerOf(*vip);
      if (owner.has_value()) owned[owner->uid].push_back(vip);
    }
    for (const KubeObjectPtr& service : cluster_.services) {
      service_names_.insert(QualifiedName(*service));
      if (!IsOurs(service->json, class_)) continue;
      our_names_.insert(QualifiedName(*service));
      services_.push_back({service, std::move(owned[service->uid])});
    }
  }

  CatalogInput InputOfCatalog() const {
    CatalogInput input = {cluster_.vips, cluster_.real_servers, cluster_.pools};
    for (const OurService& ours : services_) {
      input.further_claims.emplace_back(ClaimantOf(*ours.service),
                                        ClaimOf(*ours.service, ours.owned));
      for (const KubeObjectPtr& vip : ours.owned) input.vips_of_claims.insert(QualifiedName(*vip));
    }
    for (const KubeObjectPtr& vip : cluster_.vips) {
      const std::vector<NodeReport> reports = ReportsOf(vip->json, daemons_.alive());
      const bool in_force = std::any_of(reports.begin(), reports.end(), [&](const auto& report) {
        return report.programmed && report.observed_generation == vip->generation;
      });
      if (in_force) input.in_force.push_back(IdOf(ObjectKind::kVip, *vip));
    }
    return input;
  }

  void DecideVips() {
    const model::ServerIndex index(catalog_.state);
    std::map<model::ObjectId, const model::Vip*> accepted;
    for (const model::Vip& vip : catalog_.state.vips) accepted.emplace(vip.id, &vip);
    for (const KubeObjectPtr& object : cluster_.vips) {
      if (!At(object->json, {"metadata", "deletionTimestamp"}).is_null()) continue;
      const model::ObjectId id = IdOf(ObjectKind::kVip, *object);
      const auto vip = accepted.find(id);
      VipFacts facts = {.object = object->json,
                        .verdict = catalog_.VerdictOf(id),
                        .vip = vip == accepted.end() ? nullptr : vip->second,
                        .grant = catalog_.GrantOf(QualifiedName(*object)),
                        .servers = {},
                        .reports = ReportsOf(object->json, daemons_.alive()),
                        .service_missing = LacksService(*object)};
      if (facts.vip != nullptr) facts.servers = index.ServersOf(*facts.vip);
      for (ServerVerdict& server : JoinServers(facts)) {
        if (!server.is_object) continue;
        std::string name = absl::StrCat(object->name_space, "/", server.name);
        uses_[std::move(name)].push_back({object->name, std::move(server)});
      }
      json status = BuildVipStatus(facts, now_);
      Count(facts, status);
      WriteStatus(kube::kVips, *object, std::move(status), kVipFields, &decisions_.writes);
      RemoveForgotten(*object);
    }
  }

  bool LacksService(const KubeObject& vip) const {
    const std::string name = TextAt(vip.json, {"spec", "realServers", "service", "name"});
    return cluster_.services_known && !name.empty() &&
           !service_names_.contains(absl::StrCat(vip.name_space, "/", name));
  }

  void Count(const VipFacts& facts, const json& status) {
    DecisionFigures& figures = decisions_.figures;
    const json& conditions = status["conditions"];
    figures.vips_accepted += facts.verdict.accepted ? 1 : 0;
    figures.vips_programmed += TruthOf(conditions, "Programmed") == Truth::kTrue ? 1 : 0;
    figures.vips_ready += TruthOf(conditions, "Ready") == Truth::kTrue ? 1 : 0;
  }

  void RemoveForgotten(const KubeObject& vip) {
    std::vector<std::string> forgotten;
    for (const json& entry : ListAt(vip.json, {"status", "nodes"})) {
      std::string node = TextAt(entry, {"node"});
      if (daemons_.IsForgotten(node)) forgotten.push_back(std::move(node));
    }
    if (!forgotten.empty()) decisions_.writes.push_back(RemoveEntries(vip, forgotten));
  }

  void DecideService(const OurService& ours) {
    const PoolGrant* grant = catalog_.GrantOf(ClaimantOf(*ours.service));
    if (grant == nullptr || !grant->address.has_value()) {
      Refuse(ours, grant == nullptr ? "it was not looked at yet" : grant->message);
      return;  // what it has stays
    }
    auto wanted = WantedVips(*ours.service, *grant->address, grant->pool);
    if (!wanted.ok()) {
      Refuse(ours, std::string(wanted.status().message()));
      return;
    }
    bool in_force = true;
    std::set<std::string> names;
    for (const json& vip : *wanted) {
      names.insert(TextAt(vip, {"metadata", "name"}));
      in_force = DecideVipOfService(ours, vip) && in_force;
    }
    for (const KubeObjectPtr& vip : ours.owned) {
      if (!names.contains(vip->name)) {
        decisions_.writes.push_back(DeleteOf(kube::kVips, *vip));
      }
    }
    const json ingress = WantedIngress(ours.service->json, *grant->address);
    if (in_force && !HasIngress(ours.service->json, ingress)) {
      decisions_.writes.push_back(IngressOf(*ours.service, ingress));
    }
  }

  void Refuse(const OurService& ours, std::string reason) {
    decisions_.refused_services[ClaimantOf(*ours.service)] = {
        std::move(reason), RegardingOf(kube::kServices, *ours.service)};
  }

  // Whether the VIP is there and in force as it is wanted.
  bool DecideVipOfService(const OurService& ours, const json& wanted) {
    const std::string name = TextAt(wanted, {"metadata", "name"});
    const auto present = by_name_.find(absl::StrCat(ours.service->name_space, "/", name));
    if (present != by_name_.end()) {
      const std::optional<Owner> owner = OwnerOf(*present->second);
      if (!owner.has_value() || owner->name != ours.service->name) {
        Refuse(ours, absl::StrCat("VIP ", name,
                                  " of the namespace exists already and is not this Service's; "
                                  "delete it, or give the Service another name"));
        return false;
      }
      if (owner->uid == ours.service->uid && IsApplied(present->second->json, wanted)) {
        const json& conditions = ListAt(present->second->json, {"status", "conditions"});
        const bool current = NumberAt(present->second->json, {"status", "observedGeneration"}) ==
                             present->second->generation;
        return current && TruthOf(conditions, "Programmed") == Truth::kTrue;
      }
    }
    decisions_.writes.push_back(ApplyOf(kube::kVips, wanted));
    return false;
  }

  // VIPs whose Service is gone or wants them no longer, and the address that such a Service told.
  void ReleaseOrphans() {
    std::map<std::string, KubeObjectPtr> by_uid;
    std::set<std::string> ours;
    for (const KubeObjectPtr& service : cluster_.services) by_uid.emplace(service->uid, service);
    for (const OurService& service : services_) ours.insert(service.service->uid);
    std::set<std::string> told;
    for (const KubeObjectPtr& vip : cluster_.vips) {
      const std::optional<Owner> owner = OwnerOf(*vip);
      if (!owner.has_value() || ours.contains(owner->uid)) continue;
      // A Service with the same name came in its place and takes the VIP over.
      if (our_names_.contains(absl::StrCat(vip->name_space, "/", owner->name))) continue;
      decisions_.writes.push_back(DeleteOf(kube::kVips, *vip));
      const auto service = by_uid.find(owner->uid);
      if (service == by_uid.end() || !told.insert(owner->uid).second) continue;
      const json& ingress = ListAt(service->second->json, {"status", "loadBalancer", "ingress"});
      const json& addresses = ListAt(vip->json, {"spec", "addresses"});
      if (!ingress.empty() && !addresses.empty() && At(ingress[0], {"ip"}) == addresses[0]) {
        decisions_.writes.push_back(IngressOf(*service->second, json::array()));
      }
    }
  }

  void DecideServers() {
    for (const KubeObjectPtr& object : cluster_.real_servers) {
      if (!At(object->json, {"metadata", "deletionTimestamp"}).is_null()) continue;
      WriteStatus(kube::kRealServers, *object,
                  BuildServerStatus(object->json,
                                    catalog_.VerdictOf(IdOf(ObjectKind::kRealServer, *object)),
                                    uses_[QualifiedName(*object)], now_),
                  kServerFields, &decisions_.writes);
    }
  }

  void DecidePools() {
    for (const KubeObjectPtr& object : cluster_.pools) {
      const auto found = catalog_.pool_uses.find(object->name);
      std::optional<PoolUse> use;
      if (found != catalog_.pool_uses.end()) use = found->second;
      WriteStatus(
          kube::kAddressPools, *object,
          BuildPoolStatus(object->json, catalog_.VerdictOf(IdOf(ObjectKind::kAddressPool, *object)),
                          use, now_),
          kPoolFields, &decisions_.writes);
    }
  }

  const ClusterState& cluster_;
  const NodeLiveness& daemons_;
  const ServiceClass& class_;
  DecodeMemory& memory_;
  const absl::Time now_;
  std::map<std::string, KubeObjectPtr> by_name_;  // VIPs
  std::set<std::string> service_names_;
  std::set<std::string> our_names_;  // of `services_`
  std::vector<OurService> services_;
  Catalog catalog_;
  std::map<std::string, std::vector<ServerUse>> uses_;  // of "ns/server"
  Decisions decisions_;
};

}  // namespace

Decisions Decide(const ClusterState& cluster, const NodeLiveness& daemons,
                 const ServiceClass& service_class, DecodeMemory& memory, absl::Time now) {
  Decisions decisions = Decider(cluster, daemons, service_class, memory, now).Run();
  memory.Sweep();
  return decisions;
}

}  // namespace fairlead::cluster
