#include "pkg/cluster/operator_view.h"

#include "absl/strings/str_cat.h"
#include "pkg/telemetry/metrics_writer.h"
#include "pkg/telemetry/process_stats.h"

namespace fairlead::cluster {
namespace {

using telemetry::MetricsWriter;
using telemetry::MetricType;

void WriteCount(MetricsWriter& writer, absl::string_view name, MetricType type,
                absl::string_view help, uint64_t value) {
  writer.Family(name, type, help);
  writer.Sample({}, value);
}

void WriteByKind(MetricsWriter& writer, absl::string_view name, absl::string_view help,
                 const std::map<std::string, uint64_t>& counts) {
  writer.Family(name, MetricType::kCounter, help);
  for (const auto& [kind, count] : counts) writer.Sample({{"kind", kind}}, count);
}

void WriteResources(const OperatorView& view, absl::Time now, MetricsWriter& writer) {
  const auto family = [&](absl::string_view name, MetricType type, absl::string_view help,
                          auto value) {
    writer.Family(name, type, help);
    for (const auto& [resource, health] : view.resources) {
      writer.Sample({{"resource", resource}}, value(health));
    }
  };
  family("fairlead_operator_copy_stale", MetricType::kGauge,
         "Whether the copy of a resource is not followed now (1), so that it may be old.",
         [](const kube::ReflectorHealth& health) {
           return static_cast<uint64_t>(health.synced && health.problem.empty() ? 0 : 1);
         });
  family("fairlead_operator_copy_age_seconds", MetricType::kGauge,
         "Since when a resource is not followed; 0 while it is.",
         [now](const kube::ReflectorHealth& health) {
           const bool fresh = health.problem.empty() || health.current == absl::InfinitePast();
           return fresh ? 0.0 : absl::ToDoubleSeconds(now - health.current);
         });
  family("fairlead_operator_lists_total", MetricType::kCounter, "Lists of a resource.",
         [](const kube::ReflectorHealth& health) { return health.lists_total; });
  family("fairlead_operator_events_total", MetricType::kCounter, "Watch events of a resource.",
         [](const kube::ReflectorHealth& health) { return health.events_total; });
  family("fairlead_operator_watch_failures_total", MetricType::kCounter,
         "Lists and watches of a resource that failed.",
         [](const kube::ReflectorHealth& health) { return health.failures_total; });
}

void WritePools(const OperatorView& view, MetricsWriter& writer) {
  writer.Family("fairlead_operator_pool_addresses_used", MetricType::kGauge,
                "Addresses of a pool that VIPs have.");
  for (const auto& [pool, use] : view.figures.pools) writer.Sample({{"pool", pool}}, use.given);
  writer.Family("fairlead_operator_pool_addresses", MetricType::kGauge, "Addresses of a pool.");
  for (const auto& [pool, use] : view.figures.pools) writer.Sample({{"pool", pool}}, use.size);
}

void WriteObjects(const OperatorView& view, MetricsWriter& writer) {
  const DecisionFigures& figures = view.figures;
  writer.Family("fairlead_operator_vips", MetricType::kGauge,
                "VIPs, by the conditions that are True; 0 while another process leads.");
  writer.Sample({{"condition", "any"}}, figures.vips);
  writer.Sample({{"condition", "Accepted"}}, figures.vips_accepted);
  writer.Sample({{"condition", "Programmed"}}, figures.vips_programmed);
  writer.Sample({{"condition", "Ready"}}, figures.vips_ready);
  WriteCount(writer, "fairlead_operator_real_servers", MetricType::kGauge, "RealServer objects.",
             figures.real_servers);
  WriteCount(writer, "fairlead_operator_services", MetricType::kGauge,
             "Services of type LoadBalancer of this load balancer's class.", figures.services);
  WriteCount(writer, "fairlead_operator_services_refused", MetricType::kGauge,
             "Those that get no VIP or no address; the log says why.", view.services_refused);
  WriteCount(writer, "fairlead_operator_daemons", MetricType::kGauge,
             "Daemons (fairlead run) whose Lease is alive.", view.daemons_alive);
}

}  // namespace

std::string MetricsText(const OperatorView& view, absl::Time now) {
  MetricsWriter writer;
  WriteCount(writer, "fairlead_operator_leader", MetricType::kGauge,
             "Whether this process leads (1).", view.lease.leader ? 1 : 0);
  WriteCount(writer, "fairlead_operator_leader_transitions_total", MetricType::kCounter,
             "How often this process began or ceased to lead.", view.lease.transitions_total);
  WriteCount(writer, "fairlead_operator_lease_failures_total", MetricType::kCounter,
             "Attempts to read or write the leader's Lease that failed.",
             view.lease.failures_total);
  WriteObjects(view, writer);
  WritePools(view, writer);
  WriteCount(writer, "fairlead_operator_decisions_total", MetricType::kCounter,
             "How often the whole cluster was looked at.", view.decisions_total);
  WriteByKind(writer, "fairlead_operator_writes_total", "Writes that the API server took.",
              view.writes_total);
  WriteByKind(writer, "fairlead_operator_write_failures_total",
              "Writes that it did not take; they are tried again.", view.write_failures_total);
  WriteCount(writer, "fairlead_operator_writes_pending", MetricType::kGauge,
             "Writes that wait for their time.", view.writes_pending);
  WriteResources(view, now, writer);
  telemetry::WriteProcessMetrics(telemetry::ReadProcessStats(), &writer);
  return writer.Finish();
}

std::string WhyNotReady(const OperatorView& view) {
  if (view.synced) return "";
  for (const auto& [name, health] : view.resources) {
    if (health.synced) continue;
    return absl::StrCat(name, " were not listed yet",
                        health.problem.empty() ? "" : absl::StrCat(": ", health.problem));
  }
  return "starting";
}

}  // namespace fairlead::cluster
