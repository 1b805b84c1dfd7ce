// ServerPicker: who may serve a connection, and the scheduler's choice among them. The shard's door
// to the scheduler room; also used, without side effects, by `fairlead explain`.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/types/span.h"
#include "pkg/dataplane/snat/snat_plan.h"
#include "pkg/net/endpoint.h"
#include "pkg/scheduler/persistence_table.h"

namespace fairlead::dataplane::snat {

struct PickRequest {
  const SnatService& service;
  int shard = 0;
  uint16_t port = 0;                      // the client's destination port
  const net::Endpoint* client = nullptr;  // null unless the service needs it
  absl::Span<const uint16_t> tried;       // slots of servers that refused this connection already
  uint32_t now_seconds = 0;               // monotonic, for persistence
};

struct Pick {
  enum class Kind {
    kServer,
    kWait,  // every server that may serve is at its limit
    kNone,  // no server may serve
  };
  Kind kind = Kind::kNone;
  int index = -1;           // in the service's servers, for kServer
  bool persistent = false;  // the client's persistence entry decided
};

// Why a server may not take a connection, or kFree when it may.
enum class Availability { kFree, kIneligible, kPortDown, kTried, kFull };
Availability AvailabilityOf(const PickRequest& request, int index, bool persistent);

// The present connection limit of a server: 0 = none. Between connections_min and connections_max
// by the fullness of the VIP.
uint32_t ConnectionLimit(const SnatService& service, int index);

// Without side effects.
Pick PickServer(const PickRequest& request, const scheduler::PersistenceTable& persistence);

// Takes a connection slot of the picked server: raises its gauge and its virtual time. False when
// another shard was faster and the server is full now.
bool TakeServer(const PickRequest& request, const Pick& pick);

// The client's key in the persistence table; nothing when the service has no persistence.
std::optional<uint64_t> PersistenceKey(const SnatService& service, const net::Endpoint& client);

}  // namespace fairlead::dataplane::snat
