#include "pkg/kube/resource.h"

#include "absl/strings/str_cat.h"

namespace fairlead::kube {

std::string Resource::ApiVersion() const {
  return group.empty() ? std::string(version) : absl::StrCat(group, "/", version);
}

std::string Resource::Path(absl::string_view name_space, absl::string_view name,
                           absl::string_view subresource) const {
  std::string path = absl::StrCat(group.empty() ? "/api/" : "/apis/", ApiVersion());
  if (namespaced && !name_space.empty()) absl::StrAppend(&path, "/namespaces/", name_space);
  absl::StrAppend(&path, "/", plural);
  if (!name.empty()) absl::StrAppend(&path, "/", name);
  if (!subresource.empty()) absl::StrAppend(&path, "/", subresource);
  return path;
}

}  // namespace fairlead::kube
