#include "pkg/cluster/list_objects.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/cluster/json_access.h"

namespace fairlead::cluster {
namespace {

using nlohmann::json;

constexpr int kPagesMax = 1000;

kube::KubeObjectPtr ToObject(json object) {
  auto made = std::make_shared<kube::KubeObject>();
  made->name_space = TextAt(object, {"metadata", "namespace"});
  made->name = TextAt(object, {"metadata", "name"});
  made->uid = TextAt(object, {"metadata", "uid"});
  made->resource_version = TextAt(object, {"metadata", "resourceVersion"});
  made->generation = NumberAt(object, {"metadata", "generation"});
  made->json = std::move(object);
  return made;
}

}  // namespace

absl::StatusOr<std::vector<kube::KubeObjectPtr>> ListObjects(kube::ApiClient& client,
                                                             const kube::Resource& resource,
                                                             const std::string& name_space) {
  std::vector<kube::KubeObjectPtr> objects;
  std::string next;
  for (int page = 0; page < kPagesMax; ++page) {
    const absl::StatusOr<kube::ApiResponse> response =
        client.Send({.target = absl::StrCat(resource.Path(name_space), "?limit=500",
                                            next.empty() ? "" : absl::StrCat("&continue=", next))});
    if (!response.ok()) return response.status();
    if (!response->ok()) return absl::UnavailableError(response->ErrorText());
    json list = json::parse(response->body, nullptr, /*allow_exceptions=*/false);
    if (!list.is_object() || !list["items"].is_array()) {
      return absl::InternalError(absl::StrCat(client.server(), ": the answer is no list"));
    }
    for (json& item : list["items"]) objects.push_back(ToObject(std::move(item)));
    // Base64 of the URL alphabet: nothing to escape.
    next = TextAt(list, {"metadata", "continue"});
    if (next.empty()) return objects;
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("more than ", kPagesMax, " pages of ", resource.plural));
}

}  // namespace fairlead::cluster
