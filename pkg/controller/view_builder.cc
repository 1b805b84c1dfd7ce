#include "pkg/controller/view_builder.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "pkg/dataplane/plan_builder.h"

namespace fairlead::controller {
namespace {

std::string PersistenceText(const model::Persistence& persistence) {
  if (persistence.type == model::Persistence::Type::kNone) return "None";
  return absl::StrFormat("SourceIP %ds /%d /%d", absl::ToInt64Seconds(persistence.timeout),
                         persistence.ipv4_prefix_length, persistence.ipv6_prefix_length);
}

std::string HealthCheckText(const model::HealthCheck& check) {
  std::string text = model::HealthCheckTypeName(check.type);
  if (check.type == model::HealthCheck::Type::kNone) return text;
  if (check.each_port) {
    text += " on each port";
  } else if (check.port != 0) {
    absl::StrAppend(&text, " on port ", check.port);
  }
  if (check.half_open) text += ", half-open";
  absl::StrAppend(&text, ", every ", absl::FormatDuration(check.interval));
  return text;
}

// Services and servers of a plan are sorted by name.
const dataplane::PlanService* FindService(const dataplane::ForwardingPlan* plan,
                                          const std::string& name) {
  if (plan == nullptr) return nullptr;
  const auto found = std::lower_bound(
      plan->services.begin(), plan->services.end(), name,
      [](const auto& service, const std::string& wanted) { return service->name < wanted; });
  return found != plan->services.end() && (*found)->name == name ? found->get() : nullptr;
}

const dataplane::PlanServer* FindServer(const dataplane::PlanService* service,
                                        const std::string& name) {
  if (service == nullptr) return nullptr;
  const auto found = std::lower_bound(
      service->servers.begin(), service->servers.end(), name,
      [](const auto& server, const std::string& wanted) { return server.name < wanted; });
  return found != service->servers.end() && found->name == name ? &*found : nullptr;
}

void FillHealth(const ServerRecord& record, ServerView* view) {
  view->health = record.condition.operational;
  view->health_reason = record.health_reason;
  view->unreachable = record.condition.unreachable;
  view->health_since = record.health_since;
  view->per_port = record.per_port;
  net::PortSet up;
  net::PortSet down;
  for (const auto& [port, report] : record.reports) {
    view->checked = std::max(view->checked, report.checked);
    view->check_latency = std::max(view->check_latency, report.latency);
    view->probes_total += report.probes;
    view->probe_failures_total += report.failures;
    if (!record.per_port || port == 0) continue;
    if (report.state == model::OperationalState::kUp) up.Add({port, port});
    if (report.state == model::OperationalState::kDown) down.Add({port, port});
  }
  view->ports_up = up.ToString();
  view->ports_down = down.ToString();
}

void FillPath(const ServerRecord& record, ServerView* view) {
  if (record.path_use == PathUse::kNone) return;
  PathView path;
  path.state = record.condition.direct_path;
  path.reason = record.condition.direct_path_reason;
  for (const auto& [address, report] : record.path_reports) {
    path.since = std::max(path.since, report.since);
    path.checked = std::max(path.checked, report.checked);
    path.latency = std::max(path.latency, report.latency);
    path.probes_total += report.probes;
    path.failures_total += report.failures;
  }
  view->path = std::move(path);
}

void FillHandshakes(const ViewInputs& inputs, const model::Vip& vip, const ServerRecord& record,
                    ServerView* view) {
  view->judged_by_handshakes = vip.health_check.unanswered_handshakes.threshold > 0;
  view->handshakes = record.handshakes;
  if (record.handshakes.phase != HandshakeVerdict::Phase::kHeld) return;
  view->held_until = inputs.now + (record.handshakes.held_until - inputs.now_monotonic);
}

// What a host name stands for, and its problem before whatever else there is to say.
void FillName(const ServerRecord& record, absl::Time now, ServerView* view) {
  view->address = record.condition.resolved.value_or(net::IpAddress());
  view->name_problem = record.name_problem;
  if (!record.name_problem.empty()) {
    view->name_failing_since = record.name_failing_since;
    const std::string age =
        absl::FormatDuration(absl::Trunc(now - record.name_failing_since, absl::Seconds(1)));
    view->health_reason =
        view->has_address()
            ? absl::StrCat(view->health_reason,
                           "; at its last known address: the name has not "
                           "resolved for ",
                           age, ": ", record.name_problem)
            : absl::StrCat("name does not resolve: ", record.name_problem, " (for ", age, ")");
  } else if (!record.looked_up) {
    view->health_reason = "its name has not been resolved yet";
  }
}

std::string WayReason(const model::Vip& vip, const dataplane::PlanServer& server) {
  if (server.way_reason.empty() || vip.protocol == model::Protocol::kTcp) return server.way_reason;
  return absl::StrCat(server.way_reason, "; it gets no UDP, as the proxy carries TCP only");
}

ServerView BuildServerView(const ViewInputs& inputs, const model::Vip& vip,
                           const model::VipServer& server, const dataplane::PlanService* service) {
  ServerView view;
  view.name = server.name;
  view.is_object = server.is_object;
  view.host_name = server.spec.host_name;
  view.address = server.spec.address;
  view.port = server.spec.port.value_or(0);
  view.weight = server.spec.weight;
  view.connections_min = server.spec.connections_min;
  view.connections_max = server.spec.connections_max;
  view.admin_in_manifest = server.spec.state;
  const auto record = inputs.records.find({vip.id.QualifiedName(), server.name});
  if (record != inputs.records.end()) {
    view.admin = record->second.condition.admin;
    view.set_here = record->second.set_here;
    view.admin_since = record->second.admin_since;
    const absl::Duration deadline = dataplane::AdminDeadline(vip, record->second.condition);
    if (deadline != absl::InfiniteDuration()) {
      view.deadline = inputs.now + (deadline - inputs.now_monotonic);
    }
    FillHealth(record->second, &view);
    FillPath(record->second, &view);
    FillHandshakes(inputs, vip, record->second, &view);
    if (!view.host_name.empty()) FillName(record->second, inputs.now, &view);
  }
  if (const dataplane::PlanServer* planned = FindServer(service, server.name)) {
    view.eligibility = planned->eligibility;
    view.weight_effective = planned->weight;
    view.way = planned->way;
    view.way_reason = WayReason(vip, *planned);
    view.counters.server_id = planned->id;
  }
  return view;
}

VipView BuildVipView(const ViewInputs& inputs, const model::Vip& vip) {
  const std::string name = vip.id.QualifiedName();
  VipView view;
  view.name_space = vip.id.name_space;
  view.name = vip.id.name;
  view.ports = vip.ports.ToString();
  view.protocol = model::ProtocolName(vip.protocol);
  view.mode = model::ModeName(vip.mode);
  view.scheduler = model::SchedulerName(vip.scheduler);
  view.persistence = PersistenceText(vip.persistence);
  view.health_check = HealthCheckText(vip.health_check);
  view.location = vip.location.ToString();
  view.enabled = vip.enabled;
  view.elsewhere = vip.elsewhere;
  view.announced = vip.enabled && vip.advertise.type == model::Advertise::Type::kL2;
  view.connections_max = vip.connections_max;
  view.problem = dataplane::NotServedReason(vip);
  const auto& stale = inputs.desired->stale;
  view.stale = std::find(stale.begin(), stale.end(), vip.id) != stale.end();
  for (const net::IpAddress& address : vip.addresses) view.addresses.push_back({address, ""});
  const auto state = inputs.services.find(name);
  if (state != inputs.services.end()) {
    if (view.problem.empty()) view.problem = state->second.problem;
    view.addresses_known = !state->second.addresses.empty();
    if (view.addresses_known) view.addresses = state->second.addresses;
  }
  const dataplane::PlanService* service = FindService(inputs.plan, name);
  if (service != nullptr) view.counters.service_id = service->id;
  if (vip.elsewhere) return view;  // its servers are the other daemon's to tell of
  for (const model::VipServer& server : inputs.servers->ServersOf(vip)) {
    view.servers.push_back(BuildServerView(inputs, vip, server, service));
  }
  return view;
}

void MergeService(dataplane::ServiceObservation observed, VipView* vip) {
  absl::flat_hash_map<uint32_t, const dataplane::ServerObservation*> servers;
  for (const dataplane::ServerObservation& server : observed.servers) {
    servers.emplace(server.server_id, &server);
  }
  for (ServerView& server : vip->servers) {
    const auto found = servers.find(server.counters.server_id);
    if (found != servers.end()) server.counters = *found->second;
  }
  observed.servers.clear();
  vip->counters = std::move(observed);
}

}  // namespace

std::vector<VipView> BuildVipViews(const ViewInputs& inputs) {
  std::vector<VipView> views;
  if (inputs.desired == nullptr) return views;
  for (const model::Vip& vip : inputs.desired->vips) views.push_back(BuildVipView(inputs, vip));
  std::sort(views.begin(), views.end(), [](const VipView& left, const VipView& right) {
    return left.QualifiedName() < right.QualifiedName();
  });
  return views;
}

void MergeObservation(dataplane::PlaneObservation observation, ControlView* view) {
  absl::flat_hash_map<uint32_t, VipView*> vips;
  for (VipView& vip : view->vips) {
    if (vip.counters.service_id != 0) vips.emplace(vip.counters.service_id, &vip);
  }
  for (dataplane::ServiceObservation& service : observation.services) {
    const auto found = vips.find(service.service_id);
    if (found != vips.end()) MergeService(std::move(service), found->second);
  }
  observation.services.clear();
  view->plane = std::move(observation);
}

}  // namespace fairlead::controller
