#include "pkg/dataplane/snat/snat_data_plane.h"

#include <ifaddrs.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/log.h"
#include "pkg/dataplane/snat/explain.h"
#include "pkg/dataplane/snat/runtime.h"
#include "pkg/dataplane/snat/shard.h"
#include "pkg/dataplane/snat/snat_plan.h"

namespace fairlead::dataplane::snat {
namespace {

// Descriptors that are not sessions': listeners, pipes, health checks, admin, logs.
constexpr uint64_t kDescriptorReserve = 512;
// Sockets made ahead and pipes of one shard.
constexpr uint64_t kShardReserve = 192;

int CpusAllowed() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

absl::StatusOr<uint32_t> SessionsMax(uint32_t wanted, int shards_count) {
  const uint64_t reserve = kDescriptorReserve + kShardReserve * shards_count;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < reserve + 2) {
    return absl::ResourceExhaustedError(
        absl::StrCat("RLIMIT_NOFILE is ", limit.rlim_cur, ": no room for sessions; raise it to ",
                     reserve + 2 * 1024, " at least (ulimit -n, docker --ulimit nofile)"));
  }
  // Two descriptors a session; 4 M sessions are beyond any host's ports.
  const uint64_t possible = std::min<uint64_t>((limit.rlim_cur - reserve) / 2, 4'000'000);
  return static_cast<uint32_t>(wanted == 0 ? possible : std::min<uint64_t>(wanted, possible));
}

using InterfaceOf = absl::flat_hash_map<net::IpAddress, std::string>;

InterfaceOf HostAddresses() {
  InterfaceOf interfaces;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return interfaces;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    net::SocketAddress address;
    if (entry->ifa_addr->sa_family == AF_INET) {
      address.ipv4 = *reinterpret_cast<const sockaddr_in*>(entry->ifa_addr);
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      address.ipv6 = *reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr);
    } else {
      continue;
    }
    const absl::StatusOr<net::Endpoint> endpoint = address.ToEndpoint();
    if (endpoint.ok()) interfaces.emplace(endpoint->address, entry->ifa_name);
  }
  ::freeifaddrs(list);
  return interfaces;
}

