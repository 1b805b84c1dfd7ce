#include "pkg/dataplane/snat/server_picker.h"

#include <algorithm>

#include "absl/container/inlined_vector.h"
#include "pkg/scheduler/schedule.h"
#include "pkg/scheduler/stable_hash.h"

namespace fairlead::dataplane::snat {
namespace {

using Candidates = absl::InlinedVector<scheduler::Candidate, 16>;

uint64_t HashKey(const SnatService& service, const net::Endpoint& client, bool with_port) {
  const uint64_t seed = service.runtime->name_hash ^ (with_port ? client.port : 0);
  return scheduler::StableHash(client.address, seed);
}

scheduler::Candidate MakeCandidate(const PickRequest& request, int index) {
  const ServerRuntime& runtime = *request.service.servers[index];
  return {static_cast<uint32_t>(index), request.service.spec->servers[index].weight,
          runtime.connections.load(std::memory_order_relaxed),
          runtime.shards[request.shard].finish.load(std::memory_order_relaxed), runtime.name_hash};
}

// Walks the Maglev table from the client's slot to the first server that is a candidate.
size_t PickMaglev(const SnatService& service, uint64_t key, const Candidates& candidates) {
  for (uint32_t attempt = 0; attempt < service.maglev.size(); ++attempt) {
    const uint16_t index = service.maglev.Lookup(key, attempt);
    const auto found =
        std::find_if(candidates.begin(), candidates.end(),
                     [index](const scheduler::Candidate& c) { return c.index == index; });
    if (found != candidates.end()) return found - candidates.begin();
  }
  return 0;
}

size_t Schedule(const PickRequest& request, const Candidates& candidates) {
  const SnatService& service = request.service;
  const double now =
      service.runtime->shards[request.shard].virtual_time.load(std::memory_order_relaxed);
  switch (service.spec->scheduler) {
    case model::Scheduler::kWeightedRoundRobin:
      return scheduler::PickWeightedRoundRobin(candidates, now);
    case model::Scheduler::kWeightedLeastConnections:
      return scheduler::PickWeightedLeastConnections(candidates, now);
    case model::Scheduler::kSourceHash:
      return scheduler::PickRendezvous(candidates, HashKey(service, *request.client, false));
    case model::Scheduler::kMaglev:
      return PickMaglev(service, HashKey(service, *request.client, true), candidates);
  }
  return 0;
}

// The server that the client is bound to, when it may serve (kServer) or is merely full (kWait).
Pick PickPersistent(const PickRequest& request, const scheduler::PersistenceTable& persistence) {
  if (request.client == nullptr) return {};
  const std::optional<uint64_t> key = PersistenceKey(request.service, *request.client);
  if (!key.has_value()) return {};
  const auto timeout = absl::ToInt64Seconds(request.service.spec->persistence.timeout);
  const std::optional<uint16_t> slot =
      persistence.Find(*key, request.now_seconds, static_cast<uint32_t>(timeout));
  if (!slot.has_value()) return {};
  const int index = request.service.FindSlot(*slot);
  if (index < 0) return {};
  switch (AvailabilityOf(request, index, true)) {
    case Availability::kFree:
      return {Pick::Kind::kServer, index, true};
    case Availability::kFull:
      return {Pick::Kind::kWait, index, true};
    case Availability::kIneligible:
    case Availability::kPortDown:
    case Availability::kTried:
      return {};
  }
  return {};
}

}  // namespace

uint32_t ConnectionLimit(const SnatService& service, int index) {
  const PlanServer& server = service.spec->servers[index];
  if (server.connections_max == 0 || server.connections_min == 0 || service.fullness == 0) {
    return server.connections_max;
  }
  const uint64_t connections = service.runtime->connections.load(std::memory_order_relaxed);
  const uint64_t soft = server.connections_max * connections / service.fullness;
  return static_cast<uint32_t>(std::clamp<uint64_t>(
      soft, server.connections_min, std::max(server.connections_min, server.connections_max)));
}

Availability AvailabilityOf(const PickRequest& request, int index, bool persistent) {
  const PlanServer& server = request.service.spec->servers[index];
  const ServerRuntime& runtime = *request.service.servers[index];
  const bool eligible = server.eligibility == model::Eligibility::kAll ||
                        (persistent && server.eligibility == model::Eligibility::kPersistentOnly);
  if (!eligible || (!persistent && server.weight <= 0)) return Availability::kIneligible;
  if (server.per_port && !server.usable_ports.Contains(request.port)) {
    return Availability::kPortDown;
  }
  if (std::find(request.tried.begin(), request.tried.end(), runtime.slot) != request.tried.end()) {
    return Availability::kTried;
  }
  const uint32_t limit = ConnectionLimit(request.service, index);
  if (limit > 0 && runtime.connections.load(std::memory_order_relaxed) >= limit) {
    return Availability::kFull;
  }
  return Availability::kFree;
}

Pick PickServer(const PickRequest& request, const scheduler::PersistenceTable& persistence) {
  const Pick bound = PickPersistent(request, persistence);
  if (bound.kind != Pick::Kind::kNone) return bound;
  Candidates candidates;
  bool some_full = false;
  for (size_t i = 0; i < request.service.servers.size(); ++i) {
    const Availability availability = AvailabilityOf(request, static_cast<int>(i), false);
    some_full |= availability == Availability::kFull;
    if (availability != Availability::kFree) continue;
    candidates.push_back(MakeCandidate(request, static_cast<int>(i)));
  }
  if (candidates.empty()) return {some_full ? Pick::Kind::kWait : Pick::Kind::kNone, -1, false};
  const size_t chosen = candidates.size() == 1 ? 0 : Schedule(request, candidates);
  return {Pick::Kind::kServer, static_cast<int>(candidates[chosen].index), false};
}

bool TakeServer(const PickRequest& request, const Pick& pick) {
  ServerRuntime& runtime = *request.service.servers[pick.index];
  const uint32_t limit = ConnectionLimit(request.service, pick.index);
  const uint32_t before = runtime.connections.fetch_add(1, std::memory_order_relaxed);
  if (limit > 0 && before >= limit) {
    runtime.connections.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  if (request.service.spec->servers[pick.index].weight <= 0) return true;
  const scheduler::Candidate candidate = MakeCandidate(request, pick.index);
  std::atomic<double>& now = request.service.runtime->shards[request.shard].virtual_time;
  const bool least_connections =
      request.service.spec->scheduler == model::Scheduler::kWeightedLeastConnections;
  const double finish =
      scheduler::NextFinish(candidate, now.load(std::memory_order_relaxed),
                            least_connections ? scheduler::kTurnsBehindLeastConnections
                                              : scheduler::kTurnsBehindRoundRobin);
  const double start = finish - 1.0 / candidate.weight;
  runtime.shards[request.shard].finish.store(finish, std::memory_order_relaxed);
  if (start > now.load(std::memory_order_relaxed)) now.store(start, std::memory_order_relaxed);
  return true;
}

std::optional<uint64_t> PersistenceKey(const SnatService& service, const net::Endpoint& client) {
  const model::Persistence& rule = service.spec->persistence;
  if (rule.type == model::Persistence::Type::kNone) return std::nullopt;
  const int length = client.address.is_ipv4() ? rule.ipv4_prefix_length : rule.ipv6_prefix_length;
  return scheduler::StableHash(client.address.Masked(length), service.runtime->name_hash);
}

}  // namespace fairlead::dataplane::snat
