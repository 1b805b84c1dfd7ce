#include "pkg/dataplane/snat/runtime.h"

#include <algorithm>

#include "pkg/dataplane/snat/snat_plan.h"
#include "pkg/scheduler/stable_hash.h"

namespace fairlead::dataplane::snat {
namespace {

ServerObservation ObserveServer(const ServerRuntime& server) {
  ServerObservation sum;
  sum.server_id = server.id;
  sum.connections_active = server.connections.load(std::memory_order_relaxed);
  for (const ServerShardState& shard : server.shards) {
    sum.connections_total += shard.connections.value();
    sum.connect_failures_total += shard.connect_failures.value();
    sum.sessions_cut_total += shard.sessions_cut.value();
    sum.resets_total += shard.resets.value();
    sum.idle_timeouts_total += shard.idle_timeouts.value();
    sum.bytes_to_server_total += shard.bytes_to_server.value();
    sum.bytes_from_server_total += shard.bytes_from_server.value();
  }
  return sum;
}

PortObservation ObservePort(const PortRuntime& port) {
  PortObservation sum;
  sum.port = port.port;
  for (const PortShardState& shard : port.shards) {
    sum.connections_total += shard.connections.value();
    sum.bytes_from_client_total += shard.bytes_from_client.value();
    sum.bytes_to_client_total += shard.bytes_to_client.value();
  }
  return sum;
}

// The first free number from the hash on.
uint16_t FreeSlot(const ServiceRuntime& service, uint64_t name_hash) {
  auto slot = static_cast<uint16_t>(name_hash);
  const auto is_taken = [&] {
    return std::any_of(service.servers.begin(), service.servers.end(), [slot](const auto& entry) {
      return entry.second != nullptr && entry.second->slot == slot;
    });
  };
  while (is_taken()) ++slot;
  return slot;
}

}  // namespace

ServiceObservation ObserveService(const ServiceRuntime& service) {
  ServiceObservation sum;
  sum.service_id = service.id;
  sum.connections_active = service.connections.load(std::memory_order_relaxed);
  sum.queue_length = service.waiting.load(std::memory_order_relaxed);
  for (const ServiceShardState& shard : service.shards) {
    sum.connections_total += shard.connections.value();
    sum.retries_total += shard.retries.value();
    sum.fallback_total += shard.fallbacks.value();
    sum.client_resets_total += shard.client_resets.value();
    sum.transparent_timeouts_total += shard.transparent_timeouts.value();
    for (size_t i = 0; i < kRejectionCount; ++i) {
      sum.rejections_total[i] += shard.rejections[i].value();
    }
    for (size_t i = 0; i < shard.connect_latency.size(); ++i) {
      sum.connect_latency_buckets[i] += shard.connect_latency[i].value();
    }
    sum.connect_latency_seconds_sum +=
        static_cast<double>(shard.connect_latency_ns_sum.value()) * 1e-9;
  }
  for (const auto& [number, port] : service.ports) sum.ports.push_back(ObservePort(*port));
  for (const auto& [id, server] : service.servers) sum.servers.push_back(ObserveServer(*server));
  return sum;
}

std::shared_ptr<ServiceRuntime> RuntimeRegistry::Service(uint32_t id, const std::string& name) {
  std::shared_ptr<ServiceRuntime>& service = services_[id];
  if (service == nullptr) {
    service = std::make_shared<ServiceRuntime>(id, scheduler::StableHash(name), shards_count_);
  }
  return service;
}

std::shared_ptr<ServerRuntime> RuntimeRegistry::Server(ServiceRuntime& service, uint32_t id,
                                                       const std::string& name) {
  std::shared_ptr<ServerRuntime>& server = service.servers[id];
  if (server == nullptr) {
    const uint64_t name_hash = scheduler::StableHash(name);
    server =
        std::make_shared<ServerRuntime>(id, FreeSlot(service, name_hash), name_hash, shards_count_);
  }
  return server;
}

PortRuntime* RuntimeRegistry::Port(ServiceRuntime& service, uint16_t port) {
  std::unique_ptr<PortRuntime>& runtime = service.ports[port];
  if (runtime == nullptr) runtime = std::make_unique<PortRuntime>(port, shards_count_);
  return runtime.get();
}

void RuntimeRegistry::Sweep(const SnatPlan& plan) {
  std::erase_if(services_, [&plan](const auto& entry) {
    const std::shared_ptr<ServiceRuntime>& runtime = entry.second;
    const SnatService* service = plan.Find(entry.first);
    if (service == nullptr) return runtime->connections.load(std::memory_order_relaxed) == 0;
    std::erase_if(runtime->servers, [service](const auto& server) {
      return service->FindSlot(server.second->slot) < 0 &&
             server.second->connections.load(std::memory_order_relaxed) == 0;
    });
    return false;
  });
}

}  // namespace fairlead::dataplane::snat
