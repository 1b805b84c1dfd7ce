#include "pkg/dataplane/dr/dr_data_plane.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/log.h"
#include "pkg/dataplane/dr/explain.h"
#include "pkg/dataplane/dr/load_writer.h"

namespace fairlead::dataplane::dr {
namespace {

// How often the neighbours are looked at when no message says that one changed, and drains are
// ended.
constexpr absl::Duration kTurn = absl::Seconds(1);
// Five checks of the default interval; after that, a server without a verdict is not waited for.
constexpr absl::Duration kSettleTime = absl::Seconds(10);

struct ReasonText {
  const char* label;
  const char* meaning;
};
constexpr ReasonText kReasons[] = {
#define DR_REASON_TEXT(identifier, label, meaning) {label, meaning},
    DR_REASONS(DR_REASON_TEXT)
#undef DR_REASON_TEXT
};

std::array<uint64_t, 2> RandomSecret() {
  std::array<uint64_t, 2> secret{};
  // Never short at this size (getrandom(2)).
  [[maybe_unused]] const ssize_t size = ::getrandom(secret.data(), sizeof(secret), 0);
  return secret;
}

ServiceOutcome OutcomeOf(const PlanService& service) {
  ServiceOutcome outcome;
  outcome.service_id = service.id;
  for (const net::IpAddress& address : service.addresses)
    outcome.addresses.push_back({address, ""});
  return outcome;
}

ApplyResult Refuse(const ForwardingPlan& plan, const absl::Status& status) {
  ApplyResult result;
  result.revision = plan.revision;
  for (const auto& service : plan.services) {
    result.services.push_back(OutcomeOf(*service));
    result.services.back().status = status;
  }
  return result;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DrDataPlane>> DrDataPlane::Create(DrOptions options,
                                                                 const base::Clock& clock) {
  std::unique_ptr<DrDataPlane> plane(new DrDataPlane(std::move(options), clock));
  auto netlink = Rtnetlink::Create();
  if (!netlink.ok()) return netlink.status();
  plane->netlink_ = *std::move(netlink);
  plane->stop_.Reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!plane->stop_.valid()) return base::LastErrnoStatus("eventfd");
  {
    base::MutexLock lock(&plane->mutex_);
    plane->plan_ = std::make_shared<const ForwardingPlan>();
    plane->neighbours_ = std::make_unique<NeighbourTable>(*plane->netlink_);
  }
  plane->thread_ = std::thread([raw = plane.get()] { raw->Run(); });
  return plane;
}

DrDataPlane::~DrDataPlane() { Stop(absl::ZeroDuration()); }

void DrDataPlane::Stop(absl::Duration /*grace*/) {
  base::MutexLock join_lock(&join_mutex_);
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof(one));
  thread_.join();
  base::MutexLock lock(&mutex_);
  stopped_ = true;
  if (loader_ == nullptr) return;
  if (lease_keeper_ != nullptr) {
    lease_keeper_.reset();
    base::LogInfo("VIPs in mode DR are forwarded until the lease runs out, or on by a new process",
                  {{"lease", absl::FormatDuration(options_.lease)}});
    return;
  }
  base::LogInfo("VIPs in mode DR are forwarded on by the kernel",
                {{"end_it_by", absl::StrCat("rm -r ", options_.bpf_directory)}});
}

void DrDataPlane::Run() {
  while (true) {
    std::array<pollfd, 2> wait = {pollfd{stop_.get(), POLLIN, 0},
                                  pollfd{netlink_->changes_fd(), POLLIN, 0}};
    ::poll(wait.data(), wait.size(), static_cast<int>(absl::ToInt64Milliseconds(kTurn)));
    if (wait[0].revents != 0) return;
    base::MutexLock lock(&mutex_);
    if (wait[1].revents != 0) netlink_->DrainChanges();
    if (loader_ == nullptr) continue;  // what does not load is tried again by the controller
    Reconcile();
    const absl::Duration now = clock_.Monotonic();
    if (now < next_tick_) continue;
    next_tick_ = now + MapWriter::kTickInterval;
    if (absl::Status status = writer_->Tick(now); !status.ok()) {
      base::LogWarning("the window of a ring could not be ended",
                       {{"reason", std::string(status.message())}});
    }
  }
}

ApplyResult DrDataPlane::Apply(std::shared_ptr<const ForwardingPlan> plan) {
  base::MutexLock lock(&mutex_);
  if (stopped_) return Refuse(*plan, absl::OkStatus());  // another process writes the maps
  plan_ = std::move(plan);
  if (plan_->services.empty()) {
    if (absl::Status status = Unload(); !status.ok()) {
      base::LogWarning("mode DR is not taken away", {{"reason", std::string(status.message())}});
    }
    return Refuse(*plan_, absl::OkStatus());
  }
  if (!options_.refusal.empty()) {
    return Refuse(*plan_, absl::FailedPreconditionError(options_.refusal));
  }
  if (absl::Status status = Load(); !status.ok()) return Refuse(*plan_, status);
  return Reconcile();
}

absl::Status DrDataPlane::Load() {
  if (loader_ != nullptr) return absl::OkStatus();
  auto loader = ProgramLoader::Create(options_.bpf_directory);
  if (!loader.ok()) return loader.status();
  auto writer = std::make_unique<MapWriter>((*loader)->store(), RandomSecret());
  if (absl::Status status = writer->Adopt(); !status.ok()) return status;
  base::LogInfo((*loader)->adopted() ? "the forwarding of a former process is adopted"
                                     : "the XDP program is loaded",
                {{"directory", options_.bpf_directory}});
  loader_ = *std::move(loader);
  if (loader_->adopted()) settled_at_ = clock_.Monotonic() + kSettleTime;
  writer_ = std::move(writer);
  unloaded_ = false;
  // Before any service has a lease.
  if (options_.lease > absl::ZeroDuration()) {
    lease_keeper_ = std::make_unique<LeaseKeeper>(options_.lease);
    lease_keeper_->Renew(&loader_->store().tables());
  }
  return absl::OkStatus();
}

absl::Status DrDataPlane::Unload() {
  if (unloaded_) return absl::OkStatus();
  lease_keeper_.reset();
  writer_.reset();
  loader_.reset();
  links_.clear();
  problems_.clear();
  interfaces_.clear();
  attachments_.clear();
  absl::Status status = ProgramLoader::RemovePinned(options_.bpf_directory);
  unloaded_ = status.ok();
  return status;
}

ApplyResult DrDataPlane::Reconcile() {
  ApplyResult result;
  result.revision = plan_->revision;
  if (absl::Status status = neighbours_->Refresh(); !status.ok()) return Refuse(*plan_, status);
  ResolveServers();
  interfaces_ = WantedInterfaces();
  // The way out before the servers that use it, the way in last.
  absl::Status common = WriteInterfaces();
  WriteServices(&result);
  common.Update(AttachInterfaces());
  for (ServiceOutcome& outcome : result.services) outcome.status.Update(common);
  return result;
}

void DrDataPlane::ResolveServers() {
  links_.clear();
  problems_.clear();
  for (const auto& service : plan_->services) {
    for (const PlanServer& server : service->servers) Resolve(server.id, server.address);
    if (service->fallback.action == model::Fallback::Action::kServer) {
      Resolve(service->id, service->fallback.server.address);
    }
  }
}

void DrDataPlane::Resolve(uint32_t id, const net::IpAddress& address) {
  absl::StatusOr<ServerLink> link = neighbours_->Resolve(address);
  if (link.ok()) {
    links_[id] = *link;
  } else {
    problems_[id] = std::string(link.status().message());
  }
}

std::map<uint32_t, std::string> DrDataPlane::WantedInterfaces() {
  std::set<uint32_t> wanted;
  for (const auto& [id, link] : links_) {
    if (!link.local) wanted.insert(link.ifindex);
  }
  for (const auto& service : plan_->services) {
    for (const net::IpAddress& address : service->addresses) {
      const std::set<uint32_t> interfaces = neighbours_->InterfacesOf(address);
      wanted.insert(interfaces.begin(), interfaces.end());
    }
  }
  std::map<uint32_t, std::string> interfaces;
  for (const uint32_t ifindex : wanted) {
    const Link* link = neighbours_->FindLink(ifindex);
    if (link != nullptr && link->up) interfaces[ifindex] = link->name;
  }
  return interfaces;
}

absl::Status DrDataPlane::WriteInterfaces() {
  absl::Status result;
  bpf::DrTables& tables = loader_->store().tables();
  std::map<uint32_t, uint32_t> ifindex_at;  // by place
  for (const auto& [ifindex, name] : interfaces_) {
    const uint32_t place = ifindex % bpf::kDrInterfaces;
    if (!ifindex_at.emplace(place, ifindex).second) {
      result.Update(absl::FailedPreconditionError(absl::StrCat(
          "the interfaces ", interfaces_[ifindex_at[place]], " and ", name,
          " have indexes equal modulo ", uint32_t{bpf::kDrInterfaces}, "; make one of them anew")));
    }
  }
  for (uint32_t place = 0; place < bpf::kDrInterfaces; ++place) {
    bpf::DrInterface wanted{};
    const auto found = ifindex_at.find(place);
    if (found != ifindex_at.end()) {
      const MacAddress& mac = neighbours_->FindLink(found->second)->mac;
      std::memcpy(wanted.mac, mac.data(), mac.size());
    }
    if (std::memcmp(&wanted, &tables.interfaces[place], sizeof(wanted)) == 0) continue;
    result.Update(loader_->store().SetDevice(place, found == ifindex_at.end() ? 0 : found->second));
    StoreWords(wanted, &tables.interfaces[place]);
  }
  return result;
}

absl::Status DrDataPlane::AttachInterfaces() {
  absl::Status result;
  std::set<uint32_t> ifindexes;
  std::map<std::string, Attachment> attachments;
  for (const auto& [ifindex, name] : interfaces_) {
    ifindexes.insert(ifindex);
    const absl::StatusOr<Attachment> attachment = loader_->Attach(ifindex);
    if (!attachment.ok()) {
      result.Update(absl::FailedPreconditionError(absl::StrCat(
          "the XDP program is not attached to ", name, ": ", attachment.status().message())));
      continue;
    }
    attachments[name] = *attachment;
    if (attachments_.count(name) != 0) continue;
    base::LogInfo("XDP program attached", {{"interface", name},
                                           {"mode", AttachModeName(attachment->mode)},
                                           {"reason", attachment->reason}});
  }
  loader_->DetachOthers(ifindexes);
  attachments_ = std::move(attachments);
  return result;
}

void DrDataPlane::WriteServices(ApplyResult* result) {
  const absl::Duration now = clock_.Monotonic();
  std::vector<ServiceEntry> entries;
  std::vector<size_t> outcome_of;
  for (const auto& service : plan_->services) {
    ServiceOutcome& outcome = result->services.emplace_back(OutcomeOf(*service));
    for (AddressOutcome& address : outcome.addresses) {
      for (const uint32_t ifindex : neighbours_->InterfacesOf(address.address)) {
        const Link* link = neighbours_->FindLink(ifindex);
        if (link != nullptr) address.interface = link->name;
      }
    }
    const bool unsettled =
        now < settled_at_ &&
        std::any_of(service->servers.begin(), service->servers.end(), [](const PlanServer& server) {
          return server.operational == model::OperationalState::kUnknown;
        });
    for (ServiceEntry& entry : TranslateService(*service, links_, now)) {
      entry.keep_ring = unsettled;
      if (lease_keeper_ != nullptr) entry.flags |= bpf::kDrServiceLeased;
      entries.push_back(std::move(entry));
      outcome_of.push_back(result->services.size() - 1);
    }
  }
  const std::vector<absl::Status> statuses = writer_->Apply(entries, now);
  for (size_t i = 0; i < statuses.size(); ++i) {
    result->services[outcome_of[i]].status.Update(statuses[i]);
  }
}

PlaneObservation DrDataPlane::Observe() const {
  base::MutexLock lock(&mutex_);
  PlaneObservation observation;
  observation.applied_revision = plan_->revision;
  if (loader_ == nullptr) return observation;
  for (const auto& [name, attachment] : attachments_) {
    observation.interfaces.push_back({name, AttachModeName(attachment.mode), attachment.reason});
  }
  const auto reasons = loader_->store().Reasons();
  for (size_t i = 0; reasons.ok() && i < reasons->size(); ++i) {
    observation.packets.push_back({kReasons[i].label, kReasons[i].meaning, (*reasons)[i]});
  }
  auto servers = loader_->store().ServerCounts();
  auto handshakes = loader_->store().HandshakeCounts();
  if (!servers.ok() || !handshakes.ok()) return observation;
  const Counts counts = {*std::move(servers), *std::move(handshakes)};
  for (const auto& service : plan_->services) {
    observation.services.push_back(ObserveService(*service, counts));
  }
  return observation;
}

ServiceObservation DrDataPlane::ObserveService(const PlanService& service,
                                               const Counts& counts) const {
  const bpf::DrTables& tables = loader_->store().tables();
  ServiceObservation observed;
  observed.service_id = service.id;
  observed.counts_active = RecordsEveryFlow(service);
  if (observed.counts_active) {
    const bpf::DrVipLoad& load = tables.vips[writer_->VipIndex(service.name)];
    observed.connections_active = ActiveFlows(load.active);
    observed.rejections_total[static_cast<size_t>(Rejection::kVipLimit)] = load.refused;
  }
  for (const PlanServer& planned : service.servers) {
    ServerObservation& server = observed.servers.emplace_back();
    server.server_id = planned.id;
    const auto problem = problems_.find(planned.id);
    if (problem != problems_.end()) server.problem = problem->second;
    const uint32_t index = writer_->ServerIndex(service.name, planned.name);
    const bpf::DrServerCounts& counted = counts.servers[index];
    server.counts_active = observed.counts_active;
    if (server.counts_active) server.connections_active = ActiveFlows(tables.loads[index].active);
    server.handshakes = HandshakesObservation{counts.handshakes[index].watched,
                                              counts.handshakes[index].progressed};
    server.connections_total = counted.flows;
    server.bytes_to_server_total = counted.bytes;
    observed.connections_total += counted.flows;
  }
  if (service.fallback.action == model::Fallback::Action::kServer) {
    const uint32_t index = writer_->ServerIndex(service.name, kFallbackName);
    observed.fallback_total = counts.servers[index].flows;
    observed.connections_total += observed.fallback_total;
    const auto problem = problems_.find(service.id);
    if (problem != problems_.end()) observed.fallback_problem = problem->second;
  }
  return observed;
}

absl::StatusOr<Explanation> DrDataPlane::Explain(const net::Endpoint& client,
                                                 const net::Endpoint& vip) const {
  base::MutexLock lock(&mutex_);
  for (const auto& service : plan_->services) {
    const auto& addresses = service->addresses;
    if (std::find(addresses.begin(), addresses.end(), vip.address) == addresses.end()) continue;
    if (!service->ports.Contains(vip.port)) continue;
    if (writer_ == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat("VIP ", service->name, " is not forwarded: the program is not loaded"));
    }
    return ExplainFlow({.service = *service,
                        .client = client,
                        .vip = vip,
                        .problems = problems_,
                        .tables = loader_->store().tables(),
                        .flows = loader_->store().flows(),
                        .writer = *writer_});
  }
  return absl::NotFoundError(absl::StrCat("no VIP in mode DR has ", vip.ToString()));
}

}  // namespace fairlead::dataplane::dr
