#include "pkg/dataplane/plan_builder.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pkg/model/server_fit.h"

namespace fairlead::dataplane {
namespace {

const ServerCondition& ConditionOf(const ServerConditions& conditions, const std::string& service,
                                   const std::string& server) {
  static const ServerCondition kDefault;
  const auto found = conditions.find({service, server});
  return found == conditions.end() ? kDefault : found->second;
}

// Halted servers are not checked, and those without an address cannot be: they have no say in
// whether everything is Unknown.
bool AllUnknown(const PlanInputs& inputs, const std::string& service,
                const std::vector<model::VipServer>& servers) {
  return std::all_of(servers.begin(), servers.end(), [&](const model::VipServer& server) {
    const ServerCondition& condition = ConditionOf(inputs.conditions, service, server.name);
    return condition.admin == model::AdminState::kHalt ||
           !AddressOf(server.spec, condition).has_value() ||
           condition.operational == model::OperationalState::kUnknown;
  });
}

struct SlowStart {
  double share = 1;  // of the weight, in (0, 1]
  absl::Duration next_step = absl::InfiniteDuration();
};

// The share rises linearly in at most 20 steps of at least one second: small enough to be smooth,
// few enough that a rack of returning servers does not rebuild the plan all the time. Within a step
// the share is that of its middle, so that the mean over the whole time is one half, as with a
// line.
SlowStart SlowStartAt(absl::Duration slow_start, absl::Duration up_since, absl::Duration now) {
  if (slow_start <= absl::ZeroDuration() || up_since == -absl::InfiniteDuration()) return {};
  const absl::Duration elapsed = std::max(now - up_since, absl::ZeroDuration());
  if (elapsed >= slow_start) return {};
  const absl::Duration step = std::min(slow_start, std::max(absl::Seconds(1), slow_start / 20));
  const double index = std::floor(absl::FDivDuration(elapsed, step));
  const absl::Duration step_end = std::min((index + 1) * step, slow_start);
  const absl::Duration middle = (index * step + step_end) / 2;
  return {.share = absl::FDivDuration(middle, slow_start), .next_step = up_since + step_end};
}

absl::Duration CutSessionsAt(const model::Vip& vip, const ServerCondition& condition) {
  // Time zero has always passed: "now", and the same value in every plan until the server answers.
  if (condition.operational == model::OperationalState::kDown && condition.unreachable) {
    return absl::ZeroDuration();
  }
  return AdminDeadline(vip, condition);
}

struct ServerContext {
  const PlanInputs& inputs;
  const model::Vip& vip;
  const std::string& service_name;
  bool all_unknown;
  const PlanService* last;  // of the last plan; null = it had none
};

// Both lists are sorted by name.
std::shared_ptr<const PlanService> FindService(const ForwardingPlan* plan,
                                               const std::string& name) {
  if (plan == nullptr) return nullptr;
  const auto found = std::lower_bound(
      plan->services.begin(), plan->services.end(), name,
      [](const auto& known, const std::string& wanted) { return known->name < wanted; });
  return found != plan->services.end() && (*found)->name == name ? *found : nullptr;
}

// Whether the kernel had the service before this plan: then connections may run directly, and flows
// that the proxy has are told from those that begin now.
bool WasForwarded(const ServerContext& context) {
  if (context.inputs.last == nullptr) return context.inputs.direct_adopted;
  return context.last != nullptr && (context.last->mode == model::Mode::kDr ||
                                     context.last->direct_part == DirectPart::kForward);
}

// It was reached directly there, and no check has said anything else since.
bool IsDirectStill(const ServerContext& context, const PlanServer& server) {
  if (context.last == nullptr) return false;
  return std::any_of(context.last->servers.begin(), context.last->servers.end(),
                     [&](const PlanServer& known) {
                       return known.id == server.id && known.way == Way::kDirect &&
                              known.address == server.address;
                     });
}

// Mode Auto: why a server is not reached directly; "" = it is.
std::string WhyProxied(const ServerContext& context, const model::ServerSpec& spec,
                       const ServerCondition& condition, const PlanServer& server) {
  if (!context.inputs.direct_refusal.empty()) return context.inputs.direct_refusal;
  if (std::string misfit = model::DirectMisfit(context.vip, spec); !misfit.empty()) return misfit;
  // What keeps a check from being made at all says more than that it was not.
  if (!condition.way_problem.value_or("").empty()) return *condition.way_problem;
  if (!condition.held.empty()) return condition.held;
  const std::string& said = condition.direct_path_reason;
  switch (condition.direct_path) {
    case model::OperationalState::kDown:
      return absl::StrCat("the check along the direct path fails: ", said);
    case model::OperationalState::kUnknown:
      if (IsDirectStill(context, server)) break;
      if (said.empty()) return "the path check has not passed yet";
      return absl::StrCat("the path check has not passed yet (", said, ")");
    case model::OperationalState::kUp:
      break;
  }
  const bool prepared = WasForwarded(context) && condition.way_problem.has_value();
  return prepared ? "" : "the path check has passed; direct routing prepares its way";
}

// Of a server that is held: its condition is Down, which says nothing against its connections.
constexpr model::OperationalState kChecksPass = model::OperationalState::kUp;

void DecideWay(const ServerContext& context, const model::ServerSpec& spec,
               const ServerCondition& condition, PlanServer* server) {
  switch (context.vip.mode) {
    case model::Mode::kSnat:
      return;
    case model::Mode::kDr:
      if (!condition.held.empty()) server->operational = kChecksPass;
      server->way = Way::kDirect;
      return;
    case model::Mode::kAuto:
      server->direct_path = condition.held.empty() ? condition.direct_path : kChecksPass;
      server->way_reason = WhyProxied(context, spec, condition, *server);
      server->way = server->way_reason.empty() ? Way::kDirect : Way::kProxy;
      return;
  }
}

// The first server whose check along the direct path passes makes the service forwarded.
DirectPart DecideDirectPart(const ServerContext& context,
                            const std::vector<model::VipServer>& servers) {
  if (context.vip.mode != model::Mode::kAuto || !context.inputs.direct_refusal.empty()) {
    return DirectPart::kNone;
  }
  if (WasForwarded(context)) return DirectPart::kForward;
  DirectPart part = DirectPart::kNone;
  for (const model::VipServer& server : servers) {
    if (!model::DirectMisfit(context.vip, server.spec).empty()) continue;
    part = DirectPart::kLook;
    const ServerCondition& condition =
        ConditionOf(context.inputs.conditions, context.service_name, server.name);
    if (condition.direct_path == model::OperationalState::kUp) return DirectPart::kForward;
  }
  return part;
}

void FillUsablePorts(const ServerContext& context, const model::ServerSpec& spec,
                     const ServerCondition& condition, PlanServer* server) {
  server->per_port = ChecksEachPort(context.vip, spec);
  if (!server->per_port) return;
  server->usable_ports = condition.operational == model::OperationalState::kUnknown
                             ? context.vip.ports
                             : context.vip.ports.Intersection(condition.usable_ports);
}

PlanServer BuildServer(const ServerContext& context, const model::VipServer& declared,
                       IdRegistry& ids, absl::Duration* rebuild_at) {
  const ServerCondition& condition =
      ConditionOf(context.inputs.conditions, context.service_name, declared.name);
  const absl::Duration now = context.inputs.now;
  PlanServer server;
  server.id = ids.ServerId(context.service_name, declared.name);
  server.name = declared.name;
  server.host_name = declared.spec.host_name;
  const std::optional<net::IpAddress> address = AddressOf(declared.spec, condition);
  server.address = address.value_or(net::IpAddress());
  server.port = declared.spec.port.value_or(0);
  server.connections_min = declared.spec.connections_min;
  server.connections_max = declared.spec.connections_max;
  server.eligibility = model::JoinStates(condition.admin, condition.operational,
                                         declared.spec.weight == 0, context.all_unknown);
  if (!address.has_value()) server.eligibility = model::Eligibility::kNone;
  server.operational = condition.operational;
  server.held = condition.held;
  server.cut_sessions_at = CutSessionsAt(context.vip, condition);
  FillUsablePorts(context, declared.spec, condition, &server);
  DecideWay(context, declared.spec, condition, &server);

  const SlowStart slow_start = SlowStartAt(context.vip.slow_start, condition.up_since, now);
  server.weight = declared.spec.weight * std::min(slow_start.share, condition.weight_share);
  *rebuild_at = std::min(*rebuild_at, slow_start.next_step);

  // Persistent clients of a draining server come only until its deadline.
  if (condition.admin == model::AdminState::kDrain) {
    const absl::Duration deadline = AdminDeadline(context.vip, condition);
    if (deadline <= now) {
      server.eligibility = model::Eligibility::kNone;
    } else {
      *rebuild_at = std::min(*rebuild_at, deadline);
    }
  }
  return server;
}

PlanService BuildService(const PlanInputs& inputs, const model::Vip& vip, IdRegistry& ids,
                         absl::Duration* rebuild_at) {
  PlanService service;
  service.name = vip.id.QualifiedName();
  service.id = ids.ServiceId(service.name);
  service.addresses = vip.addresses;
  service.ports = vip.ports;
  service.protocol = vip.protocol;
  service.mode = vip.mode;
  service.scheduler = vip.scheduler;
  service.persistence = vip.persistence;
  service.fallback = vip.fallback;
  service.client_address = vip.client_address;
  service.source = vip.source;
  service.timeouts = vip.timeouts;
  service.connections_max = vip.connections_max;
  service.watches_handshakes = vip.health_check.unanswered_handshakes.threshold > 0;
  const std::vector<model::VipServer> servers = inputs.servers.ServersOf(vip);
  const std::shared_ptr<const PlanService> last = FindService(inputs.last.get(), service.name);
  const ServerContext context = {inputs, vip, service.name,
                                 AllUnknown(inputs, service.name, servers), last.get()};
  service.direct_part = DecideDirectPart(context, servers);
  // Forwarded with every new flow given to this host first; the plan after that gives the direct
  // servers theirs.
  if (service.direct_part == DirectPart::kForward && !WasForwarded(context)) {
    *rebuild_at = inputs.now;
  }
  for (const model::VipServer& server : servers) {
    service.servers.push_back(BuildServer(context, server, ids, rebuild_at));
  }
  return service;
}

std::shared_ptr<const PlanService> ShareWithLast(PlanService service, const ForwardingPlan* last) {
  std::shared_ptr<const PlanService> known = FindService(last, service.name);
  if (known != nullptr && *known == service) return known;
  return std::make_shared<const PlanService>(std::move(service));
}

}  // namespace

uint32_t IdRegistry::ServiceId(const std::string& service_name) {
  const auto next = static_cast<uint32_t>(ids_.size() + 1);
  return ids_.try_emplace(service_name, next).first->second;
}

uint32_t IdRegistry::ServerId(const std::string& service_name, const std::string& server_name) {
  // '\n' is in no object name (RFC 1123 labels), so the two parts cannot run together.
  return ServiceId(absl::StrCat(service_name, "\n", server_name));
}

std::string NotServedReason(const model::Vip& vip) {
  if (vip.elsewhere) {
    return absl::StrCat("not this daemon's: its --vip-modes leave mode ", ModeName(vip.mode),
                        " to others");
  }
  if (!vip.enabled) return "disabled by spec.state; set it to Enabled to serve clients";
  if (vip.waits_for_address()) {
    return absl::StrCat("waiting for an address from pool ", vip.address_pool,
                        ", which `fairlead operator` gives out");
  }
  if (vip.protocol == model::Protocol::kUdp && vip.mode != model::Mode::kDr) {
    return "protocol UDP is not supported yet in mode SNAT; only TCP is served";
  }
  return "";
}

std::optional<net::IpAddress> AddressOf(const model::ServerSpec& server,
                                        const ServerCondition& condition) {
  return server.has_host_name() ? condition.resolved : server.address;
}

bool ChecksEachPort(const model::Vip& vip, const model::ServerSpec& server) {
  return vip.health_check.each_port && !server.port.has_value() &&
         vip.health_check.type != model::HealthCheck::Type::kNone &&
         vip.health_check.type != model::HealthCheck::Type::kIcmp;
}

absl::Duration AdminDeadline(const model::Vip& vip, const ServerCondition& condition) {
  switch (condition.admin) {
    case model::AdminState::kOnline:
      return absl::InfiniteDuration();
    case model::AdminState::kDrain:
      return condition.admin_since + vip.timeouts.drain;
    case model::AdminState::kHalt:
      return condition.admin_since + kHaltGrace;
  }
  return absl::InfiniteDuration();
}

PlanResult BuildPlan(const PlanInputs& inputs, IdRegistry& ids) {
  PlanResult result;
  std::vector<const model::Vip*> vips;
  for (const model::Vip& vip : inputs.desired.vips) {
    if (NotServedReason(vip).empty()) vips.push_back(&vip);
  }
  std::sort(vips.begin(), vips.end(), [](const model::Vip* left, const model::Vip* right) {
    return left->id.QualifiedName() < right->id.QualifiedName();
  });

  ForwardingPlan plan;
  for (const model::Vip* vip : vips) {
    plan.services.push_back(
        ShareWithLast(BuildService(inputs, *vip, ids, &result.rebuild_at), inputs.last.get()));
  }
  // Unchanged services are shared, so comparing pointers compares values.
  if (inputs.last != nullptr && inputs.last->services == plan.services) {
    result.plan = inputs.last;
    return result;
  }
  plan.revision = inputs.last == nullptr ? 1 : inputs.last->revision + 1;
  result.plan = std::make_shared<const ForwardingPlan>(std::move(plan));
  return result;
}

}  // namespace fairlead::dataplane
