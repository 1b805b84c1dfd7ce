// Rtnetlink: the few questions that direct routing asks the kernel's routing tables (rtnetlink(7)).
// One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/base/unique_fd.h"
#include "pkg/dataplane/dr/service_entry.h"
#include "pkg/net/ip_address.h"

namespace fairlead::dataplane::dr {

// How this host would reach an address.
struct Route {
  bool local = false;  // the address is this host's own
  uint32_t ifindex = 0;
  std::optional<net::IpAddress> gateway;  // absent: on the interface's own network
  std::optional<net::IpAddress> source;   // the address that this host would send from
};

struct Link {
  uint32_t ifindex = 0;
  std::string name;
  std::string kind;  // "veth", "vlan", ...; "" of a network card
  MacAddress mac{};
  bool ethernet = false;  // has MACs (ARPHRD_ETHER)
  bool loopback = false;
  bool up = false;
  uint32_t parent = 0;  // of a VLAN: the interface that carries its frames
  uint16_t vlan = 0;    // of a VLAN: the 802.1Q identifier
};

struct Neighbour {
  MacAddress mac{};
  bool stale = false;  // to be asked again (NUD_STALE)
};

using Links = std::map<uint32_t, Link>;  // by ifindex
// An address of this host.
struct HostAddress {
  uint32_t ifindex = 0;
  net::IpAddress address;
  int prefix_length = 0;
  bool deprecated = false;  // IPv6: not for new connections (RFC 4862 §5.5.4)
  bool usable = false;      // neither tentative nor a duplicate (RFC 4862 §5.4)
};
using HostAddresses = std::vector<HostAddress>;  // in the kernel's order: primary ones first
// Those whose MAC is known, by interface and address.
using Neighbours = std::map<std::pair<uint32_t, net::IpAddress>, Neighbour>;

class Rtnetlink {
 public:
  // Error: the sockets cannot be made.
  static absl::StatusOr<std::unique_ptr<Rtnetlink>> Create();

  // Error: the kernel's, ENETUNREACH for one.
  absl::StatusOr<Route> GetRoute(const net::IpAddress& address);
  absl::StatusOr<Links> GetLinks();
  absl::StatusOr<Neighbours> GetNeighbours();
  absl::StatusOr<HostAddresses> GetAddresses();
  // The interfaces of the default routes of the main table.
  absl::StatusOr<std::set<uint32_t>> GetDefaultInterfaces();
  // Has the kernel ask (ARP or ND) for the address, as a packet to it would. Needs CAP_NET_ADMIN.
  absl::Status Solicit(uint32_t ifindex, const net::IpAddress& address);

  // Readable when links, addresses, routes or neighbours may have changed.
  int changes_fd() const { return changes_.get(); }
  // Reads what is there; whether something was.
  bool DrainChanges();

 private:
  Rtnetlink() = default;

  base::UniqueFd requests_;
  base::UniqueFd changes_;
  uint32_t sequence_ = 0;
};

}  // namespace fairlead::dataplane::dr
