#include "cmd/fairlead/operator_options.h"

#include <unistd.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "cmd/fairlead/admin_address.h"
#include "pkg/model/suggestion.h"

namespace fairlead::cmd {
namespace {

constexpr char kDefaultAdmin[] = "127.0.0.1:9081";

constexpr FlagSpec kOperatorFlags[] = {
    {"in-cluster", "", "the API server of this pod's service account"},
    {"kubeconfig", "PATH", "the API server of a kubeconfig instead"},
    {"context", "NAME", "of the kubeconfig; default its current one"},
    {"namespace", "NAME", "whose VIPs, RealServers and Services; default all"},
    {"lease-namespace", "NAME",
     "where the leader's Lease and the daemons' are; default $POD_NAMESPACE, else that of the "
     "service account or the context"},
    {"identity", "NAME",
     "of this replica, distinct among them; default $POD_NAME, else host name and process id"},
    {"load-balancer-class", "CLASS",
     "Services of type LoadBalancer that get VIPs; default lb.fairlead.dev/fairlead"},
    {"classless-services", "", "also those without a class"},
    {"admin", "ADDR:PORT",
     "/healthz, /readyz and /metrics, to whoever reaches it; default 127.0.0.1:9081"},
    kLogFormatFlag,
    kLogLevelFlag,
};

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string DefaultIdentity() {
  if (std::string pod = Environment("POD_NAME"); !pod.empty()) return pod;
  char host[256] = {};
  ::gethostname(host, sizeof(host) - 1);
  return absl::StrCat(host, "_", ::getpid());
}

}  // namespace

const CommandSpec kOperatorCommand = {
    "operator", "--in-cluster | --kubeconfig PATH [flags]",
    "Gives VIPs of a Kubernetes cluster addresses and status, and Services VIPs.", kOperatorFlags};

absl::StatusOr<OperatorCommandOptions> DecodeOperatorOptions(const Flags& flags) {
  OperatorCommandOptions options;
  if (!flags.positional().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("unexpected argument ", model::Quoted(flags.positional().front())));
  }
  options.in_cluster = flags.Has("in-cluster");
  options.kubeconfig = flags.Get("kubeconfig");
  options.context = flags.Get("context");
  if (options.in_cluster == flags.Has("kubeconfig")) {
    return absl::InvalidArgumentError(
        "which API server? write --in-cluster in a pod, or --kubeconfig PATH elsewhere");
  }
  if (options.in_cluster && flags.Has("context")) {
    return absl::InvalidArgumentError("--context is of a kubeconfig; remove it, or --in-cluster");
  }
  options.name_space = flags.Get("namespace");
  options.lease_namespace = flags.Get("lease-namespace", Environment("POD_NAMESPACE"));
  options.identity = flags.Get("identity", DefaultIdentity());
  if (options.identity.empty()) return absl::InvalidArgumentError("--identity must not be empty");
  cluster::ServiceClass& service_class = options.service_class;
  service_class.load_balancer_class =
      flags.Get("load-balancer-class", service_class.load_balancer_class);
  service_class.classless = flags.Has("classless-services");
  const auto admin = ParseAdminAddress(flags.Get("admin", kDefaultAdmin));
  if (!admin.ok()) return admin.status();
  options.admin = *admin;
  const absl::StatusOr<LogOptions> log = DecodeLogOptions(flags);
  if (!log.ok()) return log.status();
  options.log = *log;
  return options;
}

}  // namespace fairlead::cmd
