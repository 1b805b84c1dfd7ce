// The options of `fairlead operator`, decoded. Pure but for the environment and the host's name.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "cmd/fairlead/flags.h"
#include "cmd/fairlead/log_options.h"
#include "pkg/cluster/service_vips.h"
#include "pkg/net/endpoint.h"

namespace fairlead::cmd {

extern const CommandSpec kOperatorCommand;

struct OperatorCommandOptions {
  bool in_cluster = false;
  std::string kubeconfig;       // of --kubeconfig; "" = $KUBECONFIG, else ~/.kube/config
  std::string context;          // "" = the current one
  std::string name_space;       // "" = all
  std::string lease_namespace;  // "" = that of the access
  std::string identity;
  cluster::ServiceClass service_class{};
  net::Endpoint admin;
  LogOptions log;
};

// Errors (InvalidArgument) name the flag and what it takes.
absl::StatusOr<OperatorCommandOptions> DecodeOperatorOptions(const Flags& flags);

}  // namespace fairlead::cmd
