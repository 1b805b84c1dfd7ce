// The flags of `fairlead run` that make it a node of a Kubernetes cluster, decoded.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "cmd/fairlead/flags.h"
#include "pkg/kube/cluster_access.h"
#include "pkg/kube/node_lease.h"
#include "pkg/model/vip.h"

namespace fairlead::cmd {

inline constexpr FlagSpec kRunKubeconfigFlag = {
    "kubeconfig", "PATH", "serve the VIPs of a Kubernetes cluster, found by a kubeconfig"};
inline constexpr FlagSpec kRunInClusterFlag = {
    "in-cluster", "", "serve the VIPs of the cluster that this pod runs in, by its account"};
inline constexpr FlagSpec kRunContextFlag = {"context", "NAME",
                                             "of the kubeconfig; default the current one"};
inline constexpr FlagSpec kNodeNameFlag = {
    "node-name", "NAME",
    "what the VIPs' status calls this daemon, unique in the cluster; default $NODE_NAME, else the "
    "host name"};
inline constexpr FlagSpec kWatchedNamespaceFlag = {
    "namespace", "NAME", "serve the VIPs of this namespace alone; default of all"};
inline constexpr FlagSpec kVipModesFlag = {
    "vip-modes", "SNAT,DR,Auto",
    "serve the VIPs of these modes alone, others are another daemon's; default all"};

struct ClusterOptions {
  bool in_cluster = false;
  std::string kubeconfig;  // with in_cluster ""
  std::string context;
  std::string node_name;   // well-formed
  std::string name_space;  // "" = all
  std::set<model::Mode> modes;
};

// Absent: the configuration is in files. Errors (InvalidArgument) name the flag and what it takes;
// flags that need a cluster are refused without one.
absl::StatusOr<std::optional<ClusterOptions>> DecodeClusterOptions(const Flags& flags);

// Reads the kubeconfig or the pod's account.
absl::StatusOr<kube::ClusterAccess> AccessOf(const ClusterOptions& options);

// Who this daemon is: POD_NAME, POD_UID and POD_NAMESPACE where the pod has them.
kube::NodeIdentity IdentityOf(const ClusterOptions& options, const kube::ClusterAccess& access);

}  // namespace fairlead::cmd
