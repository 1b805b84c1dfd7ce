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
#include "pkg/dataplane/dr/bpffs.h"
#include "pkg/dataplane/dr/capabilities.h"

namespace fairlead::dataplane::dr {
namespace {

// How often the neighbours are looked at when no message says that one changed, and drains are
// ended.
constexpr absl::Duration kTurn = absl::Seconds(1);
// Five checks of the default interval; after that, a server without a verdict is not waited for.
constexpr absl::Duration kSettleTime = absl::Seconds(10);

std::array<uint64_t, 2> RandomSecret() {
  std::array<uint64_t, 2> secret{};
  // Never short at this size (getrandom(2)).
  [[maybe_unused]] const ssize_t size = ::getrandom(secret.data(), sizeof(secret), 0);
  return secret;
}

void LogAttached(const char* what, const std::string& interface, const Attachment& attachment) {
  base::LogInfo(what, {{"interface", interface},
                       {"mode", AttachModeName(attachment.mode)},
                       {"reason", attachment.reason}});
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
  claim_.Release();
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
  absl::Duration turn = kTurn;
  while (true) {
    std::array<pollfd, 2> wait = {pollfd{stop_.get(), POLLIN, 0},
                                  pollfd{netlink_->changes_fd(), POLLIN, 0}};
    ::poll(wait.data(), wait.size(), static_cast<int>(absl::ToInt64Milliseconds(turn)));
    if (wait[0].revents != 0) return;
    base::MutexLock lock(&mutex_);
    turn = kTurn;
    const bool changed = wait[1].revents != 0 && netlink_->DrainChanges();
    if (unload_again_) UnloadAndSay();
    if (loader_ == nullptr) {  // what does not load is tried again by the controller
      (void)Look();            // a failure is told as the problem of every server
      continue;
    }
    claim_.Renew();
    const absl::Duration now = clock_.Monotonic();
    if (changed || now >= next_round_) {
      next_round_ = now + kTurn;
      Reconcile();
    }
    VerifyPaths(now);
    if (verifier_->busy()) turn = PathVerifier::kBusyTurn;
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
  vips_.clear();
  for (const auto& service : plan_->services) {
    vips_.insert(service->addresses.begin(), service->addresses.end());
  }
  if (std::none_of(plan_->services.begin(), plan_->services.end(),
                   [](const auto& service) { return Forwards(*service); })) {
    UnloadAndSay();
    return Note(Refuse(*plan_, Look()));
  }
  if (!options_.refusal.empty()) {
    return Note(Refuse(*plan_, absl::FailedPreconditionError(options_.refusal)));
  }
  if (absl::Status status = Load(); !status.ok()) return Note(Refuse(*plan_, status));
  return Reconcile();
}

ApplyResult DrDataPlane::Note(ApplyResult result) {
  refusals_.clear();
  for (const ServiceOutcome& outcome : result.services) {
    if (outcome.status.ok()) continue;
    refusals_[outcome.service_id] = std::string(outcome.status.message());
  }
  return result;
}

absl::Status DrDataPlane::Look() {
  if (plan_->services.empty()) return absl::OkStatus();
  absl::Status status = neighbours_->Refresh();
  if (status.ok()) {
    ResolveServers();
    return status;
  }
  for (const auto& service : plan_->services) {
    for (const PlanServer& server : service->servers) {
      problems_[server.id] = std::string(status.message());
    }
  }
  return status;
}

absl::Status DrDataPlane::Load() {
  unload_again_ = false;
  if (loader_ != nullptr) return absl::OkStatus();
  if (absl::Status status = CheckCapabilities(); !status.ok()) return status;
  if (absl::Status status = MakeBpfDirectory(options_.bpf_directory); !status.ok()) return status;
  if (absl::Status status = claim_.Claim(clock_.Monotonic()); !status.ok()) return status;
  auto loader = ProgramLoader::Create(options_.bpf_directory);
  if (!loader.ok()) return loader.status();
  auto writer = std::make_unique<MapWriter>((*loader)->store(), RandomSecret());
  if (absl::Status status = writer->Adopt(); !status.ok()) return status;
  base::LogInfo((*loader)->adopted() ? "the forwarding of a former process is adopted"
                                     : "the program is loaded",
                {{"directory", options_.bpf_directory}});
  loader_ = *std::move(loader);
  if (loader_->adopted()) settled_at_ = clock_.Monotonic() + kSettleTime;
  writer_ = std::move(writer);
  verifier_ = std::make_unique<PathVerifier>(loader_->store());
  unloaded_ = false;
  // Before any service has a lease.
  if (options_.lease > absl::ZeroDuration()) {
    lease_keeper_ = std::make_unique<LeaseKeeper>(options_.lease);
    lease_keeper_->Renew(&loader_->store().tables());
  }
  return absl::OkStatus();
}

void DrDataPlane::UnloadAndSay() {
  const absl::Status status = Unload();
  unload_again_ = absl::IsUnavailable(status);
  if (status.ok() || unload_again_) return;
  base::LogWarning("mode DR is not taken away", {{"reason", std::string(status.message())}});
}

// What another daemon on this host pinned there is not ours to take away.
absl::Status DrDataPlane::Unload() {
  if (unloaded_) return absl::OkStatus();
  const absl::StatusOr<bool> ours =
      IsBpffs(options_.bpf_directory) ? claim_.ClaimForRemoval() : absl::StatusOr<bool>(false);
  if (!ours.ok()) return ours.status();
  lease_keeper_.reset();
  writer_.reset();
  verifier_.reset();
  loader_.reset();
  links_.clear();
  problems_.clear();
  interfaces_.clear();
  attachments_.clear();
  absl::Status status;
  if (*ours) status = ProgramLoader::RemovePinned(options_.bpf_directory);
  if (status.ok()) claim_.Release();
  unloaded_ = status.ok();
  return status;
}

ApplyResult DrDataPlane::Reconcile() {
  ApplyResult result;
  result.revision = plan_->revision;
  if (absl::Status status = Look(); !status.ok()) return Note(Refuse(*plan_, status));
  interfaces_ = WantedInterfaces();
  // The way out before the servers that use it, the way in last.
  absl::Status common = WriteInterfaces();
  WriteServices(&result);
  common.Update(AttachInterfaces());
  for (ServiceOutcome& outcome : result.services) outcome.status.Update(common);
  return Note(std::move(result));
}

void DrDataPlane::ResolveServers() {
  links_.clear();
  problems_.clear();
  for (const auto& service : plan_->services) {
    for (const PlanServer& server : service->servers) ResolveServer(*service, server);
    if (service->fallback.action == model::Fallback::Action::kServer) {
      Resolve(service->id, service->fallback.server.address);
    }
  }
}

void DrDataPlane::ResolveServer(const PlanService& service, const PlanServer& server) {
  if (server.this_host) {
    links_[server.id] = {.local = true};
    return;
  }
  Resolve(server.id, server.address);
  const auto link = links_.find(server.id);
  if (service.mode != model::Mode::kAuto || link == links_.end() || !link->second.local) return;
  links_.erase(link);
  problems_[server.id] = "it is this host, where the proxy has the VIP's addresses and ports";
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
  for (const auto& service : plan_->services) {
    if (!Forwards(*service)) continue;
    std::vector<uint32_t> ids = {service->id};  // its fallback server's
    for (const PlanServer& server : service->servers) ids.push_back(server.id);
    for (const uint32_t id : ids) {
      const auto link = links_.find(id);
      if (link != links_.end() && !link->second.local) wanted.insert(link->second.ifindex);
    }
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
      wanted.ifindex = found->second;
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
  std::map<uint32_t, Attachment> attachments;
  for (const auto& [ifindex, name] : interfaces_) {
    ifindexes.insert(ifindex);
    const absl::StatusOr<Attachment> attachment = loader_->AttachTo(ifindex);
    if (!attachment.ok()) {
      result.Update(absl::FailedPreconditionError(absl::StrCat(
          "the program is not attached to ", name, ": ", attachment.status().message())));
      continue;
    }
    attachments[ifindex] = *attachment;
    verifier_->Watch(ifindex, attachment->mode, neighbours_->ProbeTargets(ifindex));
    if (attachments_.count(ifindex) == 0) LogAttached("program attached", name, *attachment);
  }
  for (const auto& [ifindex, attachment] : attachments_) {
    if (attachments.count(ifindex) == 0) verifier_->Forget(ifindex);
  }
  loader_->DetachOthers(ifindexes);
  attachments_ = std::move(attachments);
  return result;
}

void DrDataPlane::VerifyPaths(absl::Duration now) {
  for (const PathVerifier::Failure& failure : verifier_->Turn(now)) {
    const std::string& name = interfaces_[failure.ifindex];
    const Link* link = neighbours_->FindLink(failure.ifindex);
    std::string reason = failure.reason;
    const Attachment before = attachments_[failure.ifindex];
    if (link != nullptr && link->kind == "veth" && before.mode == AttachMode::kNative) {
      absl::StrAppend(&reason, "; has the other end of this veth an XDP program?");
    }
    const absl::StatusOr<Attachment> next = loader_->Descend(failure.ifindex, reason);
    if (!next.ok()) {
      base::LogWarning("no mode is left for an interface whose frames are lost",
                       {{"interface", name},
                        {"mode", AttachModeName(before.mode)},
                        {"reason", std::string(next.status().message())}});
      continue;
    }
    attachments_[failure.ifindex] = *next;
    verifier_->Watch(failure.ifindex, next->mode, neighbours_->ProbeTargets(failure.ifindex));
    LogAttached("an interface left a mode that does not work", name, *next);
  }
}

void DrDataPlane::WriteServices(ApplyResult* result) {
  const absl::Duration now = clock_.Monotonic();
  std::vector<ServiceEntry> entries;
  std::vector<size_t> outcome_of;
  for (const auto& service : plan_->services) {
    ServiceOutcome& outcome = result->services.emplace_back(OutcomeOf(*service));
    if (!Forwards(*service)) continue;
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

}  // namespace fairlead::dataplane::dr
