// DataPlane: the narrow interface between the controller and whatever moves the bytes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/dataplane/forwarding_plan.h"
#include "pkg/net/endpoint.h"
#include "pkg/net/mac_address.h"

namespace fairlead::dataplane {

// Where a VIP address was found on this host.
struct AddressOutcome {
  net::IpAddress address;
  // Its interface, or "local route"; "" = not on this host yet, but listening (IP_FREEBIND).
  std::string interface;
};

struct ServiceOutcome {
  uint32_t service_id = 0;
  absl::Status status;  // not ok: the service (or some of its ports) is not served, and why
  std::vector<AddressOutcome> addresses;
  // Mode Auto: not ok: nothing of it can be reached directly now, and why.
  absl::Status direct_status{};
};

struct ApplyResult {
  uint64_t revision = 0;
  std::vector<ServiceOutcome> services;  // one per service of the plan, in its order
};

// Why a client was turned away.
enum class Rejection {
  kNoServer,       // no eligible real server (and fallback Reset)
  kVipLimit,       // the VIP's maxConnections
  kQueueFull,      // 1,024 clients wait already
  kQueueTimeout,   // waited connect time-out x 5
  kConnectFailed,  // every candidate was tried
  kSessionLimit,   // the process has no session slot left
  kNoDescriptor,   // EMFILE, ENFILE
  kNoMemory,       // ENOMEM, ENOBUFS from the kernel
  kNoSourcePort,   // EADDRNOTAVAIL towards a real server
  kNotPermitted,   // EPERM: no capability for the client's address, or a local firewall
};
inline constexpr size_t kRejectionCount = 10;
// "no_server", "vip_limit", ...: metric label values.
const char* RejectionName(Rejection rejection);

// Connect latency, upper bounds in seconds; one more bucket counts the rest.
inline constexpr std::array<double, 12> kConnectLatencyBounds = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5};

struct PortObservation {
  uint16_t port = 0;
  uint64_t connections_total = 0;
  uint64_t bytes_from_client_total = 0;
  uint64_t bytes_to_client_total = 0;
};

// How frames of this host reach a real server (DR).
struct DirectPath {
  uint32_t ifindex = 0;          // the interface whose network it is on; of a VLAN not its parent
  net::MacAddress mac{};         // the real server's, as ARP or ND say
  net::MacAddress source_mac{};  // the interface's
  uint16_t vlan = 0;             // its 802.1Q identifier; 0 = untagged
  bool local = false;            // the server is this host; the rest is empty then
  // An address of this host on that interface which is no VIP in mode DR, for checks to come from;
  // absent: it has none of the server's family.
  std::optional<net::IpAddress> source{};
  friend bool operator==(const DirectPath&, const DirectPath&) = default;
};

// TCP handshakes that direct routing watched: clients' SYNs that were forwarded, and those of which
// a further packet of the client's followed. All recorded flows are watched, and all of a service
// that judges its servers by them; of others a sample of 1 in 16. The difference stays small while
// the server answers; a flood of SYNs raises it too.
struct HandshakesObservation {
  uint64_t watched_total = 0;
  uint64_t progressed_total = 0;
};

struct ServerObservation {
  uint32_t server_id = 0;
  uint64_t connections_active = 0;
  // false: how many there are is not known (DR, but for services that record every flow).
  bool counts_active = true;
  uint64_t connections_total = 0;
  uint64_t connect_failures_total = 0;
  uint64_t sessions_cut_total = 0;  // reset by us: unreachable, halt grace, drain deadline
  uint64_t resets_total = 0;        // the real server reset an established connection
  uint64_t idle_timeouts_total = 0;
  uint64_t bytes_to_server_total = 0;
  uint64_t bytes_from_server_total = 0;
  // Why the data plane cannot use the server, whatever its checks say: no way to it (DR). "" = it
  // can.
  std::string problem;
  std::optional<DirectPath> direct_path;  // DR: absent while it is not known
  // What direct routing lacks on the way to the server; "" = nothing; absent: it has not looked.
  std::optional<std::string> way_problem;
  std::optional<HandshakesObservation> handshakes;  // DR
};

