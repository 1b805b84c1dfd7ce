// ForwardingPlan: the immutable answer to "who serves what now": every service with its real
// servers, their effective weights and limits. Built by plan_builder, applied by the data planes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "pkg/model/server_state.h"
#include "pkg/model/vip.h"
#include "pkg/net/ip_address.h"
#include "pkg/net/port_set.h"

namespace fairlead::dataplane {

// By which data plane clients reach a real server: as the mode says, and in mode Auto each server
// in its own way.
enum class Way { kProxy, kDirect };
// "SNAT", "DR".
const char* WayName(Way way);

// Identifier of the server that stands for this host itself; IdRegistry gives it to nobody.
inline constexpr uint32_t kThisHostId = 0;

// Limits (SNAT): at `connections_max` a server takes no further connection and clients queue;
// `connections_min` is the limit at low load, rising to the maximum with the fullness of the VIP:
// limit = max(min, max * VIP's connections / VIP's connections_max (or the sum of the servers')).
struct PlanServer {
  uint32_t id = 0;  // from IdRegistry: stable for (VIP, server name) while the process lives
  std::string name;
  std::string host_name;   // that `address` stands for; "" = it was declared by address
  net::IpAddress address;  // 0.0.0.0 while the host name has not been resolved
  uint16_t port = 0;       // 0 = the client's destination port
  double weight = 0;       // effective: slow start applied; 0 only with eligibility != kAll
  uint32_t connections_min = 0;
  uint32_t connections_max = 0;  // 0 = unlimited
  model::Eligibility eligibility = model::Eligibility::kNone;
  // What its checks say: DR gives the flows of one that is down to others.
  model::OperationalState operational = model::OperationalState::kUnknown;
  // Its checks pass, but clients' handshakes with it go unanswered, and this is what was seen: it
  // takes no new clients (directly), established connections stay. "" = it is not so.
  std::string held;
  // Health per port (`port: Each`): the server takes new connections on these ports only.
  bool per_port = false;
  net::PortSet usable_ports;  // when per_port
  Way way = Way::kProxy;
  std::string way_reason;  // mode Auto: why not directly; "" = directly
  // Mode Auto: what the check along the direct path says.
  model::OperationalState direct_path = model::OperationalState::kUnknown;
  // No real server: the packet goes up this host's stack (service_split.h).
  bool this_host = false;
  // Monotonic time (base::Clock) at which running sessions are cut: Drain past its deadline, Halt
  // past its grace, unreachable = now. InfiniteDuration = never.
  absl::Duration cut_sessions_at = absl::InfiniteDuration();

  friend bool operator==(const PlanServer&, const PlanServer&) = default;
};

// What the DR data plane does of a service in mode Auto: it looks for ways to the servers, and
// forwards from the moment that the first one may be reached directly. A service that it forwards
// once is forwarded until it leaves the plan: connections may run directly.
enum class DirectPart { kNone, kLook, kForward };

struct PlanService {
  uint32_t id = 0;   // from IdRegistry: stable for the VIP's name while the process lives
  std::string name;  // "default/dispatcher"
  std::vector<net::IpAddress> addresses;
  net::PortSet ports;
  model::Protocol protocol = model::Protocol::kTcp;
  model::Mode mode = model::Mode::kSnat;
  model::Scheduler scheduler = model::Scheduler::kWeightedLeastConnections;
  model::Persistence persistence;
  model::Fallback fallback;
  model::ClientAddress client_address = model::ClientAddress::kNone;
  model::SourceAddress source;
  model::Timeouts timeouts;
  uint32_t connections_max = 0;
  DirectPart direct_part = DirectPart::kNone;
  // All handshakes are watched, not a sample: servers are judged by them.
  bool watches_handshakes = false;
  std::vector<PlanServer> servers;  // by name

  friend bool operator==(const PlanService&, const PlanService&) = default;
};

// Disabled VIPs are absent. Sessions of a service or a server that left the plan are drained: they
// run on for the drain time-out that they were accepted with, then they are cut.
struct ForwardingPlan {
  uint64_t revision = 0;  // rises with every change; the first plan is 1
  // Unchanged services are the same object as in the plan before.
  std::vector<std::shared_ptr<const PlanService>> services;  // by name
};

}  // namespace fairlead::dataplane
