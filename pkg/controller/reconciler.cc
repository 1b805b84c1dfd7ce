#include "pkg/controller/reconciler.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "pkg/base/counted.h"
#include "pkg/controller/config_diff.h"
#include "pkg/controller/server_ways.h"
#include "pkg/model/suggestion.h"

namespace fairlead::controller {
namespace {

constexpr char kNotOnHost[] = "VIP address is not on this host";

Event VipEvent(base::LogLevel level, absl::string_view message, const std::string& service,
               std::string reason) {
  Event event;
  event.level = level;
  event.message = message;
  event.kind = "vip";
  event.subject = service;
  event.reason = std::move(reason);
  return event;
}

// "10.0.0.1, 10.0.0.2": those that no interface has.
std::string MissingAddresses(const ServiceState& state) {
  std::vector<std::string> missing;
  for (const dataplane::AddressOutcome& outcome : state.addresses) {
    if (outcome.interface.empty()) missing.push_back(outcome.address.ToString());
  }
  return absl::StrJoin(missing, ", ");
}

bool HasServer(const dataplane::PlanService& service) {
  return std::any_of(service.servers.begin(), service.servers.end(), [](const auto& server) {
    return server.eligibility != model::Eligibility::kNone;
  });
}

size_t CountServers(const dataplane::ForwardingPlan& plan) {
  size_t count = 0;
  for (const auto& service : plan.services) count += service->servers.size();
  return count;
}

}  // namespace

Reconciler::Reconciler(ReconcilerOptions options, const base::Clock& clock,
                       dataplane::DataPlane& plane, health::HealthMonitor& health,
                       resolver::NameResolver& names, arp::ArpWatch& arp)
    : options_(std::move(options)),
      clock_(clock),
      plane_(plane),
      health_(health),
      resolver_(names),
      arp_(arp),
      store_(options_.state_directory),
      events_(clock),
      records_(clock, [this](const Event& event) { events_.Record(event); }),
      started_(clock.Now()),
      next_tick_(clock.Monotonic() + kTick) {
  Publish();
}

void Reconciler::Restore() {
  absl::StatusOr<Overrides> overrides = store_.Load();
  if (overrides.ok()) {
    records_.Restore(*std::move(overrides));
  } else {
    state_warning_ = std::string(overrides.status().message());
  }
  if (const absl::Status writable = store_.CheckWritable(); !writable.ok()) {
    state_warning_ = absl::StrCat(writable.message(),
                                  "; drain, halt and online work, but are forgotten at a restart. "
                                  "Create the directory for this user or use --state-directory");
  }
  if (!state_warning_.empty()) {
    base::LogWarning("state directory does not work", {{"reason", state_warning_}});
  }
  Publish();
}

void Reconciler::SetDesired(std::shared_ptr<const model::DesiredState> desired) {
  for (const Event& event : DescribeConfigChange(desired_.get(), *desired)) events_.Record(event);
  const bool same_servers = desired_ != nullptr && SameServersAndChecks(*desired_, *desired);
  desired_ = std::move(desired);
  servers_ = std::make_unique<const model::ServerIndex>(*desired_);
  announced_.clear();
  for (const model::Vip& vip : desired_->vips) {
    if (vip.advertise.type == model::Advertise::Type::kL2) {
      announced_.insert(vip.id.QualifiedName());
    }
  }
  config_changed_ = clock_.Now();
  ++config_readings_total_;
  if (phase_ == ControlView::Phase::kStarting) phase_ = ControlView::Phase::kServing;
  if (!same_servers) {
    // What could not be kept is in force all the same; SaveOverrides has told why.
    if (records_.Reconcile(*desired_, *servers_)) (void)SaveOverrides();
    targets_dirty_ = true;
  }
  causes_.insert("configuration");
}

void Reconciler::SetHealth(const health::HealthReport& report) {
  switch (records_.ApplyReport(report)) {
    case ServerRecords::Effect::kNone:
      return;
    case ServerRecords::Effect::kSoon:
      gathered_at_ = std::min(gathered_at_, clock_.Monotonic() + kGather);
      return;
    case ServerRecords::Effect::kNow:
      causes_.insert("health");
      return;
  }
}

void Reconciler::SetAnswer(const resolver::Answer& answer) {
  if (desired_ == nullptr || !records_.ApplyAnswer(*desired_, answer)) return;
  targets_dirty_ = true;
  causes_.insert("name lookup");
}

void Reconciler::SetRound(const arp::Round& round) {
  if (desired_ == nullptr) return;
  for (const Event& event : arp_claims_.Apply(round, *desired_, records_.records())) {
    events_.Record(event);
  }
}

void Reconciler::BeginStop() {
  phase_ = ControlView::Phase::kStopping;
  apply_retry_at_ = absl::InfiniteDuration();
  Publish();
}

absl::Duration Reconciler::Turn() {
  const absl::Duration now = clock_.Monotonic();
  const bool ticked = now >= next_tick_;
  if (ticked) Tick(now);
  if (now >= rebuild_at_) causes_.insert("time");
  if (now >= gathered_at_) causes_.insert("health");
  bool turned = ticked;
  if (desired_ != nullptr) {
    if (!causes_.empty()) {
      Rebuild(now);
      turned = true;
    } else if (now >= apply_retry_at_) {
      ApplyPlan(now);
      turned = true;
    }
  }
  if (turned) Publish();
  return std::min({next_tick_, rebuild_at_, apply_retry_at_, gathered_at_});
}

void Reconciler::Tick(absl::Duration now) {
  next_tick_ = now + kTick;
  events_.Tick();
  const dataplane::PlaneObservation observation = plane_.Observe();
  rates_.Add(now, observation);
  if (plan_ != nullptr) {
    LookAtWays(observation);
    LookAtHandshakes(observation, now);
    for (const Event& event : return_paths_.Look(observation, *plan_, records_.records())) {
      events_.Record(event);
    }
    if (records_.ObservePaths(*plan_, observation)) {
      targets_dirty_ = true;
      causes_.insert("direct routing");
    }
  }
  // The level behind the reports' edges: a report that was lost is seen here.
  for (const health::HealthReport& report : health_.Snapshot()) SetHealth(report);
}

void Reconciler::LookAtWays(const dataplane::PlaneObservation& observation) {
  for (const auto& [key, problem] : WayProblems(*plan_, observation)) {
    if (records_.SetWayProblem(key, problem)) causes_.insert("direct routing");
  }
}

void Reconciler::LookAtHandshakes(const dataplane::PlaneObservation& observation,
                                  absl::Duration now) {
  const HandshakeVerdicts verdicts =
      handshakes_.Look(*desired_, *plan_, observation, records_.records(), now);
  for (const Event& event : handshakes_.TakeEvents()) events_.Record(event);
  std::vector<ServerKey> keys;
  for (const auto& [key, record] : records_.records()) keys.push_back(key);
  for (const ServerKey& key : keys) {
    const auto verdict = verdicts.find(key);
    const bool judged = verdict != verdicts.end();
    if (records_.SetHandshakes(key, judged ? verdict->second : HandshakeVerdict())) {
      causes_.insert("handshakes");
    }
  }
}

void Reconciler::RefreshNames() {
  std::vector<resolver::WantedName> names = records_.Names();
  if (names == names_) return;
  names_ = std::move(names);
  resolver_.SetNames(names_);
}

void Reconciler::RefreshTargets() {
  targets_dirty_ = false;
  std::vector<health::ProbeTarget> targets = records_.Targets(*desired_, *servers_);
  if (targets == targets_) return;
  targets_ = std::move(targets);
  health_.SetTargets(targets_);
}

void Reconciler::RefreshWatch() {
  std::vector<arp::WatchedVip> watched = ArpClaims::Watched(*desired_, records_.records());
  if (watched == watched_) return;
  watched_ = std::move(watched);
  arp_.SetVips(watched_);
}

void Reconciler::Rebuild(absl::Duration now) {
  const std::string cause = absl::StrJoin(std::exchange(causes_, {}), ", ");
  gathered_at_ = absl::InfiniteDuration();
  if (targets_dirty_) RefreshTargets();
  for (const auto& [key, verdict] : handshakes_.ReleaseLast(records_.records())) {
    records_.SetHandshakes(key, verdict);
  }
  RefreshNames();
  RefreshWatch();
  dataplane::PlanResult result = dataplane::BuildPlan({.desired = *desired_,
                                                       .servers = *servers_,
                                                       .conditions = records_.Conditions(),
                                                       .now = now,
                                                       .last = plan_,
                                                       .direct_refusal = options_.direct_refusal,
                                                       .direct_adopted = options_.direct_adopted},
                                                      ids_);
  rebuild_at_ = result.rebuild_at;
  if (result.plan == plan_) return;
  for (const Event& event : DescribeWayChanges(plan_.get(), *result.plan)) events_.Record(event);
  plan_ = std::move(result.plan);
  ApplyPlan(now);
  Event event;
  event.message = "plan applied";
  event.kind = "cause";
  event.subject = cause;
  event.reason =
      absl::StrCat("revision ", plan_->revision, ": ", base::Counted(plan_->services.size(), "VIP"),
                   ", ", base::Counted(CountServers(*plan_), "real server"));
  event.audience = Event::Audience::kLogOnly;
  events_.Record(event);
}

void Reconciler::ApplyPlan(absl::Duration now) {
  const dataplane::ApplyResult result = plane_.Apply(plan_);
  std::map<std::string, ServiceState> services;
  apply_retry_at_ = absl::InfiniteDuration();
  for (const dataplane::ServiceOutcome& outcome : result.services) {
    const auto planned =
        std::find_if(plan_->services.begin(), plan_->services.end(),
                     [&](const auto& service) { return service->id == outcome.service_id; });
    if (planned == plan_->services.end()) continue;
    const dataplane::PlanService& service = **planned;
    ServiceState state = {.problem = std::string(outcome.status.message()),
                          .has_server = HasServer(service),
                          .addresses = outcome.addresses};
    if (phase_ == ControlView::Phase::kStopping) {
      services.emplace(service.name, std::move(state));
      continue;
    }
    TellOutcome(service, services_[service.name], state);
    if (!outcome.direct_status.ok()) {
      // Nobody is lost by it: the proxy has every server.
      for (const dataplane::PlanServer& server : service.servers) {
        if (records_.SetWayProblem({service.name, server.name},
                                   std::string(outcome.direct_status.message()))) {
          causes_.insert("direct routing");
        }
      }
    }
    const bool missing = !announced_.contains(service.name) && !MissingAddresses(state).empty();
    if (!state.problem.empty() || missing || !outcome.direct_status.ok()) {
      apply_retry_at_ = now + kApplyRetry;
    }
    services.emplace(service.name, std::move(state));
  }
  services_ = std::move(services);
}

void Reconciler::TellService(const dataplane::PlanService& service, const ServiceState& before,
                             const ServiceState& after) {
  const bool was_served = before.problem.empty() && before.has_server;
  if (!after.problem.empty() && after.problem != before.problem) {
    events_.Record(
        VipEvent(base::LogLevel::kError, "VIP is not fully served", service.name, after.problem));
  } else if (!after.has_server && before.has_server) {
    events_.Record(VipEvent(base::LogLevel::kWarning, "VIP has no real server left", service.name,
                            absl::StrCat("none takes clients (down, draining past its deadline, "
                                         "halted or not configured): ",
                                         model::FallbackText(service.fallback))));
  } else if (after.problem.empty() && after.has_server && !was_served) {
    events_.Record(VipEvent(base::LogLevel::kInfo, "VIP is served again", service.name, ""));
  }
}

void Reconciler::TellOutcome(const dataplane::PlanService& service, const ServiceState& before,
                             const ServiceState& after) {
  TellService(service, before, after);
  const std::string missing_before = MissingAddresses(before);
  const std::string missing = MissingAddresses(after);
  if (missing_before == missing || announced_.contains(service.name)) return;
  if (missing.empty()) {
    events_.Record(
        VipEvent(base::LogLevel::kInfo, "VIP addresses are on this host", service.name, ""));
    return;
  }
  events_.Record(
      VipEvent(base::LogLevel::kWarning, kNotOnHost, service.name,
               absl::StrCat(missing,
                            ": no interface has it; listening all the same, so that it serves as "
                            "soon as the address is added (ip address add) or routed here")));
}

void Reconciler::Publish() {
  auto view = std::make_shared<ControlView>();
  view->phase = phase_;
  view->started = started_;
  view->published = clock_.Now();
  view->config_changed = config_changed_;
  view->config_readings_total = config_readings_total_;
  view->config_health = source_health_;
  view->plan_revision = plan_ == nullptr ? 0 : plan_->revision;
  view->vips = BuildVipViews({.desired = desired_.get(),
                              .servers = servers_.get(),
                              .records = records_.records(),
                              .plan = plan_.get(),
                              .services = services_,
                              .now_monotonic = clock_.Monotonic(),
                              .now = clock_.Now()});
  for (VipView& vip : view->vips) {
    vip.rate = rates_.RateOf(vip.counters.service_id);
    if (vip.problem.empty()) vip.problem = return_paths_.ProblemOf(vip.QualifiedName());
  }
  if (desired_ != nullptr) {
    view->findings = desired_->findings;
    for (const model::ObjectId& id : desired_->stale) view->stale_objects.push_back(id.ToString());
  }
  view->warnings = options_.host_warnings;
  if (!state_warning_.empty()) view->warnings.push_back(state_warning_);
  const std::string stale = source_health_.has_value() ? StaleText(*source_health_) : "";
  if (!stale.empty()) view->warnings.push_back(stale);
  if (desired_ != nullptr) arp_claims_.Show(*desired_, records_.records(), view.get());
  view->events = events_.Recent();
  base::MutexLock lock(&view_mutex_);
  view_ = std::move(view);
}

std::shared_ptr<const ControlView> Reconciler::View() const {
  std::shared_ptr<const ControlView> published;
  {
    base::MutexLock lock(&view_mutex_);
    published = view_;
  }
  auto view = std::make_shared<ControlView>(*published);
  MergeObservation(plane_.Observe(), view.get());
  return view;
}

}  // namespace fairlead::controller
