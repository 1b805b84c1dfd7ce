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

uint32_t FlagsOf(const PlanService& service) {
  uint32_t flags = 0;
  if (service.fallback.action == model::Fallback::Action::kDrop) {
    flags |= bpf::kDrServiceDropUnserved;
  }
  if (service.persistence.type == model::Persistence::Type::kSourceIp) {
    return flags | bpf::kDrServiceTracked | bpf::kDrServiceBySource | bpf::kDrServicePersistent;
  }
  if (service.scheduler == model::Scheduler::kSourceHash) flags |= bpf::kDrServiceBySource;
  if (service.scheduler == model::Scheduler::kWeightedRoundRobin) {
    flags |= bpf::kDrServiceTracked | bpf::kDrServiceByTurn;
  }
  return flags;
}

int ClientPrefixLength(const PlanService& service, net::IpFamily family) {
  const bool persistent = service.persistence.type == model::Persistence::Type::kSourceIp;
  if (family == net::IpFamily::kIpv4) {
    return persistent ? service.persistence.ipv4_prefix_length : 32;
  }
  return persistent ? service.persistence.ipv6_prefix_length : 128;
}

ServerEntry TranslateServer(const PlanServer& server, const ServerLinks& links,
                            absl::Duration now) {
  ServerEntry entry;
  entry.name = server.name;
  const auto link = links.find(server.id);
  if (link == links.end()) return entry;
  entry.link = link->second;
  entry.usable =
      server.operational != model::OperationalState::kDown && server.cut_sessions_at > now;
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

}  // namespace

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
      entry.client_prefix_length = ClientPrefixLength(service, family);
      // A record is of a client's connections as well as of its persistence.
      entry.idle_timeout = service.timeouts.idle;
      if (service.persistence.type == model::Persistence::Type::kSourceIp) {
        entry.idle_timeout = std::max(entry.idle_timeout, service.persistence.timeout);
      }
      for (const PlanServer& server : service.servers) {
        if (!Belongs(server, entry)) continue;
        entry.servers.push_back(TranslateServer(server, links, now));
      }
      if (service.mode == model::Mode::kAuto) GiveThisHostTheRest(&entry);
      entries.push_back(std::move(entry));
    }
  }
  return entries;
}

}  // namespace fairlead::dataplane::dr
