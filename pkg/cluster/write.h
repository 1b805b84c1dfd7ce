// Write: one change of one API object that the operator wants, and whether it is needed. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pkg/cluster/conditions.h"
#include "pkg/kube/api_client.h"
#include "pkg/kube/reflector.h"
#include "pkg/kube/resource.h"

namespace fairlead::cluster {

struct Write {
  enum class Kind { kStatus, kRemoveEntries, kApply, kDelete, kIngress };
  Kind kind = Kind::kStatus;
  std::string object;  // "VIP default/web", for logs and to tell writes apart
  kube::ApiRequest request;
  nlohmann::json status{};         // kStatus: every field of the operator's; null = it is to go
  std::vector<Condition> flips{};  // kStatus: the conditions whose status changes
  nlohmann::json regarding{};      // kStatus: the object, for events
  std::string changes{};           // for the log; "" = not worth a line
  std::string based_on{};          // kStatus: the version of the object that was looked at

  // Of two writes with one key the later replaces the earlier.
  std::string key() const;
  // "status", "node entries", "object", "deletion", "ingress".
  const char* kind_name() const;
};

// The name of an object for people: "VIP default/web".
std::string NameOf(const kube::Resource& resource, const kube::KubeObject& object);

// Appends the write that makes `status` the operator's fields of the object's status, unless they
// are already. `fields` are all that are the operator's; one that `status` lacks is to go.
void WriteStatus(const kube::Resource& resource, const kube::KubeObject& object,
                 nlohmann::json status, const std::vector<const char*>& fields,
                 std::vector<Write>* writes);

// The deletion of exactly this object.
Write DeleteOf(const kube::Resource& resource, const kube::KubeObject& object);
// Server-side apply of a whole object of ours.
Write ApplyOf(const kube::Resource& resource, const nlohmann::json& object);
// Takes entries of daemons that are gone out of status.nodes; `nodes` are in the list.
Write RemoveEntries(const kube::KubeObject& vip, const std::vector<std::string>& nodes);
// status.loadBalancer.ingress of a Service; an empty list removes it.
Write IngressOf(const kube::KubeObject& service, const nlohmann::json& ingress);

}  // namespace fairlead::cluster
