// ControlView: the immutable picture of everything the daemon knows, for people: what `status`,
// /metrics and the web page show. Published by the controller; read by any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "pkg/controller/handshake_rule.h"
#include "pkg/dataplane/data_plane.h"
#include "pkg/model/object.h"
#include "pkg/model/server_state.h"
#include "pkg/model/vip.h"
#include "pkg/source/config_source.h"

namespace fairlead::controller {

// A change of state, as it went to the log.
struct EventView {
  uint64_t number = 0;  // counts up from 1
  absl::Time time;
  std::string level;    // "info", "warning", "error"
  std::string message;  // constant text: "real server is down"
  std::string object;   // "default/dispatcher srv-1"
  std::string reason;   // cause in words
  // What `object` is made of: "vip" and "default/dispatcher", and the server ("" = about none).
  std::string kind{};
  std::string subject{};
  std::string server{};
};

// Whether a real server serves the VIP through direct routing.
struct PathView {
  model::OperationalState state = model::OperationalState::kUnknown;
  std::string reason;
  absl::Time since = absl::InfinitePast();  // the latest of its checks, one an address, as below
  absl::Time checked = absl::InfinitePast();
  absl::Duration latency;
  uint64_t probes_total = 0;
  uint64_t failures_total = 0;
};

struct ServerView {
  std::string name;
  bool is_object = false;  // false: written inline in the VIP
  std::string host_name;   // "" = declared by its address
  net::IpAddress address;  // 0.0.0.0 while the host name has not been resolved
  // Of a host name whose lookups fail: why, and since when. "" = they do not.
  std::string name_problem;
  absl::Time name_failing_since = absl::InfinitePast();
  uint16_t port = 0;  // 0 = the client's destination port
  uint32_t weight = 0;
  double weight_effective = 0;  // slow start applied
  uint32_t connections_min = 0;
  uint32_t connections_max = 0;
  bool has_address() const { return host_name.empty() || !address.is_unspecified(); }

  // The state in force, and the manifest's when an operator's differs ("set here").
  model::AdminState admin = model::AdminState::kOnline;
  model::AdminState admin_in_manifest = model::AdminState::kOnline;
  bool set_here = false;
  absl::Time admin_since;
  absl::Time deadline = absl::InfiniteFuture();  // sessions are cut then (Drain, Halt)

  model::OperationalState health = model::OperationalState::kUnknown;
  std::string health_reason;
  bool unreachable = false;
  absl::Time health_since = absl::InfinitePast();
  absl::Time checked = absl::InfinitePast();
  absl::Duration check_latency;
  uint64_t probes_total = 0;
  uint64_t probe_failures_total = 0;
  bool per_port = false;
  std::string ports_up;          // per_port: "80,443"
  std::string ports_down;        // per_port
  std::optional<PathView> path;  // modes DR and Auto, when there is something to check

  // Of a VIP that judges its servers by clients' handshakes (modes DR and Auto): what they say.
  bool judged_by_handshakes = false;
  HandshakeVerdict handshakes;
  absl::Time held_until = absl::InfinitePast();  // while it is held

  // It answers ARP (IPv6: neighbour discovery) for the VIP: which address, and what to do; "" = it
  // does not, as far as is known. DR and Auto.
  std::string arp_problem;

