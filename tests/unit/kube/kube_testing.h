// Objects as an API server sends them, for the tests of pkg/kube.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pkg/kube/cluster_object.h"
#include "pkg/kube/reflector.h"

namespace fairlead::kube {

using Json = nlohmann::json;

inline KubeObjectPtr ObjectFrom(Json json) {
  auto object = std::make_shared<KubeObject>();
  object->name_space = StringAt(json, {"metadata", "namespace"});
  object->name = StringAt(json, {"metadata", "name"});
  object->uid = StringAt(json, {"metadata", "uid"});
  const Json& generation = ValueAt(json, {"metadata", "generation"});
  object->generation = generation.is_number() ? generation.get<int64_t>() : 0;
  object->json = std::move(json);
  return object;
}

inline KubeObjectPtr VipObject(const std::string& name, Json spec,
                               const std::string& created = "2026-01-02T03:04:05Z",
                               Json status = nullptr) {
  Json json = {{"apiVersion", "lb.fairlead.dev/v1alpha1"},
               {"kind", "VIP"},
               {"metadata",
                {{"name", name},
                 {"namespace", "default"},
                 {"uid", "uid-" + name},
                 {"generation", 1},
                 {"creationTimestamp", created}}},
               {"spec", std::move(spec)}};
  if (!status.is_null()) json["status"] = std::move(status);
  return ObjectFrom(std::move(json));
}

inline KubeObjectPtr ServerObject(const std::string& name, const std::string& vip, Json spec) {
  return ObjectFrom({{"metadata",
                      {{"name", name},
                       {"namespace", "default"},
                       {"creationTimestamp", "2026-01-02T03:04:05Z"},
                       {"labels", {{"lb.fairlead.dev/vip", vip}}}}},
                     {"spec", std::move(spec)}});
}

inline KubeObjectPtr RawSliceObject(const std::string& name, const std::string& service,
                                    Json endpoints, Json ports) {
  return ObjectFrom({{"metadata",
                      {{"name", name},
                       {"namespace", "default"},
                       {"labels", {{"kubernetes.io/service-name", service}}}}},
                     {"addressType", "IPv4"},
                     {"endpoints", std::move(endpoints)},
                     {"ports", std::move(ports)}});
}

// Vectors: of `Json{one}` compilers make either the one or a list of it.
inline KubeObjectPtr SliceObject(const std::string& name, const std::string& service,
                                 std::vector<Json> endpoints, std::vector<Json> ports = {}) {
  return RawSliceObject(name, service, Json(std::move(endpoints)), Json(std::move(ports)));
}

// An endpoint of a pod; `conditions` null = none.
inline Json EndpointOf(const std::string& pod, const std::string& address,
                       Json conditions = nullptr) {
  Json endpoint = {{"addresses", {address}}, {"targetRef", {{"kind", "Pod"}, {"name", pod}}}};
  if (!conditions.is_null()) endpoint["conditions"] = std::move(conditions);
  return endpoint;
}

}  // namespace fairlead::kube
