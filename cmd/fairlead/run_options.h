// The options of `fairlead run`, decoded. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cmd/fairlead/cluster_options.h"
#include "cmd/fairlead/flags.h"
#include "cmd/fairlead/web_setup.h"
#include "pkg/base/log.h"
#include "pkg/doctor/cloud.h"
#include "pkg/model/node.h"
#include "pkg/net/endpoint.h"
#include "pkg/uring/ring.h"

namespace fairlead::cmd {

extern const CommandSpec kRunCommand;

struct RunOptions {
  std::string config_path;                // "" with `cluster`
  std::optional<ClusterOptions> cluster;  // the configuration is that of a Kubernetes cluster
  uring::Engine engine = uring::Engine::kAuto;
  int shards = 0;             // 0 = one per CPU
  uint32_t sessions_max = 0;  // 0 = what the descriptor limit allows
  std::optional<net::Endpoint> admin;
  std::optional<net::Endpoint> metrics;  // absent: the admin API serves them alone
  WebOptions web;
  std::optional<std::string> state_directory;
  std::string bpf_directory;       // absolute
  absl::Duration dr_lease;         // 0 = none
  std::optional<bool> dr_allowed;  // absent: unless this host is in a cloud
  base::LogLevel log_level = base::LogLevel::kInfo;
  base::LogFormat log_format = base::LogFormat::kText;
  bool takeover = false;
  absl::Duration shutdown_grace = absl::Seconds(30);
};

// Errors (InvalidArgument) name the flag and what it takes.
absl::StatusOr<RunOptions> DecodeRunOptions(const Flags& flags);

// Why this host takes part in no direct routing, and what to do in mode DR; both empty when it may.
struct DirectRefusal {
  std::string reason;
  std::string remedy;
};
DirectRefusal RefuseDirect(const RunOptions& options, const std::optional<doctor::Cloud>& cloud);

// What is in force: flags win over the Node object, which wins over the defaults.
struct NodeSettings {
  net::Endpoint admin;
  std::string state_directory;
  WebPlace web{};
  std::string interface {};           // of VIPs that name none; "" = by subnet
  std::optional<model::Pair> pair{};  // absent: this host is alone
};
NodeSettings SettleNode(const RunOptions& options, const std::optional<model::Node>& node);

}  // namespace fairlead::cmd
