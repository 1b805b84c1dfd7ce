// Vip: a virtual service as the user declared it, decoded and with every default filled in.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "pkg/model/health_check.h"
#include "pkg/model/object.h"
#include "pkg/net/endpoint.h"
#include "pkg/net/ip_address.h"
#include "pkg/net/port_set.h"

namespace fairlead::model {

enum class Protocol { kTcp, kUdp, kTcpAndUdp };
enum class Mode { kSnat, kDr, kAuto };
enum class Scheduler { kWeightedLeastConnections, kWeightedRoundRobin, kSourceHash, kMaglev };
enum class AdminState { kOnline, kDrain, kHalt };

// "TCP", "SNAT", "WeightedLeastConnections", "Online", ...: the words of the manifest.
const char* ProtocolName(Protocol protocol);
const char* ModeName(Mode mode);
const char* SchedulerName(Scheduler scheduler);
const char* AdminStateName(AdminState state);

struct Persistence {
  enum class Type { kNone, kSourceIp };
  Type type = Type::kNone;
  absl::Duration timeout = absl::Seconds(300);  // 1 s .. 7 days, since the last connection
  int ipv4_prefix_length = 32;                  // 0..32: clients of one prefix share a server
  int ipv6_prefix_length = 128;                 // 0..128
  friend bool operator==(const Persistence&, const Persistence&) = default;
};

// What becomes of a client when no real server is left.
struct Fallback {
  enum class Action { kReset, kDrop, kServer };
  Action action = Action::kReset;
  net::Endpoint server;  // kServer only; port 0 = the client's destination port
  friend bool operator==(const Fallback&, const Fallback&) = default;
};

// What a client meets while no real server may serve it: "clients are refused (fallback Reset)".
std::string FallbackText(const Fallback& fallback);

// How a real server learns the client's address (SNAT).
enum class ClientAddress { kNone, kProxyProtocolV1, kProxyProtocolV2, kTransparent };
const char* ClientAddressName(ClientAddress value);

// The source address of connections to real servers (SNAT).
struct SourceAddress {
  enum class Type { kAuto, kVip, kAddress };
  Type type = Type::kAuto;
  net::IpAddress address;  // kAddress only
  friend bool operator==(const SourceAddress&, const SourceAddress&) = default;
};

struct Timeouts {
  absl::Duration connect = absl::Seconds(2);   // budget of all attempts of one connection
  absl::Duration idle = absl::Seconds(43200);  // no byte in either direction
  absl::Duration drain = absl::Seconds(300);   // deadline of a drain
  friend bool operator==(const Timeouts&, const Timeouts&) = default;
};

struct Advertise {
  enum class Type { kNone, kL2, kRoute, kService };
  Type type = Type::kNone;
  std::string interface;  // kL2; empty: the Node's, or the one whose network holds the address
  friend bool operator==(const Advertise&, const Advertise&) = default;
};
const char* AdvertiseTypeName(Advertise::Type type);

// A real server as one VIP uses it: written inline in the VIP, or a RealServer object's spec.
struct ServerSpec {
  // Where it is: `host_name` ("print1.example.com", lower case), which is
  // resolved again and again (SNAT only), or, when that is empty, `address`.
  std::string host_name;
  net::IpAddress address;
  std::optional<uint16_t> port;  // absent = the client's destination port; SNAT only
  uint32_t weight = 100;         // 0..65535; 0 = only persistent clients
  uint32_t connections_min = 0;  // see the limits in pkg/dataplane/forwarding_plan.h; 0 = none
  uint32_t connections_max = 0;  // 0 = unlimited
  AdminState state = AdminState::kOnline;

  bool has_host_name() const { return !host_name.empty(); }
  // The name or the address, as the manifest says.
  std::string AddressText() const { return has_host_name() ? host_name : address.ToString(); }
  friend bool operator==(const ServerSpec&, const ServerSpec&) = default;
};

struct InlineServer {
  std::string name;  // unique in the VIP; defaults to the address or the host name
  ServerSpec spec;
  friend bool operator==(const InlineServer&, const InlineServer&) = default;
};

// A RealServer object: joined to VIPs of its namespace by labels.
struct RealServer {
  ObjectId id;
  SourceLocation location;
  std::map<std::string, std::string> labels;
  ServerSpec spec;
  friend bool operator==(const RealServer&, const RealServer&) = default;
};

// A Kubernetes Service whose endpoints are real servers; see service_endpoints.h.
struct ServiceRef {
  std::string name;       // of the VIP's namespace; "" = none
  std::string port_name;  // the endpoints' port of this name; "" = see `port`
  uint16_t port = 0;      // the endpoints' port; 0 = as EndpointsOf says

  bool empty() const { return name.empty(); }
  friend bool operator==(const ServiceRef&, const ServiceRef&) = default;
};

struct Vip {
  ObjectId id;
  SourceLocation location;
  // 1..8, distinct; none while a VIP with an `address_pool` waits for the operator to give it some.
  std::vector<net::IpAddress> addresses;
  std::string address_pool;          // the AddressPool that they come from; "" = written here
  net::PortSet ports;                // never empty; the union of `ports` and `presets`
  std::vector<std::string> presets;  // as written, for status
  Protocol protocol = Protocol::kTcp;
  Mode mode = Mode::kSnat;
  Scheduler scheduler = Scheduler::kWeightedLeastConnections;
  Persistence persistence;
  HealthCheck health_check;
  // RealServer objects of the same namespace carrying all these labels; empty when the manifest
  // has an inline list (or a service) and no selector; default {lb.fairlead.dev/vip: <name>}.
  std::map<std::string, std::string> selector;
  ServiceRef service;
  std::vector<InlineServer> inline_servers;
  Fallback fallback;
  ClientAddress client_address = ClientAddress::kNone;
  SourceAddress source;
  Timeouts timeouts;
  uint32_t connections_max = 0;  // 0 = unlimited
  absl::Duration slow_start;     // 0 = off
  bool enabled = true;           // spec.state
  bool elsewhere = false;        // its mode is another daemon's to run (--vip-modes)
  Advertise advertise;

  bool waits_for_address() const { return addresses.empty() && !address_pool.empty(); }
  friend bool operator==(const Vip&, const Vip&) = default;
};

}  // namespace fairlead::model
