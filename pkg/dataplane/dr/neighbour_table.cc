#include "pkg/dataplane/dr/neighbour_table.h"

#include <ifaddrs.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/net/endpoint.h"

namespace fairlead::dataplane::dr {
namespace {

// Enough to find one that answers.
constexpr size_t kProbeTargetsMax = 8;

// The interfaces that have the address.
std::set<std::string> HoldersOf(const net::IpAddress& address) {
  std::set<std::string> names;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return names;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    net::SocketAddress socket_address;
    if (entry->ifa_addr->sa_family == AF_INET) {
      socket_address.ipv4 = *reinterpret_cast<const sockaddr_in*>(entry->ifa_addr);
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      socket_address.ipv6 = *reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr);
    } else {
      continue;
    }
    const auto endpoint = socket_address.ToEndpoint();
    if (endpoint.ok() && endpoint->address == address) names.insert(entry->ifa_name);
  }
  return names;
}

}  // namespace

absl::Status NeighbourTable::Refresh() {
  auto links = netlink_.GetLinks();
  if (!links.ok()) return links.status();
  auto neighbours = netlink_.GetNeighbours();
  if (!neighbours.ok()) return neighbours.status();
  auto default_interfaces = netlink_.GetDefaultInterfaces();
  if (!default_interfaces.ok()) return default_interfaces.status();
  auto addresses = netlink_.GetAddresses();
  if (!addresses.ok()) return addresses.status();
  links_ = *std::move(links);
  neighbours_ = *std::move(neighbours);
  default_interfaces_ = *std::move(default_interfaces);
  addresses_ = *std::move(addresses);
  return absl::OkStatus();
}

absl::StatusOr<ServerLink> NeighbourTable::Resolve(const net::IpAddress& address) {
  const std::string text = address.ToString();
  const absl::StatusOr<Route> route = netlink_.GetRoute(address);
  if (!route.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat(route.status().message(),
                     "; mode DR needs real servers on a network of this host; use mode: SNAT"));
  }
  if (route->local) return ServerLink{.local = true};
  if (route->gateway.has_value()) {
    return absl::FailedPreconditionError(
        absl::StrCat(text, " is behind the router ", route->gateway->ToString(),
                     "; mode DR needs real servers on a network of this host; use mode: SNAT"));
  }
  const Link* link = FindLink(route->ifindex);
  if (link == nullptr || !link->ethernet) {
    return absl::FailedPreconditionError(
        absl::StrCat(text, " is reached by ", link == nullptr ? "no interface" : link->name,
                     ", which has no MAC addresses; use mode: SNAT"));
  }
  const absl::StatusOr<MacAddress> mac = MacOf(address, *link);
  if (!mac.ok()) return mac.status();
  return ServerLink{.mac = *mac,
                    .source_mac = link->mac,
                    .ifindex = Carrier(link->ifindex),
                    .vlan = link->vlan,
                    .own_ifindex = link->ifindex};
}

absl::StatusOr<MacAddress> NeighbourTable::MacOf(const net::IpAddress& address, const Link& link) {
  const auto key = std::make_pair(link.ifindex, address);
  const auto known = neighbours_.find(key);
  if (known == neighbours_.end() || known->second.stale) {
    if (auto status = netlink_.Solicit(link.ifindex, address); !status.ok()) return status;
  }
  if (known != neighbours_.end()) {
    last_known_[key] = known->second.mac;
    return known->second.mac;
  }
  const auto last = last_known_.find(key);
  if (last != last_known_.end()) return last->second;
  return absl::UnavailableError(absl::StrCat(address.ToString(), " does not answer ",
                                             address.is_ipv4() ? "ARP" : "neighbour discovery",
                                             " on ", link.name, " yet"));
}

std::set<uint32_t> NeighbourTable::InterfacesOf(const net::IpAddress& vip) {
  std::set<uint32_t> interfaces;
  const std::set<std::string> holders = HoldersOf(vip);
  for (const auto& [ifindex, link] : links_) {
    if (holders.count(link.name) != 0 && link.ethernet) interfaces.insert(Carrier(ifindex));
  }
  if (!interfaces.empty()) return interfaces;
  const absl::StatusOr<Route> route = netlink_.GetRoute(vip);
  if (route.ok() && !route->local && !route->gateway.has_value()) {
    const Link* link = FindLink(route->ifindex);
    if (link != nullptr && link->ethernet) return {Carrier(link->ifindex)};
  }
  for (const uint32_t ifindex : default_interfaces_) {
    const Link* link = FindLink(ifindex);
    if (link != nullptr && link->ethernet) interfaces.insert(Carrier(ifindex));
  }
  return interfaces;
}

std::vector<ProbeTarget> NeighbourTable::ProbeTargets(uint32_t ifindex) {
  std::vector<ProbeTarget> targets;
  const Link* link = FindLink(ifindex);
  if (link == nullptr) return targets;
  for (auto known = neighbours_.lower_bound({ifindex, net::IpAddress()});
       known != neighbours_.end() && known->first.first == ifindex; ++known) {
    const net::IpAddress& neighbour = known->first.second;
    if (neighbour.is_multicast()) continue;
    const absl::StatusOr<Route> route = netlink_.GetRoute(neighbour);
    if (!route.ok() || !route->source.has_value() || route->ifindex != ifindex) continue;
    targets.push_back({neighbour, known->second.mac, *route->source, link->mac});
    if (targets.size() == kProbeTargetsMax) break;
  }
  return targets;
}

const Link* NeighbourTable::FindLink(uint32_t ifindex) const {
  const auto found = links_.find(ifindex);
  return found == links_.end() ? nullptr : &found->second;
}

uint32_t NeighbourTable::Carrier(uint32_t ifindex) const {
  const Link* link = FindLink(ifindex);
  return link != nullptr && link->parent != 0 ? link->parent : ifindex;
}

}  // namespace fairlead::dataplane::dr
