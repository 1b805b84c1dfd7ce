// ClusterAccess: which API server, and as whom. From the pod's service account, or a kubeconfig.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fairlead::kube {

inline constexpr char kServiceAccountDirectory[] = "/var/run/secrets/kubernetes.io/serviceaccount";

// A program that prints credentials (client.authentication.k8s.io; `users[].user.exec`).
struct ExecPlugin {
  std::string api_version;  // ".../v1" or ".../v1beta1"
  std::string command;      // a path, or a name that is looked up in $PATH
  std::vector<std::string> arguments{};
  std::vector<std::pair<std::string, std::string>> environment{};  // on top of this process's
  std::string install_hint{};
  bool provide_cluster_info = false;
};

// Certificates and tokens are PEM or text; where a `_file` is set it is read again now and then,
// and the last good content stays in use when that fails.
struct ClusterAccess {
  std::string server;           // "https://10.0.0.1:6443"; brackets around an IPv6 address
  std::string tls_server_name;  // expected in the certificate; "" = the host of `server`
  bool insecure_skip_tls_verify = false;
  std::string ca{};  // PEM; "" = the system's authorities
  std::string ca_file{};
  std::string client_certificate{};
  std::string client_certificate_file{};
  std::string client_key{};
  std::string client_key_file{};
  std::string token{};
  std::string token_file{};
  std::optional<ExecPlugin> exec{};
  // The namespace of this pod, or the context's; "default" when there is none.
  std::string name_space = "default";
  std::string origin;  // for messages: "in-cluster", "~/.kube/config, context dev"
};

// The service account of this pod: KUBERNETES_SERVICE_HOST and _PORT of the environment, and token,
// ca.crt and namespace below `directory`. Errors (NotFound) name what is missing.
absl::StatusOr<ClusterAccess> InClusterAccess(
    const std::string& directory = kServiceAccountDirectory);

// `paths` is a colon-separated list as $KUBECONFIG is (merged, the first one wins); "" =
// $KUBECONFIG, else ~/.kube/config. `context` "" = current-context. Errors name file and field.
absl::StatusOr<ClusterAccess> KubeconfigAccess(const std::string& paths,
                                               const std::string& context = "");

}  // namespace fairlead::kube
