#include "pkg/dataplane/dr/explain.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
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

uint64_t HashOf(const FlowQuestion& question, const bpf::DrService& service) {
  const bool by_source = (service.flags & bpf::kDrServiceBySource) != 0;
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

// 0 = not recorded.
uint32_t RecordedServer(const FlowQuestion& question, uint64_t hash) {
  for (const __u64& entry : question.flows[bpf::DrFlowBucketIndex(hash)].entries) {
    const uint64_t value = __atomic_load_n(&entry, __ATOMIC_RELAXED);
    if (value != 0 && (value ^ hash) >> bpf::kDrFlowTagShift == 0) {
      return static_cast<uint32_t>(value & bpf::kDrFlowServerMask);
    }
  }
  return 0;
}

const PlanServer* FindServer(const FlowQuestion& question, uint32_t index) {
  for (const PlanServer& server : question.service.servers) {
    if (index != 0 && question.writer.ServerIndex(question.service.name, server.name) == index) {
      return &server;
    }
  }
  return nullptr;
}

std::string Verdict(const FlowQuestion& question, const PlanServer& server) {
  const auto problem = question.problems.find(server.id);
  if (problem != question.problems.end()) return problem->second;
  switch (server.eligibility) {
    case model::Eligibility::kAll:
      return "may serve";
    case model::Eligibility::kPersistentOnly:
      return "takes no new clients (draining or weight 0)";
    case model::Eligibility::kNone:
      return "takes no new connections (down, not checked yet or halted)";
  }
  return "";
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
    explanation->details.push_back(absl::StrFormat("%s (%s): weight %g: %s", server.name,
                                                   server.address.ToString(), server.weight,
                                                   Verdict(question, server)));
  }
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
  const uint64_t hash = HashOf(question, service);
  const uint32_t slot_index = bpf::DrRingSlot(hash, service.ring_mask);
  const uint16_t slot = ring.present[slot_index];
  const uint32_t recorded = RecordedServer(question, hash);
  const PlanServer* server = FindServer(question, recorded);
  const bool is_recorded = server != nullptr;
  if (is_recorded) {
    explanation.reason = "its flow is recorded with this server";
  } else if ((service.flags & bpf::kDrServiceByTurn) != 0) {
    explanation.reason = "a new flow takes its turn; no server is bound to this client";
    return explanation;
  } else {
    server = FindServer(question, slot & bpf::kDrSlotServer);
    explanation.reason = absl::StrCat("owns slot ", slot_index, " of ", ring.present.size(),
                                      (slot & bpf::kDrSlotDirty) != 0
                                          ? ", which changed hands lately; older flows stay with "
                                            "their server"
                                          : "");
  }
  if (server == nullptr) {
    explanation.reason = "no real server can take new flows";
    explanation.passed_up = (service.flags & bpf::kDrServiceDropUnserved) == 0;
    return explanation;
  }
  if (server->this_host) {
    explanation.reason = absl::StrCat("the program passes it up to the proxy: this host ",
                                      is_recorded ? "has its flow" : explanation.reason);
    explanation.passed_up = true;
    return explanation;
  }
  explanation.server = server->name;
  explanation.server_endpoint = {server->address, question.vip.port};
  return explanation;
}

}  // namespace fairlead::dataplane::dr
