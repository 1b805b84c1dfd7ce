#include "pkg/cluster/write.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "pkg/cluster/conditions.h"
#include "pkg/cluster/event.h"
#include "pkg/cluster/json_access.h"
#include "pkg/cluster/names.h"

namespace fairlead::cluster {
namespace {

using kube::KubeObject;
using kube::Resource;
using nlohmann::json;

// An answer after it could meet the next leader's; see LeaseElector::IsLeader.
constexpr absl::Duration kWriteTimeout = absl::Seconds(5);

std::string Text(const json& body) {
  // Words of users may be no UTF-8.
  return body.dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
}

// The operator's conditions of a list that others may add to.
json OwnConditions(const json& present, const json& wanted) {
  json own = json::array();
  for (const json& condition : wanted) {
    for (const json& candidate : present) {
      if (TextAt(candidate, {"type"}) == TextAt(condition, {"type"})) own.push_back(candidate);
    }
  }
  return own;
}

bool IsPresent(const json& present, const json& wanted, const std::vector<const char*>& fields) {
  return std::all_of(fields.begin(), fields.end(), [&](const char* field) {
    const json& want = At(wanted, {field});
    const json& have = At(present, {field});
    if (std::string_view(field) != "conditions") return have == want;
    return OwnConditions(ListAt(present, {field}), want) == want;
  });
}

std::vector<Condition> Flips(const json& present, const json& wanted) {
  std::vector<Condition> flips;
  for (const json& condition : wanted) {
    const std::string type = TextAt(condition, {"type"});
    const Truth truth = TruthOf(wanted, type);
    if (truth == TruthOf(present, type)) continue;
    flips.push_back({type, truth, TextAt(condition, {"reason"}), TextAt(condition, {"message"})});
  }
  return flips;
}

std::string Describe(const std::vector<Condition>& flips) {
  return absl::StrJoin(flips, ", ", [](std::string* out, const Condition& flip) {
    absl::StrAppend(out, flip.type, "=", TruthName(flip.status), " (", flip.reason, ": ",
                    flip.message, ")");
  });
}

std::string QueryOf(const char* manager) {
  return absl::StrCat("?fieldManager=", manager, "&force=true");
}

}  // namespace

std::string Write::key() const { return absl::StrCat(object, " ", kind_name()); }

const char* Write::kind_name() const {
  switch (kind) {
    case Kind::kStatus:
      return "status";
    case Kind::kRemoveEntries:
      return "node entries";
    case Kind::kApply:
      return "object";
    case Kind::kDelete:
      return "deletion";
    case Kind::kIngress:
      return "ingress";
  }
  return "";
}

std::string NameOf(const Resource& resource, const KubeObject& object) {
  return absl::StrCat(resource.kind, " ", object.name_space, object.name_space.empty() ? "" : "/",
                      object.name);
}

void WriteStatus(const Resource& resource, const KubeObject& object, json status,
                 const std::vector<const char*>& fields, std::vector<Write>* writes) {
  const json& present = At(object.json, {"status"});
  if (IsPresent(present, status, fields)) return;
  json metadata = {{"name", object.name}, {"uid", object.uid}};
  if (!object.name_space.empty()) metadata["namespace"] = object.name_space;
  const json body = {{"apiVersion", resource.ApiVersion()},
                     {"kind", resource.kind},
                     {"metadata", std::move(metadata)},
                     {"status", status}};
  Write write;
  write.kind = Write::Kind::kStatus;
  write.object = NameOf(resource, object);
  write.request = {.method = "PATCH",
                   .target = absl::StrCat(resource.Path(object.name_space, object.name, "status"),
                                          QueryOf(kFieldManager)),
                   .body = Text(body),
                   .content_type = kube::kApplyPatch,
                   .timeout = kWriteTimeout};
  write.flips = Flips(ListAt(present, {"conditions"}), ListAt(status, {"conditions"}));
  write.changes = Describe(write.flips);
  write.regarding = RegardingOf(resource, object);
  for (const char* field : fields) status.emplace(field, nullptr);
  write.status = std::move(status);
  write.based_on = object.resource_version;
  writes->push_back(std::move(write));
}

Write DeleteOf(const Resource& resource, const KubeObject& object) {
  const json body = {
      {"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"preconditions", {{"uid", object.uid}}}};
  Write write;
  write.kind = Write::Kind::kDelete;
  write.object = NameOf(resource, object);
  write.request = {.method = "DELETE",
                   .target = resource.Path(object.name_space, object.name),
                   .body = Text(body),
                   .timeout = kWriteTimeout};
  write.changes = "deleted: its Service is gone, or wants no load balancer of this class";
  return write;
}

Write ApplyOf(const Resource& resource, const json& object) {
  const std::string name_space = TextAt(object, {"metadata", "namespace"});
  const std::string name = TextAt(object, {"metadata", "name"});
  Write write;
  write.kind = Write::Kind::kApply;
  write.object = absl::StrCat(resource.kind, " ", name_space, "/", name);
  write.request = {.method = "PATCH",
                   .target = absl::StrCat(resource.Path(name_space, name), QueryOf(kObjectManager)),
                   .body = Text(object),
                   .content_type = kube::kApplyPatch,
                   .timeout = kWriteTimeout};
  write.changes =
      absl::StrCat("applied for Service ", TextAt(object, {"metadata", "labels", kServiceLabel}));
  return write;
}

Write RemoveEntries(const KubeObject& vip, const std::vector<std::string>& nodes) {
  const json& entries = ListAt(vip.json, {"status", "nodes"});
  json patch = json::array();
  for (size_t i = entries.size(); i-- > 0;) {  // from the end: the others keep their places
    const std::string node = TextAt(entries[i], {"node"});
    if (std::find(nodes.begin(), nodes.end(), node) == nodes.end()) continue;
    patch.push_back(
        {{"op", "test"}, {"path", absl::StrCat("/status/nodes/", i, "/node")}, {"value", node}});
    patch.push_back({{"op", "remove"}, {"path", absl::StrCat("/status/nodes/", i)}});
  }
  Write write;
  write.kind = Write::Kind::kRemoveEntries;
  write.object = NameOf(kube::kVips, vip);
  write.request = {.method = "PATCH",
                   .target = kube::kVips.Path(vip.name_space, vip.name, "status"),
                   .body = Text(patch),
                   .content_type = kube::kJsonPatch,
                   .timeout = kWriteTimeout};
  write.changes =
      absl::StrCat("entries of daemons that are gone are removed: ", absl::StrJoin(nodes, ", "));
  return write;
}

Write IngressOf(const KubeObject& service, const json& ingress) {
  const json body = {
      {"status", {{"loadBalancer", {{"ingress", ingress.empty() ? json() : ingress}}}}}};
  Write write;
  write.kind = Write::Kind::kIngress;
  write.object = NameOf(kube::kServices, service);
  write.request = {.method = "PATCH",
                   .target = kube::kServices.Path(service.name_space, service.name, "status"),
                   .body = Text(body),
                   .content_type = kube::kMergePatch,
                   .timeout = kWriteTimeout};
  write.changes = ingress.empty() ? "the address is taken back"
                                  : absl::StrCat("its address is ", TextAt(ingress[0], {"ip"}));
  return write;
}

}  // namespace fairlead::cluster
