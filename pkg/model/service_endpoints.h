// The endpoints of a Kubernetes Service, and the real servers that a VIP makes of them. Values.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "pkg/model/vip.h"

namespace fairlead::model {

// A port that endpoints listen on.
struct EndpointPort {
  std::string name;   // "" when the Service has one port without a name
  uint16_t port = 0;  // 0 = every port
  Protocol protocol = Protocol::kTcp;
  friend bool operator==(const EndpointPort&, const EndpointPort&) = default;
};

struct Endpoint {
  std::string name;  // of its pod, else its address
  net::IpAddress address;
  AdminState state = AdminState::kOnline;  // kDrain: it terminates and serves on meanwhile
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// Endpoints with the same ports.
struct EndpointGroup {
  std::vector<EndpointPort> ports;  // empty = every port
  std::vector<Endpoint> endpoints;  // by name, then address
  friend bool operator==(const EndpointGroup&, const EndpointGroup&) = default;
};

struct ServiceEndpoints {
  std::string name_space;
  std::string name;
  std::vector<EndpointGroup> groups{};
  // How many endpoints stand in the EndpointSlices and are not used, because they are not ready.
  size_t not_ready_count = 0;
  friend bool operator==(const ServiceEndpoints&, const ServiceEndpoints&) = default;
};

// One real server as one VIP uses it.
struct VipServer {
  // RealServer object's, inline entry's or endpoint's name; unique in the VIP
  std::string name;
  bool is_object = false;  // a RealServer object
  ServerSpec spec;
  friend bool operator==(const VipServer&, const VipServer&) = default;
};

// What `vip`, whose `service` is this one, makes of it.
struct EndpointServers {
  std::vector<VipServer> servers;  // by name
  std::string problem;             // why some or all endpoints cannot be used; "" = all can
};

// A real server for each pod, at its address of the family of the VIP's first address if it has
// one. The port of its clients' connections, the first rule that applies:
//
//   service.port is a number            | that port
//   service.port is a name              | the endpoints' port of this name
//   endpoints listen on every VIP port  | the one that the client connected to
//   one VIP port, one port of endpoints | the endpoints'
//   else                                | none: the endpoints are left out, and `problem` says so
//
// Ports of another protocol than the VIP's do not count.
EndpointServers EndpointsOf(const Vip& vip, const ServiceEndpoints& service);

}  // namespace fairlead::model