  model::Eligibility eligibility = model::Eligibility::kNone;
  // How clients reach it, and, in mode Auto, why not directly.
  dataplane::Way way = dataplane::Way::kProxy;
  std::string way_reason;
  dataplane::ServerObservation counters;
};

// Over the last ten seconds.
struct RateView {
  double connections_per_second = 0;
  double bytes_from_client_per_second = 0;
  double bytes_to_client_per_second = 0;
};

// What became of an address that this host is to bring up (advertise type L2).
struct AnnouncementView {
  net::IpAddress address;
  std::string state;      // ha::AddressStateName: "Held", "Standby", "Refused", ...
  std::string interface;  // where it is or should be; "" = not known
  std::string reason;     // why it is in that state
  std::string rival;      // MAC of another host that claims it too; "" = none heard
  absl::Time since = absl::InfinitePast();
  uint64_t announcements_total = 0;  // frames of ARP or neighbour discovery
};

// The pair that this host is one of (VRRP).
struct PairView {
  std::string state;   // ha::VrrpStateName: "Master", "Backup", "Resigning", "Fault"
  std::string reason;  // why it is in that state
  absl::Time since = absl::InfinitePast();
  uint32_t virtual_router_id = 0;
  uint32_t priority = 0;   // that it advertises, or would
  std::string impairment;  // why that is less than configured; "" = it is not
  absl::Duration interval;
  std::string local;        // this host's address towards the peer; "" = no way
  std::string way_problem;  // why there is no way to the peer; "" = there is
  std::string peer;         // the last host that was heard; "" = none yet
  uint32_t peer_priority = 0;
  absl::Time peer_heard = absl::InfinitePast();
  uint64_t transitions_total = 0;
  uint64_t sent_total = 0;
  uint64_t send_failures_total = 0;
  uint64_t received_total = 0;
  uint64_t refused_total = 0;
  std::string refused_reason;  // of the last packet that was refused
};

struct VipView {
  std::string name_space;
  std::string name;
  std::vector<dataplane::AddressOutcome> addresses;
  std::vector<AnnouncementView> announcements;  // of those that this host may bring up
  bool addresses_known = false;                 // the data plane has told where the addresses are
  std::string ports;
  std::string protocol;
  std::string mode;
  std::string scheduler;
  std::string persistence;   // "None" or "SourceIP 300s /32 /128"
  std::string health_check;  // "TCP :5122 every 2s"
  std::string location;      // "dispatcher.yaml:4:1"
  bool enabled = true;
  bool elsewhere = false;  // another daemon's to run; only mentioned here
  bool announced = false;  // advertise type L2
  bool stale = false;      // the present text is rejected: the last good version is in force
  std::string problem;     // why it is not (fully) served; "" when it is
  // Other hosts that answer ARP (IPv6: neighbour discovery) for the VIP, by name or MAC, with what
  // to do; "" = none that is known of. And how many of them are none of its real servers.
  std::string arp_problem;
  uint32_t arp_unknown_hosts = 0;
  uint32_t connections_max = 0;
  std::vector<ServerView> servers;
  dataplane::ServiceObservation counters;  // without `servers`
  RateView rate;

  std::string QualifiedName() const { return name_space + "/" + name; }
};

struct ControlView {
  // Starting: no desired state has been read yet. Stopping: clients are let go.
  enum class Phase { kStarting, kServing, kStopping };

  Phase phase = Phase::kStarting;
  absl::Time started;
  absl::Time published;
  absl::Time config_changed = absl::InfinitePast();  // the last reading that differed
  uint64_t config_readings_total = 0;
  // Of a source that may lose sight of what its user wants (an API server): whether it has, and
  // why. Absent: no such source.
  std::optional<source::SourceHealth> config_health;
  uint64_t plan_revision = 0;
  std::vector<VipView> vips;  // by qualified name
  std::optional<PairView> pair;
  std::vector<model::Finding> findings;
  std::vector<std::string> stale_objects;
  std::vector<std::string> warnings;  // about this host: state directory, descriptors
  std::vector<EventView> events;      // newest last; at most 100
  // Observed when the view was asked for; `plane.services` is empty, they are in `vips`.
  dataplane::PlaneObservation plane;
};

// What would happen to a client (`fairlead explain`).
struct ExplanationView {
  std::string vip;              // qualified name; "" when no VIP has that address and port
  std::string server;           // "" = none
  std::string server_endpoint;  // "10.0.0.1:80"
  std::string reason;           // one sentence
  std::vector<std::string> details;
};

const char* PhaseName(ControlView::Phase phase);

}  // namespace fairlead::controller
