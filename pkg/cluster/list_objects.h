// Every object of a resource as the API server has it at this moment, not as a copy has it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/kube/api_client.h"
#include "pkg/kube/reflector.h"
#include "pkg/kube/resource.h"

namespace fairlead::cluster {

// Blocks. A consistent list (no resourceVersion), in pages. Errors: as ApiClient::Send, or what the
// server answered.
absl::StatusOr<std::vector<kube::KubeObjectPtr>> ListObjects(kube::ApiClient& client,
                                                             const kube::Resource& resource,
                                                             const std::string& name_space);

}  // namespace fairlead::cluster
