#include "cmd/fairlead/cluster_options.h"

#include <unistd.h>

#include <array>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "pkg/model/names.h"
#include "pkg/model/suggestion.h"

namespace fairlead::cmd {
namespace {

constexpr model::Mode kAllModes[] = {model::Mode::kSnat, model::Mode::kDr, model::Mode::kAuto};
// "fairlead-node-" before it is the name of a field manager, of at most 128 bytes.
constexpr size_t kNodeNameBytesMax = 114;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string HostName() {
  std::array<char, 256> name = {};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

absl::StatusOr<std::string> DecodeNodeName(const Flags& flags) {
  std::string name = flags.Get("node-name", Environment("NODE_NAME"));
  if (name.empty()) name = absl::AsciiStrToLower(HostName());
  std::string problem = model::NameProblem(name);
  if (problem.empty() && name.size() > kNodeNameBytesMax) {
    problem = absl::StrCat("has more than ", kNodeNameBytesMax, " bytes");
  }
  if (problem.empty()) return name;
  return absl::InvalidArgumentError(absl::StrCat(
      "the name of this daemon (--node-name, $NODE_NAME or the host's name): ", problem));
}

absl::StatusOr<std::set<model::Mode>> DecodeVipModes(const Flags& flags) {
  std::set<model::Mode> modes(std::begin(kAllModes), std::end(kAllModes));
  if (!flags.Has("vip-modes")) return modes;
  modes.clear();
  for (const absl::string_view word : absl::StrSplit(flags.Get("vip-modes"), ',')) {
    bool is_known = false;
    for (const model::Mode mode : kAllModes) {
      if (word != model::ModeName(mode)) continue;
      modes.insert(mode);
      is_known = true;
    }
    if (is_known) continue;
    return absl::InvalidArgumentError(absl::StrCat("--vip-modes ", model::Quoted(word),
                                                   " must be one of SNAT, DR, Auto, or several "
                                                   "with commas between them"));
  }
  return modes;
}

}  // namespace

absl::StatusOr<std::optional<ClusterOptions>> DecodeClusterOptions(const Flags& flags) {
  ClusterOptions options;
  options.in_cluster = flags.Has("in-cluster");
  const bool has_kubeconfig = flags.Has("kubeconfig");
  if (!options.in_cluster && !has_kubeconfig) {
    for (const char* flag : {"context", "node-name", "namespace", "vip-modes"}) {
      if (!flags.Has(flag)) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("--", flag, " is for --kubeconfig and --in-cluster; remove it"));
    }
    return std::nullopt;
  }
  if (options.in_cluster && has_kubeconfig) {
    return absl::InvalidArgumentError("--kubeconfig and --in-cluster exclude each other");
  }
  if (options.in_cluster && flags.Has("context")) {
    return absl::InvalidArgumentError("--context is for --kubeconfig; remove it");
  }
  options.kubeconfig = flags.Get("kubeconfig");
  if (has_kubeconfig && options.kubeconfig.empty()) {
    return absl::InvalidArgumentError("--kubeconfig must not be empty; name a file");
  }
  options.context = flags.Get("context");
  options.name_space = flags.Get("namespace");
  if (flags.Has("namespace")) {
    const std::string problem = model::NamespaceProblem(options.name_space);
    if (!problem.empty()) return absl::InvalidArgumentError("--namespace " + problem);
  }
  auto name = DecodeNodeName(flags);
  if (!name.ok()) return name.status();
  options.node_name = *std::move(name);
  auto modes = DecodeVipModes(flags);
  if (!modes.ok()) return modes.status();
  options.modes = *std::move(modes);
  return options;
}

absl::StatusOr<kube::ClusterAccess> AccessOf(const ClusterOptions& options) {
  if (options.in_cluster) return kube::InClusterAccess();
  return kube::KubeconfigAccess(options.kubeconfig, options.context);
}

kube::NodeIdentity IdentityOf(const ClusterOptions& options, const kube::ClusterAccess& access) {
  kube::NodeIdentity identity;
  identity.node = options.node_name;
  identity.name_space = Environment("POD_NAMESPACE");
  if (identity.name_space.empty()) identity.name_space = access.name_space;
  identity.pod_name = Environment("POD_NAME");
  identity.pod_uid = Environment("POD_UID");
  identity.holder = identity.pod_name.empty() ? HostName() : identity.pod_name;
  return identity;
}

}  // namespace fairlead::cmd
