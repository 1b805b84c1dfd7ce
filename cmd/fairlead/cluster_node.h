// ClusterNode: what makes the daemon a node of a Kubernetes cluster.
//
//   API server --reading client--> KubernetesSource --> relay, controller
//   API server <--writing client-- NodeReporter <-- the controller's view
//
// Main thread, except Leave.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "cmd/fairlead/cluster_options.h"
#include "pkg/base/clock.h"
#include "pkg/controller/controller.h"
#include "pkg/kube/api_client.h"
#include "pkg/kube/kubernetes_source.h"
#include "pkg/kube/node_reporter.h"
#include "pkg/source/config_source.h"

namespace fairlead::cmd {

class ClusterNode {
 public:
  // `clock` and `controller` outlive it. `on_state` is called with each configuration. Errors: the
  // access cannot be made out, or no thread could be made; not that the API server is away.
  static absl::StatusOr<std::unique_ptr<ClusterNode>> Start(
      const ClusterOptions& options, const std::optional<net::Endpoint>& admin,
      const std::string& state_directory, const base::Clock& clock,
      controller::Controller& controller, source::DesiredStateCallback on_state);
  ~ClusterNode();

  // Ends the configuration and begins to take back what this node wrote.
  void BeginStop();
  // Thread-safe. Another process goes on under this node's name: what it wrote stays.
  void Leave();

  // "https://10.0.0.1:6443 (in-cluster)", for the log.
  const std::string& description() const { return description_; }

 private:
  ClusterNode() = default;

  std::string description_;
  std::unique_ptr<kube::ApiClient> reading_;
  std::unique_ptr<kube::ApiClient> writing_;
  std::unique_ptr<kube::KubernetesSource> source_;
  std::unique_ptr<kube::NodeReporter> reporter_;
};

}  // namespace fairlead::cmd
