// Exec plugins of kubeconfigs: a program prints credentials (client.authentication.k8s.io,
// KEP-541).
#pragma once

#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "pkg/kube/cluster_access.h"

namespace fairlead::kube {

inline constexpr absl::Duration kExecTimeout = absl::Seconds(30);

struct ExecCredential {
  std::string token;
  std::string certificate;  // PEM, with `key`
  std::string key;
  std::optional<absl::Time> expires;  // none: until the server refuses it
};

// Pure. What a plugin printed. Errors: InvalidArgument, what is wrong with it.
absl::StatusOr<ExecCredential> ParseExecCredential(absl::string_view printed,
                                                   const std::string& api_version);

// Runs `plugin` without a shell, with no input, in a process group of its own that is killed at
// `timeout` or as soon as `cancelled()` is true. `access` is what it is told of the cluster, where
// it asks for that. Blocks. Errors name command and cause: NotFound with the plugin's hint how to
// install it, Unavailable, DeadlineExceeded, Cancelled.
absl::StatusOr<ExecCredential> RunExecPlugin(const ExecPlugin& plugin, const ClusterAccess& access,
                                             absl::Duration timeout,
                                             absl::FunctionRef<bool()> cancelled);

}  // namespace fairlead::kube
