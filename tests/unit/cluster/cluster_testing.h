// Objects as an API server would send them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "pkg/cluster/json_access.h"
#include "pkg/kube/reflector.h"
#include "pkg/net/ip_address.h"

namespace fairlead::cluster {

inline const absl::Time kTestNow = absl::FromUnixSeconds(1'800'000'000);
inline constexpr char kTestNowText[] = "2027-01-15T08:00:00Z";

inline net::IpAddress Ip(const std::string& text) { return *net::IpAddress::Parse(text); }

// `fields` (JSON) are merged into an object of this kind; created `age` seconds after the epoch.
inline kube::KubeObjectPtr MakeObject(const std::string& kind, const std::string& name,
                                      const std::string& fields, int created = 0,
                                      const std::string& name_space = "default") {
  auto object = std::make_shared<kube::KubeObject>();
  object->name_space = name_space;
  object->name = name;
  object->uid = absl::StrCat("uid-", kind, "-", name);
  object->resource_version = "1";
  object->generation = 1;
  object->json = {{"apiVersion", kind == "Service" ? "v1" : "lb.fairlead.dev/v1alpha1"},
                  {"kind", kind},
                  {"metadata",
                   {{"name", name},
                    {"uid", object->uid},
                    {"generation", 1},
                    {"creationTimestamp", ApiTime(absl::FromUnixSeconds(created))}}}};
  if (!name_space.empty()) object->json["metadata"]["namespace"] = name_space;
  object->json.merge_patch(nlohmann::json::parse(fields));
  return object;
}

inline kube::KubeObjectPtr MakePool(const std::string& name, const std::string& fields) {
  return MakeObject("AddressPool", name, fields, 0, "");
}

}  // namespace fairlead::cluster