// Where the host has the address: an interface, or a route of type local (127.0.0.0/8, or
// `ip route add local 192.0.2.0/24 dev lo`), which a bind(2) without IP_FREEBIND tells.
std::string WhereIs(const net::IpAddress& address, const InterfaceOf& interfaces) {
  const auto found = interfaces.find(address);
  if (found != interfaces.end()) return found->second;
  const net::SocketAddress probe(net::Endpoint{address, 0});
  const base::UniqueFd fd(::socket(probe.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const bool local = fd.valid() && ::bind(fd.get(), &probe.generic, probe.length) == 0;
  return local ? "local route" : "";
}

// Whether somebody serves this port now.
bool HasServer(const PlanService& service, uint16_t port) {
  return std::any_of(service.servers.begin(), service.servers.end(), [&](const PlanServer& s) {
    return s.eligibility != model::Eligibility::kNone &&
           (!s.per_port || s.usable_ports.Contains(port));
  });
}

// Nothing = no listener: the kernel answers a SYN with RST, which costs nobody anything.
std::optional<ListenerKind> WantedKind(const PlanService& service, uint16_t port) {
  if (HasServer(service, port)) return ListenerKind::kAccept;
  switch (service.fallback.action) {
    case model::Fallback::Action::kReset:
      return std::nullopt;
    case model::Fallback::Action::kDrop:
      return ListenerKind::kDrop;
    case model::Fallback::Action::kServer:
      return ListenerKind::kAccept;
  }
  return std::nullopt;
}

struct Wanted {
  ListenerKind kind;
  const SnatService* service;
  size_t outcome;  // position in the result
};

std::map<net::Endpoint, Wanted> WantedListeners(const SnatPlan& plan) {
  std::map<net::Endpoint, Wanted> wanted;
  for (size_t i = 0; i < plan.services.size(); ++i) {
    const PlanService& spec = *plan.services[i]->spec;
    for (const uint16_t port : spec.ports.ToPorts()) {
      const std::optional<ListenerKind> kind = WantedKind(spec, port);
      if (!kind.has_value()) continue;
      for (const net::IpAddress& address : spec.addresses) {
        wanted.insert({{address, port}, {*kind, plan.services[i].get(), i}});
      }
    }
  }
  return wanted;
}

// Whether this process may connect from addresses that are not its own; the capability may come and
// go with the process's, so that it is asked each time.
absl::Status CheckTransparent() {
  const base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (!fd.valid() || ::setsockopt(fd.get(), SOL_IP, IP_TRANSPARENT, &on, sizeof(on)) == 0) {
    return absl::OkStatus();  // without a descriptor nothing is known
  }
  const absl::Status status = base::LastErrnoStatus("clientAddress Transparent: IP_TRANSPARENT");
  return absl::Status(
      status.code(),
      absl::StrCat(status.message(),
                   "; no connection to a real server can be made with the client's address. Grant "
                   "CAP_NET_ADMIN (or CAP_NET_RAW), or use clientAddress ProxyProtocolV2"));
}

void NoteFailure(absl::Status failure, ServiceOutcome* outcome) {
  if (outcome->status.ok()) outcome->status = std::move(failure);
}

}  // namespace

SnatDataPlane::SnatDataPlane(const base::Clock& clock, int shards_count)
    : clock_(clock),
      runtimes_(std::make_unique<RuntimeRegistry>(shards_count)),
      listeners_(shards_count),
      plan_(std::make_shared<SnatPlan>()) {}

SnatDataPlane::~SnatDataPlane() { Stop(absl::ZeroDuration()); }

absl::StatusOr<std::unique_ptr<SnatDataPlane>> SnatDataPlane::Create(SnatOptions options,
                                                                     const base::Clock& clock) {
  const int shards_count = options.shards > 0 ? options.shards : CpusAllowed();
  const absl::StatusOr<uint32_t> sessions_max = SessionsMax(options.sessions_max, shards_count);
  if (!sessions_max.ok()) return sessions_max.status();
  std::unique_ptr<SnatDataPlane> plane(new SnatDataPlane(clock, shards_count));
  plane->sessions_max_ = *sessions_max;
  {
    base::MutexLock lock(&plane->mutex_);
    plane->listeners_.Inherit(std::move(options.inherited.listeners));
  }
  auto table = scheduler::PersistenceTable::Create(std::move(options.inherited.persistence));
  if (!table.ok()) {
    // Another version's layout: clients are placed anew.
    base::LogWarning("persistent clients are forgotten",
                     {{"reason", std::string(table.status().message())}});
    table = scheduler::PersistenceTable::Create({});
    if (!table.ok()) return table.status();
  }
  const std::shared_ptr<scheduler::PersistenceTable> persistence = *std::move(table);
  const auto sessions_all = std::make_shared<std::atomic<uint32_t>>(0);
  std::vector<Shard*> peers;
  for (int i = 0; i < shards_count; ++i) {
    absl::StatusOr<std::unique_ptr<Shard>> shard =
        Shard::Create({i, options.engine, *sessions_max, sessions_all}, clock, persistence,
                      &plane->engine_reason_);
    if (!shard.ok()) return shard.status();
    peers.push_back(shard->get());
    plane->shards_.push_back(*std::move(shard));
  }
  for (const auto& shard : plane->shards_) shard->Start(peers);
  return plane;
}

ApplyResult SnatDataPlane::Apply(std::shared_ptr<const ForwardingPlan> plan) {
  base::MutexLock lock(&mutex_);
  ApplyResult result;
  result.revision = plan->revision;
  plan_ = CompilePlan(*plan, plan_.get(), clock_.Monotonic(), *runtimes_);
  const InterfaceOf interfaces = HostAddresses();
  for (const auto& service : plan_->services) {
    ServiceOutcome& outcome = result.services.emplace_back();
    outcome.service_id = service->spec->id;
    for (const net::IpAddress& address : service->spec->addresses) {
      outcome.addresses.push_back({address, WhereIs(address, interfaces)});
    }
    if (service->spec->client_address == model::ClientAddress::kTransparent) {
      outcome.status = CheckTransparent();
    }
  }
  std::vector<UpdatePlan> updates(shards_.size());
  const std::map<net::Endpoint, Wanted> wanted = WantedListeners(*plan_);
  std::vector<ClosedListener> closed;
  const auto close = [&](const net::Endpoint& endpoint) {
    mutex_.AssertHeld();
    closed.push_back({std::make_shared<std::vector<base::UniqueFd>>(listeners_.Take(endpoint))});
    targets_.erase(endpoint);
  };
  for (const net::Endpoint& endpoint : listeners_.endpoints()) {
    const auto found = wanted.find(endpoint);
    if (found == wanted.end() || listeners_.KindOf(endpoint) != found->second.kind) {
      close(endpoint);
    }
  }
  for (const auto& [endpoint, want] : wanted) {
    const bool open = listeners_.KindOf(endpoint).has_value();
    if (open && targets_[endpoint] == want.service->spec->id) continue;
    if (!open) {
      if (stopped_accepting_) continue;  // nobody would accept
      if (absl::Status status = listeners_.Open(endpoint, want.kind); !status.ok()) {
        NoteFailure(std::move(status), &result.services[want.outcome]);
        continue;
      }
    }
    targets_[endpoint] = want.service->spec->id;
    if (want.kind == ListenerKind::kDrop) continue;
    PortRuntime* port = runtimes_->Port(*want.service->runtime, endpoint.port);
    for (const ShardListener& listener : listeners_.ListenersOf(endpoint)) {
      updates[listener.shard].opened.push_back({listener, want.service->spec->id, port});
    }
  }
  for (size_t i = 0; i < shards_.size(); ++i) {
    updates[i].plan = plan_;
    updates[i].closed = closed;
    shards_[i]->Post(std::move(updates[i]));
  }
  // What the other process listened on and nobody wants any more.
  listeners_.DropInherited();
  runtimes_->Sweep(*plan_);
  return result;
}

PlaneObservation SnatDataPlane::Observe() const {
  PlaneObservation observation;
  observation.engine_reason = engine_reason_;
  observation.sessions_max = sessions_max_;
  observation.shards = static_cast<int>(shards_.size());
  observation.applied_revision = UINT64_MAX;
  for (const auto& shard : shards_) {
    observation.engine = uring::EngineName(shard->engine());
    observation.applied_revision =
        std::min(observation.applied_revision, shard->applied_revision());
    observation.sessions_active += shard->sessions_active();
    observation.buffers_exhausted_total += shard->buffers_exhausted();
    observation.buffers_in_use += shard->buffers_in_use();
    observation.splice_promotions_total += shard->splice_promotions();
    observation.accept_pauses_total += shard->accept_pauses();
  }
  base::MutexLock lock(&mutex_);
  for (const auto& [id, service] : runtimes_->services()) {
    observation.services.push_back(ObserveService(*service));
  }
  return observation;
}

absl::StatusOr<Explanation> SnatDataPlane::Explain(const net::Endpoint& client,
                                                   const net::Endpoint& vip) const {
  std::shared_ptr<const SnatPlan> plan;
  {
    base::MutexLock lock(&mutex_);
    plan = plan_;
  }
  const auto seconds = static_cast<uint32_t>(absl::ToInt64Seconds(clock_.Monotonic()));
  return ExplainChoice(*plan, client, vip, shards_.front()->persistence(), seconds);
}

void SnatDataPlane::Stop(absl::Duration grace) {
  StopAccepting();
  for (const auto& shard : shards_) shard->Post(StopSessions{clock_.Monotonic() + grace});
  base::MutexLock lock(&join_mutex_);
  for (const auto& shard : shards_) shard->Join();
}

HandedOver SnatDataPlane::DuplicateState() const {
  base::MutexLock lock(&mutex_);
  return {listeners_.Duplicate(), shards_.front()->persistence().DuplicateFd()};
}

void SnatDataPlane::StopAccepting() {
  base::MutexLock lock(&mutex_);
  stopped_accepting_ = true;
  std::vector<ClosedListener> closed;
  for (const net::Endpoint& endpoint : listeners_.endpoints()) {
    closed.push_back({std::make_shared<std::vector<base::UniqueFd>>(listeners_.Take(endpoint))});
  }
  targets_.clear();
  for (const auto& shard : shards_) shard->Post(snat::StopAccepting{closed});
}

}  // namespace fairlead::dataplane::snat
