// ServiceEntry: what MapWriter makes the program do, one per VIP, protocol and address family.
// Inert values, made by plan_translation.h from a ForwardingPlan and what is known of the
// neighbours.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "pkg/net/ip_address.h"
#include "pkg/net/mac_address.h"
#include "pkg/net/port_set.h"

namespace fairlead::dataplane::dr {

using net::MacAddress;

// How frames reach a real server.
struct ServerLink {
  MacAddress mac{};
  MacAddress source_mac{};  // of the interface
  uint32_t ifindex = 0;     // the interface that sends; of a VLAN its parent
  uint16_t vlan = 0;        // 802.1Q identifier; 0 = untagged
  bool local = false;       // this host; the rest is empty then
  // For what this host itself sends to the server: the interface whose network it is on (of a VLAN
  // not its parent).
  uint32_t own_ifindex = 0;
  friend bool operator==(const ServerLink&, const ServerLink&) = default;
};

struct ServerEntry {
  std::string name;
  double weight = 0;    // 0 = no new flows
  bool usable = false;  // false: running flows go to other servers too
  bool held = false;    // no new flows of recorded clients neither; with weight 0
  ServerLink link;
  uint32_t connections_max = 0;  // 0 = unlimited
  uint32_t connections_min = 0;  // once full, it takes new flows again at so many; 0 = below max
};

struct ServiceEntry {
  std::string vip;       // "default/dispatcher"
  uint8_t protocol = 0;  // IPPROTO_TCP, IPPROTO_UDP
  net::IpFamily family = net::IpFamily::kIpv4;
  std::vector<net::IpAddress> addresses;  // of that family
  net::PortSet ports;
  uint32_t flags = 0;            // kDrService...
  int client_prefix_length = 0;  // with kDrServiceBySource
  absl::Duration idle_timeout;   // a flow's life without a packet
  // With kDrServicePersistent: a client's, since the last packet that was noted of its flows.
  absl::Duration client_timeout;
  uint32_t connections_max = 0;  // of the VIP, over all its entries; 0 = unlimited
  std::vector<ServerEntry> servers;
  bool keep_ring = false;  // one that is there already stays as it is

  // Names the entry among all, in every process.
  std::string Key() const;
};

}  // namespace fairlead::dataplane::dr
