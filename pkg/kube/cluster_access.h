// ClusterAccess: which API server, and as whom. From the pod's service account, or a kubeconfig.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fairlead::kube {

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
  // The namespace of this pod, or the context's; "default" when there is none.
  std::string name_space = "default";
  std::string origin;  // for messages: "in-cluster", "~/.kube/config, context dev"
};

// The service account of this pod: KUBERNETES_SERVICE_HOST and _PORT, token, ca.crt and namespace
// below /var/run/secrets/kubernetes.io/serviceaccount. Errors (NotFound) name what is missing.
absl::StatusOr<ClusterAccess> InClusterAccess();

// `paths` is a colon-separated list as $KUBECONFIG is (merged, the first one wins); "" =
// $KUBECONFIG, else ~/.kube/config. `context` "" = current-context. Errors name file and field.
absl::StatusOr<ClusterAccess> KubeconfigAccess(const std::string& paths,
                                               const std::string& context = "");

}  // namespace fairlead::kube
