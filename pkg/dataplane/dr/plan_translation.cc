#include "pkg/dataplane/dr/plan_translation.h"

#include <netinet/in.h>

#include <algorithm>
#include <utility>

#include "pkg/dataplane/dr/bpf/dr_maps.h"

namespace fairlead::dataplane::dr {
namespace {

std::vector<uint8_t> ProtocolsOf(model::Protocol protocol) {
  switch (protocol) {
    case model::Protocol::kTcp:
      return {IPPROTO_TCP};
    case model::Protocol::kUdp:
      return {IPPROTO_UDP};
    case model::Protocol::kTcpAndUdp:
      return {IPPROTO_TCP, IPPROTO_UDP};
  }
  return {};
}

bool IsPersistent(const PlanService& service) {
  return service.persistence.type == model::Persistence::Type::kSourceIp;
}

bool HasLimits(const PlanService& service) {
  return service.connections_max != 0 ||
         std::any_of(service.servers.begin(), service.servers.end(),
                     [](const PlanServer& server) { return server.connections_max != 0; });
}

uint32_t FlagsOf(const PlanService& service) {
  uint32_t flags = 0;
  if (service.fallback.action == model::Fallback::Action::kDrop) {
    flags |= bpf::kDrServiceDropUnserved;
  }
  if (IsPersistent(service)) {
    flags |= bpf::kDrServiceTracked | bpf::kDrServiceBySource | bpf::kDrServicePersistent;
  }
  if (HasLimits(service)) flags |= bpf::kDrServiceTracked;
  switch (service.scheduler) {
    case model::Scheduler::kWeightedLeastConnections:
      return flags | bpf::kDrServiceTracked | bpf::kDrServiceLeastFlows;
    case model::Scheduler::kWeightedRoundRobin:
      return flags | bpf::kDrServiceTracked | bpf::kDrServiceByTurn;
    case model::Scheduler::kSourceHash:
      return flags | bpf::kDrServiceBySource;
    case model::Scheduler::kMaglev:
      return flags;
  }
  return flags;
}

int ClientPrefixLength(const PlanService& service, net::IpFamily family) {
  const bool persistent = IsPersistent(service);
  if (family == net::IpFamily::kIpv4) {
    return persistent ? service.persistence.ipv4_prefix_length : 32;
  }
  return persistent ? service.persistence.ipv6_prefix_length : 128;
}

ServerEntry TranslateServer(const PlanServer& server, const ServerLinks& links,
                            absl::Duration now) {
  ServerEntry entry;
  entry.name = server.name;
  entry.connections_max = server.connections_max;
  entry.connections_min = server.connections_min;
  const auto link = links.find(server.id);
  if (link == links.end()) return entry;
  entry.link = link->second;
  entry.usable =
      server.operational != model::OperationalState::kDown && server.cut_sessions_at > now;
  entry.held = !server.held.empty();
  entry.weight = server.eligibility == model::Eligibility::kAll ? server.weight : 0;
  return entry;
}

// IPv6 clients are proxied to IPv4 servers too; the proxy has no UDP.
bool Belongs(const PlanServer& server, const ServiceEntry& entry) {
  if (server.this_host) return entry.protocol == IPPROTO_TCP;
  return server.address.family() == entry.family;
}

// What nobody takes goes up the stack by slots of this host, too: a slot without an owner would
// have no flows as far as the ring knows, while the proxy may have some.
void GiveThisHostTheRest(ServiceEntry* entry) {
  const bool taken =
      std::any_of(entry->servers.begin(), entry->servers.end(),
                  [](const ServerEntry& server) { return server.usable && server.weight > 0; });
  if (taken) return;
  for (ServerEntry& server : entry->servers) {
    if (server.link.local) server.weight = 1;
  }
}

void AddFallback(const PlanService& service, const ServerLinks& links, ServiceEntry* entry) {
  const model::Fallback& fallback = service.fallback;
  if (fallback.action != model::Fallback::Action::kServer) return;
  if (fallback.server.address.family() != entry->family) return;
  const bool needed =
      std::none_of(entry->servers.begin(), entry->servers.end(),
                   [](const ServerEntry& server) { return server.usable && server.weight > 0; });
  ServerEntry server;
  server.name = kFallbackName;
  server.weight = needed ? 1 : 0;
  const auto link = links.find(service.id);
  if (link != links.end()) {
    server.usable = true;
    server.link = link->second;
  }
  entry->servers.push_back(std::move(server));
}

}  // namespace

bool RecordsEveryFlow(const PlanService& service) {
  return (FlagsOf(service) & bpf::kDrServiceTracked) != 0;
}

bool Forwards(const PlanService& service) {
  return service.mode == model::Mode::kDr || service.direct_part == DirectPart::kForward;
}

std::vector<ServiceEntry> TranslateService(const PlanService& service, const ServerLinks& links,
                                           absl::Duration now) {
  std::vector<ServiceEntry> entries;
  for (const uint8_t protocol : ProtocolsOf(service.protocol)) {
    for (const net::IpFamily family : {net::IpFamily::kIpv4, net::IpFamily::kIpv6}) {
      ServiceEntry entry;
      entry.vip = service.name;
      entry.protocol = protocol;
      entry.family = family;
      for (const net::IpAddress& address : service.addresses) {
        if (address.family() == family) entry.addresses.push_back(address);
      }
      if (entry.addresses.empty()) continue;
      entry.ports = service.ports;
      entry.flags = FlagsOf(service);
      if (service.watches_handshakes && protocol == IPPROTO_TCP) {
        entry.flags |= bpf::kDrServiceWatchesAll;
      }
      entry.client_prefix_length = ClientPrefixLength(service, family);
      entry.idle_timeout = service.timeouts.idle;
      if (IsPersistent(service)) entry.client_timeout = service.persistence.timeout;
      entry.connections_max = service.connections_max;
      for (const PlanServer& server : service.servers) {
        if (!Belongs(server, entry)) continue;
        entry.servers.push_back(TranslateServer(server, links, now));
      }
      if (service.mode == model::Mode::kAuto) GiveThisHostTheRest(&entry);
      AddFallback(service, links, &entry);
      entries.push_back(std::move(entry));
    }
  }
  return entries;
}

}  // namespace fairlead::dataplane::dr
