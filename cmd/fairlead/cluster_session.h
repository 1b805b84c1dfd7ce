// ClusterSession: the API server that `kubectl fairlead` speaks to, as the user of a kubeconfig.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cmd/fairlead/flags.h"
#include "pkg/base/clock.h"
#include "pkg/kube/api_client.h"
#include "pkg/kube/resource.h"

namespace fairlead::cmd {

inline constexpr FlagSpec kKubeconfigFlag = {
    "kubeconfig", "PATH", "default $KUBECONFIG, else ~/.kube/config, else the pod's account"};
inline constexpr FlagSpec kContextFlag = {"context", "NAME", "default the current one"};
inline constexpr FlagSpec kNamespaceFlag = {"namespace", "NAME", "or -n; default the context's"};

class ClusterSession {
 public:
  // From the three flags above. Errors name file and field.
  static absl::StatusOr<std::unique_ptr<ClusterSession>> Open(const Flags& flags);

  // The namespace of --namespace, or the context's.
  const std::string& name_space() const { return name_space_; }

  // Errors of all three: the server's own words, with what was asked for; NotFound when there is no
  // such object. Every object of the namespace, of all namespaces when it is empty.
  absl::StatusOr<std::vector<nlohmann::json>> List(const kube::Resource& resource,
                                                   const std::string& name_space);
  absl::StatusOr<nlohmann::json> Get(const kube::Resource& resource, const std::string& name);
  // RFC 7396, in the name of the field manager kubectl-fairlead. The object as it is then.
  absl::StatusOr<nlohmann::json> MergePatch(const kube::Resource& resource, const std::string& name,
                                            const nlohmann::json& patch);

 private:
  ClusterSession() = default;
  absl::StatusOr<nlohmann::json> Ask(const kube::ApiRequest& request);

  const base::SystemClock clock_{};
  std::string name_space_;
  std::unique_ptr<kube::ApiClient> client_;
};

}  // namespace fairlead::cmd
