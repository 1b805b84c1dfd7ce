// NeighbourTable: how frames reach each real server: interface and MAC, from the kernel's tables.
// Makes the kernel ask for those that it does not know. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/dataplane/dr/probe_request.h"
#include "pkg/dataplane/dr/rtnetlink.h"
#include "pkg/dataplane/dr/service_entry.h"
#include "pkg/net/ip_address.h"

namespace fairlead::dataplane::dr {

class NeighbourTable {
 public:
  // `netlink` outlives the table.
  explicit NeighbourTable(Rtnetlink& netlink) : netlink_(netlink) {}

  // Reads the kernel's tables anew; to be called before a round of Resolve. An address that
  // answered once keeps its last MAC, whatever the kernel forgets: health checks tell when it is
  // gone.
  absl::Status Refresh();

  // Errors say what is wrong with the address as a real server, and what to do: Unavailable - no
  // answer to ARP or ND yet, asked again; FailedPrecondition - no way for direct routing.
  absl::StatusOr<ServerLink> Resolve(const net::IpAddress& address);

  // The interface that an address of the host is on, or whose network it belongs to; the
  // interfaces of the default routes for one that no network interface has. Empty: it is behind a
  // router.
  std::set<uint32_t> InterfacesOf(const net::IpAddress& vip);

  // Whom on the interface's own network, without a VLAN tag, a question can be put to: some of the
  // neighbours that the kernel knows, IPv4 first.
  std::vector<ProbeTarget> ProbeTargets(uint32_t ifindex);
  // Every address of this host. Valid until Refresh.
  const HostAddresses& addresses() const { return addresses_; }

  // Null when there is no such interface. Valid until Refresh.
  const Link* FindLink(uint32_t ifindex) const;
  // The interface that carries the frames: of a VLAN its parent.
  uint32_t Carrier(uint32_t ifindex) const;

 private:
  absl::StatusOr<MacAddress> MacOf(const net::IpAddress& address, const Link& link);

  Rtnetlink& netlink_;
  Links links_;
  Neighbours neighbours_;
  std::set<uint32_t> default_interfaces_;
  HostAddresses addresses_;
  std::map<std::pair<uint32_t, net::IpAddress>, MacAddress> last_known_;
};

}  // namespace fairlead::dataplane::dr
