#include "pkg/cluster/operator.h"

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "pkg/base/log.h"
#include "pkg/cluster/json_access.h"
#include "pkg/cluster/list_objects.h"
#include "pkg/cluster/names.h"

namespace fairlead::cluster {
namespace {

using kube::KubeObjectPtr;
using nlohmann::json;

// Leadership, Leases and pending writes are looked at so often.
constexpr absl::Duration kTick = absl::Seconds(1);
// Changes that come together are decided together, and the more of them the longer a decision
// takes: of a cluster with 10,000 objects no more than a fifth of a CPU is spent.
constexpr absl::Duration kSpacingMin = absl::Milliseconds(100);
constexpr absl::Duration kSpacingMax = absl::Seconds(5);
constexpr int kSpacingFactor = 4;
// The whole cluster, whether something changed or not.
constexpr absl::Duration kResync = absl::Minutes(1);
// A deletion must have been wanted for so long: the Service that owns a VIP may only be missing in
// a copy that lags.
constexpr absl::Duration kDeleteDelay = absl::Seconds(5);
constexpr size_t kReasonBytesMax = 1024;

std::vector<NodeLease> ToLeases(const std::vector<KubeObjectPtr>& objects) {
  std::vector<NodeLease> leases;
  for (const KubeObjectPtr& object : objects) {
    absl::string_view node = object->name;
    if (!absl::ConsumePrefix(&node, kNodeLeasePrefix)) continue;
    absl::StatusOr<kube::LeaseRecord> record = kube::ParseLease(object->json);
    if (record.ok()) leases.push_back({std::string(node), *std::move(record)});
  }
  return leases;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Operator>> Operator::Start(kube::ApiClient& client,
                                                          const base::Clock& clock,
                                                          OperatorOptions options) {
  std::unique_ptr<Operator> made(new Operator(client, clock, std::move(options)));
  if (absl::Status status = made->StartReflectors(); !status.ok()) return status;
  try {
    made->thread_ = std::thread([raw = made.get()] { raw->Run(); });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(absl::StrCat("thread of the operator: ", error.what()));
  }
  return made;
}

Operator::Operator(kube::ApiClient& client, const base::Clock& clock, OperatorOptions options)
    : client_(client),
      clock_(clock),
      options_(std::move(options)),
      vips_([this] { MarkDirty(); }),
      real_servers_([this] { MarkDirty(); }),
      pools_([this] { MarkDirty(); }),
      services_([this] { MarkDirty(); }),
      leases_([] {}) {}

Operator::~Operator() {
  {
    base::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
  std::unique_ptr<kube::LeaseElector> elector;
  {
    base::MutexLock lock(&mutex_);
    elector = std::move(elector_);
  }
  elector.reset();
  client_.Cancel();
  for (Followed* followed : {&vips_, &real_servers_, &pools_, &services_, &leases_}) {
    followed->reflector.reset();
  }
}

absl::Status Operator::StartReflectors() {
  struct Start {
    Followed* followed;
    const kube::Resource& resource;
    kube::ReflectorOptions options;
  };
  const std::string& name_space = options_.name_space;
  const Start starts[] = {
      {&vips_, kube::kVips, {name_space, ""}},
      {&real_servers_, kube::kRealServers, {name_space, ""}},
      {&pools_, kube::kAddressPools, {}},
      {&services_, kube::kServices, {name_space, ""}},
      {&leases_, kube::kLeases, {options_.lease_namespace, kNodeLeaseSelector}}};
  for (const Start& start : starts) {
    auto reflector = kube::Reflector::Start(client_, clock_, start.resource, start.options,
                                            start.followed->store);
    if (!reflector.ok()) return reflector.status();
    start.followed->reflector = *std::move(reflector);
  }
  return absl::OkStatus();
}

void Operator::MarkDirty() {
  base::MutexLock lock(&mutex_);
  dirty_ = true;
}

void Operator::Run() {
  while (true) {
    bool dirty = false;
    {
      base::MutexLock lock(&mutex_);
      const auto stopping = [this] {
        mutex_.AssertHeld();
        return stopping_;
      };
      const auto wanted = [this] {
        mutex_.AssertHeld();
        return stopping_ || dirty_;
      };
      if (mutex_.AwaitWithTimeout(stopping, spacing_)) return;
      mutex_.AwaitWithTimeout(wanted, kTick);
      if (stopping_) return;
      dirty = std::exchange(dirty_, false);
    }
    Turn(dirty);
  }
}

// Services and Leases may be missing: what depends on them waits.
bool Operator::IsSynced() const {
  return vips_.store.synced() && real_servers_.store.synced() && pools_.store.synced();
}

bool Operator::StartElector() {
  base::MutexLock lock(&mutex_);
  if (elector_ != nullptr) return true;
  auto elector = kube::LeaseElector::Start(client_, clock_,
                                           {.name_space = options_.lease_namespace,
                                            .name = options_.lease_name,
                                            .identity = options_.identity,
                                            .times = options_.lease_times,
                                            .on_change = [this] { MarkDirty(); }});
  if (!elector.ok()) {
    base::LogError("leader election cannot start",
                   {{"reason", std::string(elector.status().message())}});
    return false;
  }
  elector_ = *std::move(elector);
  return true;
}

void Operator::Turn(bool dirty) {
  // Who cannot decide must not lead.
  if (!IsSynced() || !StartElector()) return;
  bool leader = false;
  {
    base::MutexLock lock(&mutex_);
    leader = elector_->IsLeader();
  }
  const absl::Duration at = clock_.Monotonic();
  const bool daemons_changed = UpdateDaemons(at);
  if (!leader) {
    if (std::exchange(leads_, false)) Publish({}, 0);
    return;
  }
  if (!leads_) {
    if (!Readopt()) return;
    leads_ = true;
    decided_at_ = -absl::InfiniteDuration();
  }
  // Without the server's word nothing is decided: what is in force stays.
  if (!vips_.reflector->Health().problem.empty()) {
    left_ = left_ || dirty;
    return;
  }
  if (!dirty && !left_ && !daemons_changed && at < decided_at_ + kResync) return;
  decided_at_ = at;
  const ClusterState cluster = Snapshot(at);
  const Decisions decisions =
      Decide(cluster, daemons_, options_.service_class, memory_, clock_.Now());
  spacing_ = std::clamp(kSpacingFactor * (clock_.Monotonic() - at), kSpacingMin, kSpacingMax);
  TellRefusals(decisions.refused_services);
  left_ = CarryOut(decisions.writes);
  Publish(decisions.figures, left_ ? decisions.writes.size() : 0);
  left_ = left_ || !adopted_.empty();
}

bool Operator::UpdateDaemons(absl::Duration at) {
  const std::set<std::string> before = daemons_.alive();
  const kube::ReflectorHealth health = leases_.reflector->Health();
  // A server that is going down may keep a watch open and take no renewal any more, which this
  // process's own Lease shows.
  bool renewable = false;
  {
    base::MutexLock lock(&mutex_);
    renewable = elector_->Health().problem.empty();
  }
  const bool followed = health.synced && health.problem.empty() && renewable;
  daemons_.Update(ToLeases(leases_.store.All()), followed, at);
  if (daemons_.alive() == before) return false;
  for (const std::string& node : daemons_.alive()) {
    if (!before.contains(node)) base::LogInfo("a daemon is alive", {{"node", node}});
  }
  for (const std::string& node : before) {
    if (daemons_.alive().contains(node)) continue;
    base::LogWarning("a daemon is not alive: its Lease is gone or has expired", {{"node", node}});
  }
  return true;
}

bool Operator::Readopt() {
  absl::StatusOr<std::vector<KubeObjectPtr>> vips =
      ListObjects(client_, kube::kVips, options_.name_space);
  if (!vips.ok()) {
    base::LogWarning("the new leader cannot list the VIPs yet; it decides nothing before",
                     {{"reason", std::string(vips.status().message())}});
    return false;
  }
  const absl::Duration at = clock_.Monotonic();
  written_.Clear();
  size_t addresses = 0;
  for (const KubeObjectPtr& vip : *vips) {
    json status = At(vip->json, {"status"});
    addresses += ListAt(status, {"addresses"}).size();
    if (!status.is_object()) continue;
    status.erase("nodes");
    written_.Add(NameOf(kube::kVips, *vip), vip->resource_version, std::move(status), at);
  }
  adopted_ = *std::move(vips);
  adopted_until_ = at + WrittenStatuses::kPatience;
  base::LogInfo("the leader has taken over what is given out",
                {{"vips", absl::StrCat(adopted_.size())}, {"addresses", absl::StrCat(addresses)}});
  return true;
}

ClusterState Operator::Snapshot(absl::Duration at) {
  ClusterState cluster;
  cluster.vips = vips_.store.All();
  cluster.real_servers = real_servers_.store.All();
  cluster.pools = pools_.store.All();
  cluster.services = services_.store.All();
  const kube::ReflectorHealth services = services_.reflector->Health();
  cluster.services_known = services.synced && services.problem.empty();
  AddAdopted(at, &cluster.vips);
  written_.Overlay("VIP ", at, &cluster.vips);
  written_.Overlay("RealServer ", at, &cluster.real_servers);
  written_.Overlay("AddressPool ", at, &cluster.pools);
  return cluster;
}

// From the moment on that the copy has shown a VIP it knows better what became of it.
void Operator::AddAdopted(absl::Duration at, std::vector<KubeObjectPtr>* vips) {
  if (at >= adopted_until_) adopted_.clear();
  if (adopted_.empty()) return;
  std::set<std::string> known;
  for (const KubeObjectPtr& vip : *vips) known.insert(NameOf(kube::kVips, *vip));
  std::erase_if(adopted_, [&](const KubeObjectPtr& vip) {
    return known.contains(NameOf(kube::kVips, *vip));
  });
  vips->insert(vips->end(), adopted_.begin(), adopted_.end());
}

bool Operator::IsDue(const Write& write, absl::Duration at) {
  if (write.kind != Write::Kind::kDelete) return true;
  return at >= deletions_.emplace(write.key(), at).first->second + kDeleteDelay;
}

bool Operator::CarryOut(const std::vector<Write>& writes) {
  std::set<std::string> wanted;
  for (const Write& write : writes) wanted.insert(write.key());
  pacing_.Keep(wanted);
  const auto is_unwanted = [&](const auto& entry) { return !wanted.contains(entry.first); };
  std::erase_if(deletions_, is_unwanted);
  std::erase_if(failures_, is_unwanted);
  bool left = false;
  for (const Write& write : writes) {
    const absl::Duration at = clock_.Monotonic();
    {
      base::MutexLock lock(&mutex_);
      if (stopping_ || !elector_->IsLeader()) return true;
    }
    if (!IsDue(write, at) || !pacing_.TryStart(write.key(), at)) {
      left = true;
      continue;
    }
    const Sent sent = Send(write);
    left = left || sent != Sent::kOk;
    if (sent == Sent::kServerAway) break;
  }
  return left;
}

Operator::Sent Operator::Send(const Write& write) {
  const absl::StatusOr<kube::ApiResponse> response = client_.Send(write.request);
  if (!response.ok()) {
    OnFailed(write, /*all=*/true, absl::ZeroDuration(), std::string(response.status().message()));
    return Sent::kServerAway;
  }
  if (response->ok()) {
    OnSent(write, *response);
    return Sent::kOk;
  }
  // Deleted meanwhile, which the copy will show.
  if (response->status == 404 && write.kind != Write::Kind::kApply) return Sent::kOk;
  const bool overloaded = response->status == 429 || response->status >= 500;
  OnFailed(write, overloaded, response->retry_after.value_or(absl::ZeroDuration()),
           response->ErrorText());
  return overloaded ? Sent::kServerAway : Sent::kFailed;
}

void Operator::OnSent(const Write& write, const kube::ApiResponse& response) {
  pacing_.OnSuccess(write.key());
  failures_.erase(write.key());
  {
    base::MutexLock lock(&mutex_);
    ++view_.writes_total[write.kind_name()];
  }
  if (!write.changes.empty()) {
    base::LogInfo(absl::StrCat(write.kind_name(), " written"),
                  {{"object", write.object}, {"changes", Clipped(write.changes, kReasonBytesMax)}});
  }
  if (write.kind != Write::Kind::kStatus) return;
  for (const Condition& flip : write.flips) {
    const bool warning = flip.status != Truth::kTrue;
    // That all is well is said once.
    if (!warning && flip.type != "Ready") continue;
    TellEvent(write.regarding, {warning, flip.reason, flip.message});
  }
  const json object = json::parse(response.body, nullptr, /*allow_exceptions=*/false);
  const std::string version = TextAt(object, {"metadata", "resourceVersion"});
  if (version == write.based_on) {
    OnFailed(
        write, /*all=*/false, absl::Minutes(1),
        "the API server took the status and changed nothing: are the CustomResourceDefinitions "
        "of an older version?");
    return;
  }
  written_.Add(write.object, version, write.status, clock_.Monotonic());
}

void Operator::OnFailed(const Write& write, bool all, absl::Duration asked,
                        const std::string& reason) {
  pacing_.OnFailure(write.key(), all, asked, clock_.Monotonic());
  {
    base::MutexLock lock(&mutex_);
    ++view_.write_failures_total[write.kind_name()];
  }
  std::string& told = failures_[write.key()];
  if (told == reason) return;
  told = reason;
  base::LogWarning(absl::StrCat(write.kind_name(), " cannot be written; trying again"),
                   {{"object", write.object}, {"reason", Clipped(reason, kReasonBytesMax)}});
}

void Operator::TellRefusals(const std::map<std::string, Refusal>& refused) {
  std::map<std::string, std::string> told;
  for (const auto& [service, refusal] : refused) {
    told[service] = refusal.reason;
    const auto before = refused_services_.find(service);
    if (before != refused_services_.end() && before->second == refusal.reason) continue;
    base::LogWarning("a Service gets no VIP", {{"object", service}, {"reason", refusal.reason}});
    TellEvent(refusal.regarding, {/*warning=*/true, "NoVip", refusal.reason});
  }
  refused_services_ = std::move(told);
}

void Operator::TellEvent(const json& regarding, const EventText& text) {
  if (!pacing_.TryStart("event", clock_.Monotonic())) return;
  const absl::StatusOr<kube::ApiResponse> response =
      client_.Send(MakeEvent(regarding, text, options_.identity, clock_.Now(), ++events_count_));
  const bool taken = response.ok() && response->ok();
  base::MutexLock lock(&mutex_);
  ++(taken ? view_.writes_total : view_.write_failures_total)["event"];
}

void Operator::Publish(const DecisionFigures& figures, size_t pending) {
  base::MutexLock lock(&mutex_);
  view_.figures = figures;
  view_.deciding = leads_;
  view_.decisions_total += leads_ ? 1 : 0;
  view_.writes_pending = pending;
  view_.services_refused = leads_ ? refused_services_.size() : 0;
  view_.daemons_alive = daemons_.alive().size();
}

OperatorView Operator::View() const {
  OperatorView view;
  {
    base::MutexLock lock(&mutex_);
    view = view_;
    if (elector_ != nullptr) view.lease = elector_->Health();
  }
  view.identity = options_.identity;
  view.synced = IsSynced();
  const std::pair<const char*, const Followed*> followed[] = {{"vips", &vips_},
                                                              {"realservers", &real_servers_},
                                                              {"addresspools", &pools_},
                                                              {"services", &services_},
                                                              {"leases", &leases_}};
  for (const auto& [name, resource] : followed) {
    view.resources.push_back({name, resource->reflector->Health()});
  }
  return view;
}

}  // namespace fairlead::cluster
