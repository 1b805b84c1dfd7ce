#include "cmd/fairlead/run_options.h"

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cmd/fairlead/admin_address.h"
#include "cmd/fairlead/log_options.h"
#include "pkg/dataplane/dr/lease_keeper.h"
#include "pkg/model/suggestion.h"

namespace fairlead::cmd {
namespace {

constexpr char kDefaultStateDirectory[] = "/var/lib/fairlead";
constexpr char kDefaultBpfDirectory[] = "/sys/fs/bpf/fairlead";
constexpr int64_t kShardsMax = 256;
constexpr int64_t kSessionsMax = 4'000'000;
constexpr int64_t kGraceSecondsMax = 7 * 24 * 3600;

constexpr FlagSpec kRunFlags[] = {
    {"config", "PATH", "manifest file, or directory of manifests; edits are applied live"},
    kRunInClusterFlag,
    kRunKubeconfigFlag,
    kRunContextFlag,
    kNodeNameFlag,
    kWatchedNamespaceFlag,
    kVipModesFlag,
    {"io-engine", "auto|io_uring|epoll", "how bytes are moved; default auto"},
    {"shards", "N", "threads that serve clients; default one per CPU"},
    {"sessions-max", "N", "connections at a time; default what the descriptor limit allows"},
    {"admin", "ADDR:PORT", "admin API and metrics; default the Node object's or 127.0.0.1:9080"},
    {"metrics", "ADDR:PORT",
     "also serve /healthz, /readyz and /metrics there, and nothing else; default nowhere"},
    kWebFlag,
    kWebCertificateFlag,
    kWebSetupCodeFlag,
    {"state-directory", "DIR",
     "what must survive a restart; default the Node object's or /var/lib/fairlead"},
    {"mode-allowed", "snat|snat,dr",
     "modes that VIPs may use (Auto: by both, as far as allowed); default snat,dr, in a cloud "
     "snat"},
    {"bpf-directory", "DIR", "where mode DR keeps its maps; default /sys/fs/bpf/fairlead"},
    {"dr-lease", "DURATION",
     "mode DR: end forwarding when this process has been frozen or dead for so long (250ms to 1h); "
     "default 0: the kernel forwards on without it"},
    {"takeover", "", "take the listening sockets of the running daemon over, without losing a SYN"},
    {"shutdown-grace", "SECONDS", "time for connections to end after SIGTERM; default 30"},
    kLogFormatFlag,
    kLogLevelFlag,
};

absl::Status DecodeModes(const Flags& flags, RunOptions* options) {
  if (!flags.Has("mode-allowed")) return absl::OkStatus();
  options->dr_allowed = false;
  const std::string modes = flags.Get("mode-allowed");
  for (const absl::string_view mode : absl::StrSplit(modes, ',')) {
    if (mode == "dr") {
      options->dr_allowed = true;
    } else if (mode != "snat") {
      return BadChoice("mode-allowed", std::string(mode), "snat, dr");
    }
  }
  return absl::OkStatus();
}

absl::Status DecodePlaces(const Flags& flags, RunOptions* options) {
  options->config_path = flags.Get("config");
  auto cluster = DecodeClusterOptions(flags);
  if (!cluster.ok()) return cluster.status();
  options->cluster = *std::move(cluster);
  if (options->config_path.empty() && !options->cluster.has_value()) {
    return absl::InvalidArgumentError(
        "--config PATH is missing: name a manifest file or a directory of manifests; in a "
        "Kubernetes cluster use --in-cluster or --kubeconfig PATH");
  }
  if (!options->config_path.empty() && options->cluster.has_value()) {
    return absl::InvalidArgumentError(
        "--config excludes --in-cluster and --kubeconfig: the configuration has one source");
  }
  if (flags.Has("admin")) {
    auto admin = ParseAdminAddress(flags.Get("admin"));
    if (!admin.ok()) return admin.status();
    options->admin = *admin;
  }
  if (flags.Has("metrics")) {
    const auto metrics = ParseAdminAddress(flags.Get("metrics"));
    if (!metrics.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--metrics ", model::Quoted(flags.Get("metrics")),
                       " is not ADDR:PORT with an IP address and a port, as 0.0.0.0:9081"));
    }
    options->metrics = *metrics;
  }
  if (flags.Has("state-directory")) {
    options->state_directory = flags.Get("state-directory");
    if (options->state_directory->empty()) {
      return absl::InvalidArgumentError("--state-directory must not be empty");
    }
  }
  options->bpf_directory = flags.Get("bpf-directory", kDefaultBpfDirectory);
  if (!absl::StartsWith(options->bpf_directory, "/") ||
      absl::EndsWith(options->bpf_directory, "/")) {
    return absl::InvalidArgumentError(
        absl::StrCat("--bpf-directory ", model::Quoted(options->bpf_directory),
                     " must begin with / and name a directory of its own"));
  }
  return absl::OkStatus();
}

