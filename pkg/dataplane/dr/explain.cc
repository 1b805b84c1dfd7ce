#include "pkg/dataplane/dr/explain.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "pkg/dataplane/dr/load_writer.h"
#include "pkg/dataplane/dr/plan_translation.h"
#include "pkg/dataplane/dr/service_entry.h"

namespace fairlead::dataplane::dr {
namespace {

std::string KeyOf(const FlowQuestion& question) {
  ServiceEntry entry;
  entry.vip = question.service.name;
  entry.protocol = question.service.protocol == model::Protocol::kUdp ? IPPROTO_UDP : IPPROTO_TCP;
  entry.family = question.vip.address.family();
  return entry.Key();
}

// Of the client and its port, or by source of the client under its mask alone.
uint64_t HashOf(const FlowQuestion& question, const bpf::DrService& service, bool by_source) {
  uint32_t ports = 0;
  if (!by_source) {
    const std::array<uint16_t, 2> wire = {htons(question.client.port), htons(question.vip.port)};
    std::memcpy(&ports, wire.data(), sizeof(ports));
  }
  uint32_t client[4] = {};
  const auto bytes = question.client.address.bytes();
  std::memcpy(client, bytes.data(), bytes.size());
  if (question.vip.address.is_ipv4()) {
    if (by_source) client[0] &= service.client_mask_ipv4;
    return bpf::DrHashIpv4(client[0], ports, service.hash_key);
  }
  for (int i = 0; by_source && i < 4; ++i) client[i] &= service.client_mask_ipv6[i];
  return bpf::DrHashIpv6(client, ports, service.hash_key);
}

// 0 = not recorded, or its flow has ended.
uint32_t FindRecord(const FlowQuestion& question, uint64_t hash) {
  for (const __u64& entry : question.flows[bpf::DrFlowBucketIndex(hash)].entries) {
    const uint64_t value = __atomic_load_n(&entry, __ATOMIC_RELAXED);
    if ((value & bpf::kDrFlowEnded) != 0) continue;
    if (value != 0 && (value ^ hash) >> bpf::kDrFlowTagShift == 0) {
      return static_cast<uint32_t>(value & bpf::kDrFlowServerMask);
    }
  }
  return 0;
}

uint32_t IndexOf(const FlowQuestion& question, const PlanServer& server) {
  return question.writer.ServerIndex(question.service.name, server.name);
}

const PlanServer* FindServer(const FlowQuestion& question, uint32_t index) {
  for (const PlanServer& server : question.service.servers) {
    if (index != 0 && IndexOf(question, server) == index) return &server;
  }
  return nullptr;
}

bool TakesNewFlows(const FlowQuestion& question, const PlanServer& server) {
  return question.problems.count(server.id) == 0 &&
         server.eligibility == model::Eligibility::kAll &&
         !IsFull(question.tables.loads[IndexOf(question, server)]);
}

std::string Verdict(const FlowQuestion& question, const PlanServer& server) {
  const auto problem = question.problems.find(server.id);
  if (problem != question.problems.end()) return problem->second;
  switch (server.eligibility) {
    case model::Eligibility::kAll:
      if (TakesNewFlows(question, server)) return "may serve";
      return absl::StrCat("is full: takes new clients again at ",
                          question.tables.loads[IndexOf(question, server)].connections_resume,
                          " connections");
    case model::Eligibility::kPersistentOnly:
      return "takes no new clients (draining or weight 0)";
    case model::Eligibility::kNone:
      if (!server.held.empty()) {
        return absl::StrCat("takes no new connections for a while: ", server.held);
      }
      return "takes no new connections (down, not checked yet or halted)";
  }
  return "";
}

std::string ConnectionsText(const FlowQuestion& question, const PlanServer& server) {
  if (!RecordsEveryFlow(question.service)) return "";
  const uint64_t active = ActiveFlows(question.tables.loads[IndexOf(question, server)].active);
  return absl::StrCat(
      ", ", active, server.connections_max == 0 ? "" : absl::StrCat(" of ", server.connections_max),
      " connections");
}

void AddDetails(const FlowQuestion& question, Explanation* explanation) {
  for (const PlanServer& server : question.service.servers) {
    if (server.this_host) {
      explanation->details.push_back(
          absl::StrFormat("%s: weight %g: the proxied servers' share", server.name, server.weight));
      continue;
    }
    // A proxied one is the proxy's to explain.
    if (server.way == Way::kProxy) continue;
    if (server.address.family() != question.vip.address.family()) continue;
    explanation->details.push_back(absl::StrFormat(
        "%s (%s): weight %g%s: %s", server.name, server.address.ToString(), server.weight,
        ConnectionsText(question, server), Verdict(question, server)));
  }
}

// Those whose load is the least to within one flow: NextCandidate of bpf/load.bpf.h.
std::string LeastLoadedServers(const FlowQuestion& question) {
  std::vector<std::pair<const PlanServer*, double>> candidates;
  double limit = std::numeric_limits<double>::infinity();
  for (const PlanServer& server : question.service.servers) {
    if (server.address.family() != question.vip.address.family()) continue;
    if (!TakesNewFlows(question, server) || server.weight <= 0) continue;
    const uint64_t active = ActiveFlows(question.tables.loads[IndexOf(question, server)].active);
    const auto flows = static_cast<double>(active);
    candidates.emplace_back(&server, flows / server.weight);
    limit = std::min(limit, (flows + 1) / server.weight);
  }
  std::vector<std::string> names;
  for (const auto& [server, load] : candidates) {
    if (load < limit) names.push_back(server->name);
  }
  return absl::StrJoin(names, ", ");
}

// 0 = there is none, or it cannot be used.
uint32_t FallbackIndex(const FlowQuestion& question) {
  if (question.service.fallback.action != model::Fallback::Action::kServer) return 0;
  const uint32_t index = question.writer.ServerIndex(question.service.name, kFallbackName);
  return (question.tables.servers[index].flags & bpf::kDrServerUsable) != 0 ? index : 0;
}

bool SomeServerIsUsable(const FlowQuestion& question) {
  return std::any_of(question.service.servers.begin(), question.service.servers.end(),
                     [&](const PlanServer& server) {
                       return server.address.family() == question.vip.address.family() &&
                              server.eligibility == model::Eligibility::kAll &&
                              question.problems.count(server.id) == 0;
                     });
}

// Where a new flow goes and why; 0 = nowhere, or to no server that could be told now.
struct NewFlow {
  uint32_t index = 0;
  std::string reason;
  bool refused = false;  // nowhere: what the VIP's fallback says
};

NewFlow PlaceNewFlow(const FlowQuestion& question, const bpf::DrService& service,
                     const RingState& ring, uint32_t slot_index) {
  const bpf::DrVipLoad& vip = question.tables.vips[service.vip];
  const uint64_t active = ActiveFlows(vip.active);
  if (vip.connections_max != 0 && active >= vip.connections_max) {
    return {0,
            absl::StrCat("the VIP has its maxConnections (", active, " of ", vip.connections_max,
                         "): new connections are refused"),
            true};
  }
  if (!SomeServerIsUsable(question) && FallbackIndex(question) != 0) {
    return {FallbackIndex(question),
            "no real server is usable: new clients get the fallback server"};
  }
  if ((service.flags & bpf::kDrServiceLeastFlows) != 0) {
    const std::string names = LeastLoadedServers(question);
    if (names.empty()) return {0, "no real server can take new flows", true};
    return {0, absl::StrCat("a new flow goes to the next in turn among those with the fewest "
                            "connections for their weight, to within one: ",
                            names)};
  }
  if ((service.flags & bpf::kDrServiceByTurn) != 0) {
    return {0, "a new flow takes its turn; no server is bound to this client"};
  }
  const uint16_t slot = ring.present[slot_index];
  const uint32_t owner = slot & bpf::kDrSlotServer;
  for (uint32_t i = 0; i < ring.present.size() && owner != 0; ++i) {
    const uint32_t index =
        ring.present[(slot_index + i) % ring.present.size()] & bpf::kDrSlotServer;
    if (IsFull(question.tables.loads[index])) continue;
    if (i > 0) return {index, "is the next on the ring: the owner of the client's slot is full"};
    return {index, absl::StrCat("owns slot ", slot_index, " of ", ring.present.size(),
                                (slot & bpf::kDrSlotDirty) != 0
                                    ? ", which changed hands lately; older flows stay with their "
                                      "server"
                                    : "")};
  }
  return {0, owner == 0 ? "no real server can take new flows" : "every real server is full", true};
}

// false: there is no such server.
bool TellServer(const FlowQuestion& question, uint32_t index, const std::string& reason,
                Explanation* explanation) {
  if (index == 0) return false;
  const PlanServer* server = FindServer(question, index);
  if (server != nullptr && server->this_host) {
    explanation->reason =
        absl::StrCat("the program passes it up to the proxy: this host ",
                     absl::StartsWith(reason, "its flow") ? "has its flow" : reason);
    explanation->passed_up = true;
    return true;
  }
  if (server != nullptr) {
    explanation->server = server->name;
    explanation->server_endpoint = {server->address, question.vip.port};
  } else if (index == FallbackIndex(question)) {
    explanation->server = kFallbackName;
    explanation->server_endpoint = {question.service.fallback.server.address, question.vip.port};
  } else {
    return false;
  }
  explanation->reason = reason;
  return true;
}

}  // namespace

Explanation ExplainFlow(const FlowQuestion& question) {
  Explanation explanation;
  AddDetails(question, &explanation);
  const uint32_t index = question.writer.ServiceIndex(KeyOf(question));
  const RingState& ring = question.writer.RingOf(index);
  if (index == 0 || ring.present.empty()) {
    explanation.reason = "the VIP is not in the maps";
    return explanation;
  }
  const bpf::DrService& service = question.tables.services[index];
  const bool by_source = (service.flags & bpf::kDrServiceBySource) != 0;
  if (question.client.port == 0 && !by_source) {
    explanation.reason =
        "direct routing chooses by the client's port too; ask with --client IP:PORT";
    return explanation;
  }
  const uint64_t hash = HashOf(question, service, by_source);
  const uint64_t flow_hash = HashOf(question, service, false);
  const uint64_t record = by_source ? bpf::DrRecordHash(hash, flow_hash) : flow_hash;
  const uint32_t recorded = FindRecord(question, record);
  if (TellServer(question, recorded, "its flow is recorded with this server", &explanation)) {
    return explanation;
  }
  if ((service.flags & bpf::kDrServicePersistent) != 0) {
    const uint32_t clients = FindRecord(question, hash);
    if (!IsFull(question.tables.loads[clients]) &&
        (question.tables.servers[clients].flags & bpf::kDrServerHeld) == 0 &&
        TellServer(question, clients, "the client is recorded with this server (persistence)",
                   &explanation)) {
      return explanation;
    }
  }
  NewFlow flow = PlaceNewFlow(question, service, ring, bpf::DrRingSlot(hash, service.ring_mask));
  if (!TellServer(question, flow.index, flow.reason, &explanation)) {
    explanation.reason = std::move(flow.reason);
    explanation.passed_up = flow.refused && (service.flags & bpf::kDrServiceDropUnserved) == 0;
  }
  return explanation;
}

}  // namespace fairlead::dataplane::dr
