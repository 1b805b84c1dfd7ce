#include "cmd/fairlead/operator.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/time/clock.h"
#include "cmd/fairlead/operator_options.h"
#include "cmd/fairlead/process_setup.h"
#include "cmd/fairlead/version.h"
#include "pkg/admin/server.h"
#include "pkg/base/clock.h"
#include "pkg/base/log.h"
#include "pkg/cluster/operator.h"
#include "pkg/kube/api_client.h"
#include "pkg/kube/cluster_access.h"
#include "pkg/telemetry/metrics_writer.h"

namespace fairlead::cmd {
namespace {

admin::ApiResponse JsonPage(const nlohmann::json& page, int status) {
  return {.status = status, .content_type = "application/json", .body = page.dump() + "\n"};
}

admin::ApiResponse Ready(const cluster::OperatorView& view) {
  const std::string why_not = cluster::WhyNotReady(view);
  nlohmann::json page = {{"ready", why_not.empty()},
                         {"identity", view.identity},
                         {"leader", view.lease.leader},
                         {"holder", view.lease.holder}};
  if (!why_not.empty()) page["reason"] = why_not;
  for (const cluster::OperatorView::Resource& resource : view.resources) {
    if (!resource.health.problem.empty()) page["stale"][resource.name] = resource.health.problem;
  }
  return JsonPage(page, why_not.empty() ? 200 : 503);
}

admin::ApiResponse Serve(const cluster::Operator& made, const admin::ApiRequest& request) {
  if (request.method != "GET" && request.method != "HEAD") {
    return admin::ErrorResponse(405, "there is nothing to change here: GET only");
  }
  if (request.path == "/healthz") return JsonPage({{"status", "ok"}}, 200);
  if (request.path == "/readyz") return Ready(made.View());
  if (request.path == "/metrics") {
    return {.status = 200,
            .content_type = telemetry::kMetricsContentType,
            .body = cluster::MetricsText(made.View(), absl::Now())};
  }
  return admin::ErrorResponse(404, "there are /healthz, /readyz and /metrics");
}

void WaitForSignal(int signal_fd) {
  pollfd fd = {.fd = signal_fd, .events = POLLIN, .revents = 0};
  signalfd_siginfo signal;
  do {
    ::poll(&fd, 1, -1);
  } while (::read(signal_fd, &signal, sizeof(signal)) != sizeof(signal));
  base::LogInfo("signal received",
                {{"signal", ::sigabbrev_np(static_cast<int>(signal.ssi_signo))}});
}

cluster::OperatorOptions ToOptions(const OperatorCommandOptions& options,
                                   const kube::ClusterAccess& access) {
  cluster::OperatorOptions made;
  made.name_space = options.name_space;
  made.lease_namespace =
      options.lease_namespace.empty() ? access.name_space : options.lease_namespace;
  made.identity = options.identity;
  made.service_class = options.service_class;
  return made;
}

// Everything between the options and the exit code.
absl::Status RunUntilSignal(const OperatorCommandOptions& options, int signal_fd) {
  const absl::StatusOr<kube::ClusterAccess> access =
      options.in_cluster ? kube::InClusterAccess()
                         : kube::KubeconfigAccess(options.kubeconfig, options.context);
  if (!access.ok()) return access.status();
  const base::SystemClock clock;
  const absl::StatusOr<std::unique_ptr<kube::ApiClient>> client =
      kube::MakeApiClient(*access, clock);
  if (!client.ok()) return client.status();
  const cluster::OperatorOptions settled = ToOptions(options, *access);
  auto made = cluster::Operator::Start(**client, clock, settled);
  if (!made.ok()) return made.status();
  const auto admin = admin::AdminServer::Create(
      options.admin,
      [&made = **made](const admin::ApiRequest& request) { return Serve(made, request); },
      admin::ApiScope::kMetrics);
  if (!admin.ok()) return admin.status();
  base::LogInfo("fairlead operator is running",
                {{"version", Version()},
                 {"server", (*client)->server()},
                 {"access", access->origin},
                 {"identity", settled.identity},
                 {"lease_namespace", settled.lease_namespace},
                 {"namespace", settled.name_space.empty() ? "(all)" : settled.name_space},
                 {"admin", options.admin.ToString()}});
  WaitForSignal(signal_fd);
  return absl::OkStatus();
}

}  // namespace

int RunOperator(absl::Span<const std::string> arguments) {
  const ParseOutcome parsed = ParseOrExplain(kOperatorCommand, arguments);
  if (parsed.code >= 0) return parsed.code;
  const absl::StatusOr<OperatorCommandOptions> options = DecodeOperatorOptions(parsed.flags);
  if (!options.ok()) return UsageError(kOperatorCommand, options.status().message());
  base::ConfigureLog(options->log.level, options->log.format);
  const absl::StatusOr<base::UniqueFd> signals = SetUpSignals();
  if (!signals.ok()) return Failure(kOperatorCommand, signals.status().message());
  const absl::Status status = RunUntilSignal(*options, signals->get());
  if (!status.ok()) {
    base::LogError("the operator cannot start", {{"reason", std::string(status.message())}});
    return kExitFailure;
  }
  base::LogInfo("fairlead operator has stopped");
  return kExitOk;
}

}  // namespace fairlead::cmd
