#include "pkg/cluster/list_objects.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/kube/object_decoder.h"

namespace fairlead::cluster {
namespace {

constexpr int kPagesMax = 1000;

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
    absl::StatusOr<kube::ObjectList> list = kube::DecodeList(response->body, resource);
    if (!list.ok()) return list.status();
    std::move(list->objects.begin(), list->objects.end(), std::back_inserter(objects));
    // Base64 of the URL alphabet: nothing to escape.
    next = list->continue_token;
    if (next.empty()) return objects;
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("more than ", kPagesMax, " pages of ", resource.plural));
}

}  // namespace fairlead::cluster