absl::Status DecodeLease(const Flags& flags, RunOptions* options) {
  using dataplane::dr::LeaseKeeper;
  const std::string text = flags.Get("dr-lease", "0");
  absl::Duration& lease = options->dr_lease;
  const bool valid = absl::ParseDuration(text, &lease) &&
                     (lease == absl::ZeroDuration() ||
                      (lease >= LeaseKeeper::kShortest && lease <= LeaseKeeper::kLongest));
  if (valid) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--dr-lease ", model::Quoted(text), " must be 0, or a duration from ",
                   absl::FormatDuration(LeaseKeeper::kShortest), " to ",
                   absl::FormatDuration(LeaseKeeper::kLongest), " with its unit, as 500ms or 3s"));
}

}  // namespace

const CommandSpec kRunCommand = {"run", "--config PATH | --in-cluster | --kubeconfig PATH [flags]",
                                 "Serves the VIPs of the configuration until SIGTERM.", kRunFlags};

absl::StatusOr<RunOptions> DecodeRunOptions(const Flags& flags) {
  RunOptions options;
  if (!flags.positional().empty()) {
    return absl::InvalidArgumentError(absl::StrCat("unexpected argument ",
                                                   model::Quoted(flags.positional().front()),
                                                   "; the configuration is named by --config"));
  }
  if (const absl::Status status = DecodePlaces(flags, &options); !status.ok()) return status;
  absl::StatusOr<WebOptions> web = DecodeWebOptions(flags);
  if (!web.ok()) return web.status();
  options.web = *std::move(web);
  const absl::StatusOr<LogOptions> log = DecodeLogOptions(flags);
  if (!log.ok()) return log.status();
  options.log_level = log->level;
  options.log_format = log->format;
  if (const absl::Status status = DecodeModes(flags, &options); !status.ok()) return status;
  if (const absl::Status status = DecodeLease(flags, &options); !status.ok()) return status;
  const auto engine = uring::ParseEngine(flags.Get("io-engine", "auto"));
  if (!engine.ok()) {
    return BadChoice("io-engine", flags.Get("io-engine"), "auto, io_uring, epoll");
  }
  options.engine = *engine;
  const auto shards = flags.GetNumber("shards", 0, 1, kShardsMax);
  if (!shards.ok()) return shards.status();
  options.shards = static_cast<int>(*shards);
  const auto sessions = flags.GetNumber("sessions-max", 0, 1, kSessionsMax);
  if (!sessions.ok()) return sessions.status();
  options.sessions_max = static_cast<uint32_t>(*sessions);
  const auto grace = flags.GetNumber("shutdown-grace", 30, 0, kGraceSecondsMax);
  if (!grace.ok()) return grace.status();
  options.shutdown_grace = absl::Seconds(*grace);
  options.takeover = flags.Has("takeover");
  return options;
}

DirectRefusal RefuseDirect(const RunOptions& options, const std::optional<doctor::Cloud>& cloud) {
  if (options.dr_allowed == true) return {};
  if (options.dr_allowed == false) {
    return {"--mode-allowed does not allow direct routing on this host",
            "use mode: SNAT, or start with --mode-allowed snat,dr"};
  }
  if (!cloud.has_value()) return {};
  return {cloud->WhyNotDirect(),
          "use mode: SNAT; if this network does carry frames to a VIP, force it by --mode-allowed "
          "snat,dr"};
}

NodeSettings SettleNode(const RunOptions& options, const std::optional<model::Node>& node) {
  NodeSettings settings = {model::AdminHttpEndpoint(options.admin, node), kDefaultStateDirectory,
                           SettleWeb(options.web, node)};
  // A pod on the hosts' network would open a port of each node, and its users go with the pod.
  if (options.cluster.has_value() && !settings.web.asked_for) settings.web = {};
  if (node.has_value() && !node->state_directory.empty()) {
    settings.state_directory = node->state_directory;
  }
  if (node.has_value()) {
    settings.interface = node->interface;
    settings.pair = node->pair;
  }
  if (options.state_directory.has_value()) settings.state_directory = *options.state_directory;
  return settings;
}

}  // namespace fairlead::cmd
