#include "pkg/cluster/written_statuses.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace fairlead::cluster {

void WrittenStatuses::Add(const std::string& object, std::string resource_version,
                          nlohmann::json status, absl::Duration at) {
  written_[object] = {std::move(resource_version), std::move(status), at + kPatience};
}

void WrittenStatuses::Overlay(const std::string& prefix, absl::Duration at,
                              std::vector<kube::KubeObjectPtr>* objects) {
  if (written_.empty()) return;
  for (kube::KubeObjectPtr& object : *objects) {
    const auto found = written_.find(absl::StrCat(
        prefix, object->name_space, object->name_space.empty() ? "" : "/", object->name));
    if (found == written_.end()) continue;
    const Entry& entry = found->second;
    if (entry.resource_version == object->resource_version || at >= entry.until) {
      written_.erase(found);
      continue;
    }
    auto overlaid = std::make_shared<kube::KubeObject>(*object);
    nlohmann::json& status = overlaid->json["status"];
    for (const auto& [field, value] : entry.status.items()) {
      if (value.is_null()) {
        if (status.is_object()) status.erase(field);
      } else {
        status[field] = value;
      }
    }
    object = std::move(overlaid);
  }
}

}  // namespace fairlead::cluster
