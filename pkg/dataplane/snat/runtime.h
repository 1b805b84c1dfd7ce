// What outlives plans: per service and per real server the gauges, counters and scheduling state.
//
// Gauges are atomics that all shards change (the only mutable state they share); counters and
// virtual times belong to one shard each and are read by any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "pkg/dataplane/data_plane.h"
#include "pkg/telemetry/counter.h"

namespace fairlead::dataplane::snat {

using telemetry::Counter;

struct SnatPlan;

struct alignas(64) ServerShardState {
  Counter connections;
  Counter connect_failures;
  Counter sessions_cut;
  Counter resets;
  Counter idle_timeouts;
  Counter bytes_to_server;
  Counter bytes_from_server;
  std::atomic<double> finish{0};  // virtual finish time; see scheduler/schedule.h
};

struct ServerRuntime {
  ServerRuntime(uint32_t id, uint16_t slot, uint64_t name_hash, int shards_count)
      : id(id), slot(slot), name_hash(name_hash), shards(shards_count) {}

  const uint32_t id;
  // Its number within the service, for the persistence table: from its name, so that it is the same
  // in a process that takes the table over.
  const uint16_t slot;
  const uint64_t name_hash;
  alignas(64) std::atomic<uint32_t> connections{0};  // connecting or relaying, all shards
  std::vector<ServerShardState> shards;
};

struct PortShardState {
  Counter connections;
  Counter bytes_from_client;
  Counter bytes_to_client;
};

struct PortRuntime {
  PortRuntime(uint16_t port, int shards_count) : port(port), shards(shards_count) {}
  const uint16_t port;
  std::vector<PortShardState> shards;
};

inline constexpr uint64_t kNobodyWaits = ~uint64_t{0};

struct alignas(64) ServiceShardState {
  Counter connections;
  Counter retries;
  Counter fallbacks;
  Counter client_resets;
  Counter transparent_timeouts;
  std::array<Counter, kRejectionCount> rejections;
  std::array<Counter, kConnectLatencyBounds.size() + 1> connect_latency;
  Counter connect_latency_ns_sum;
  std::atomic<double> virtual_time{0};
  // Ticket of the longest waiting session on this shard.
  std::atomic<uint64_t> first_ticket{kNobodyWaits};
};

struct ServiceRuntime {
  ServiceRuntime(uint32_t id, uint64_t name_hash, int shards_count)
      : id(id), name_hash(name_hash), shards(shards_count), fallback(0, 0, 0, shards_count) {}

  const uint32_t id;
  const uint64_t name_hash;
  alignas(64) std::atomic<uint32_t> connections{0};  // sessions, all shards
  std::atomic<uint32_t> waiting{0};                  // of them, in the queue
  std::atomic<uint64_t> next_ticket{0};
  std::vector<ServiceShardState> shards;
  ServerRuntime fallback;  // the fallback server's sessions
  // Grown by the controller thread; a PortRuntime stays where it is.
  std::map<uint16_t, std::unique_ptr<PortRuntime>> ports;
  std::map<uint32_t, std::shared_ptr<ServerRuntime>> servers;  // by id
};

// Owns the runtimes. Under SnatDataPlane's lock.
class RuntimeRegistry {
 public:
  explicit RuntimeRegistry(int shards_count) : shards_count_(shards_count) {}

  std::shared_ptr<ServiceRuntime> Service(uint32_t id, const std::string& name);
  std::shared_ptr<ServerRuntime> Server(ServiceRuntime& service, uint32_t id,
                                        const std::string& name);
  PortRuntime* Port(ServiceRuntime& service, uint16_t port);
  // Forgets what is not in the plan and has no session left.
  void Sweep(const SnatPlan& plan);

  const std::map<uint32_t, std::shared_ptr<ServiceRuntime>>& services() const { return services_; }

 private:
  const int shards_count_;
  std::map<uint32_t, std::shared_ptr<ServiceRuntime>> services_;
};

// The sums over all shards. Any thread, while the registry does not change.
ServiceObservation ObserveService(const ServiceRuntime& service);

}  // namespace fairlead::dataplane::snat