struct ServiceObservation {
  uint32_t service_id = 0;
  uint64_t connections_active = 0;
  bool counts_active = true;       // as for a server
  uint64_t connections_total = 0;  // accepted
  uint64_t queue_length = 0;
  uint64_t retries_total = 0;   // connect attempts after the first
  uint64_t fallback_total = 0;  // sent to the fallback server
  // Why the fallback server could not be used (DR); "" = it could, or there is none.
  std::string fallback_problem;
  uint64_t client_resets_total = 0;
  // Connects from a client's own address (clientAddress: Transparent) that timed out.
  uint64_t transparent_timeouts_total = 0;
  std::array<uint64_t, kRejectionCount> rejections_total{};
  std::array<uint64_t, kConnectLatencyBounds.size() + 1> connect_latency_buckets{};
  double connect_latency_seconds_sum = 0;
  std::vector<PortObservation> ports;
  std::vector<ServerObservation> servers;  // also those that left the plan and still have sessions
};

// An interface whose packets a program of ours looks at (DR).
struct InterfaceObservation {
  std::string name;
  std::string mode;    // of XDP: "native", "generic"; or "tc", "tc, filter"
  std::string reason;  // why no faster one; "" when there is none
  // A real packet came in by the program and went out by it in this mode.
  bool verified = false;
  std::string verification;  // who answered it, or why nobody did yet
};

// Packets that were not forwarded (DR), since the maps were made.
struct PacketsObservation {
  std::string reason;   // metric label: "port_not_served"
  std::string meaning;  // "passed: to a VIP's address, but no VIP has this port"
  uint64_t packets_total = 0;
};

struct PlaneObservation {
  std::string engine;             // "io_uring", "epoll"
  std::string engine_reason;      // why not io_uring, with the fix; "" when nothing to say
  uint64_t applied_revision = 0;  // every shard uses at least this plan
  uint64_t sessions_active = 0;
  uint64_t sessions_max = 0;
  uint64_t buffers_exhausted_total = 0;
  uint64_t buffers_in_use = 0;
  uint64_t splice_promotions_total = 0;
  uint64_t accept_pauses_total = 0;  // accepting stopped for a while: out of slots or descriptors
  int shards = 0;
  std::vector<ServiceObservation> services;
  std::vector<InterfaceObservation> interfaces;  // DR
  std::vector<PacketsObservation> packets;       // DR
};

// What would happen to a client; see `fairlead explain`.
struct Explanation {
  std::string server;  // "" = none
  net::Endpoint server_endpoint;
  std::string reason;                // one sentence
  std::vector<std::string> details;  // one line per server: weight, connections, state, verdict
  // DR: the packet goes up the host's stack, where the proxy may be.
  bool passed_up = false;
};

// Apply: controller thread. Observe, Explain, Stop: any thread. While Stop waits, Apply goes on for
// the sessions that are left: it cuts them, but opens no listener.
class DataPlane {
 public:
  virtual ~DataPlane() = default;

  // Makes `plan` true. Idempotent; one bad service never blocks the rest. Returns when the
  // listeners are open and the shards have been told; `Observe().applied_revision` follows.
  virtual ApplyResult Apply(std::shared_ptr<const ForwardingPlan> plan) = 0;
  virtual PlaneObservation Observe() const = 0;
  // `client.port` 0 = any. NotFound when `vip` is no service of the applied plan.
  virtual absl::StatusOr<Explanation> Explain(const net::Endpoint& client,
                                              const net::Endpoint& vip) const = 0;
  // Accepts nothing more, lets sessions end for at most `grace`, resets the rest, joins threads.
  // Returns early when no session is left. A second call, from another thread, while the first one
  // waits shortens its grace.
  virtual void Stop(absl::Duration grace) = 0;
};

}  // namespace fairlead::dataplane
