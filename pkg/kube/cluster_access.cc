#include "pkg/kube/cluster_access.h"

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pkg/kube/text_file.h"

namespace fairlead::kube {
namespace {

constexpr char kNotInAPod[] =
    "; this works in a pod with a service account only, elsewhere name a kubeconfig";

}  // namespace

absl::StatusOr<ClusterAccess> InClusterAccess(const std::string& directory) {
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || *host == '\0' || port == nullptr || *port == '\0') {
    return absl::NotFoundError(absl::StrCat(
        "in-cluster access: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set",
        kNotInAPod));
  }
  ClusterAccess access;
  const bool is_ipv6 = absl::StrContains(host, ':') && *host != '[';
  access.server = absl::StrCat("https://", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", ":", port);
  access.token_file = directory + "/token";
  access.ca_file = directory + "/ca.crt";
  access.origin = "in-cluster";
  for (const std::string& file : {access.token_file, access.ca_file}) {
    if (const auto text = ReadTextFile(file); !text.ok()) {
      return absl::NotFoundError(absl::StrCat("in-cluster access: ", text.status().message(),
                                              "; is automountServiceAccountToken false?",
                                              kNotInAPod));
    }
  }
  if (const auto name_space = ReadTextFile(directory + "/namespace"); name_space.ok()) {
    access.name_space = std::string(absl::StripAsciiWhitespace(*name_space));
  }
  if (access.name_space.empty()) access.name_space = "default";
  return access;
}

}  // namespace fairlead::kube
