#include "pkg/arp/interfaces.h"

#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>

#include <algorithm>
#include <bit>
#include <memory>

#include "pkg/net/endpoint.h"

namespace fairlead::arp {
namespace {

std::optional<net::IpAddress> ToAddress(const sockaddr* from) {
  if (from == nullptr) return std::nullopt;
  net::SocketAddress address;
  if (from->sa_family == AF_INET) {
    address.ipv4 = *reinterpret_cast<const sockaddr_in*>(from);
  } else if (from->sa_family == AF_INET6) {
    address.ipv6 = *reinterpret_cast<const sockaddr_in6*>(from);
  } else {
    return std::nullopt;
  }
  const absl::StatusOr<net::Endpoint> endpoint = address.ToEndpoint();
  if (!endpoint.ok()) return std::nullopt;
  return endpoint->address;
}

int PrefixLength(const sockaddr* netmask) {
  const std::optional<net::IpAddress> mask = ToAddress(netmask);
  int length = 0;
  if (!mask.has_value()) return length;
  for (const uint8_t byte : mask->bytes()) length += std::popcount(byte);
  return length;
}

void ReadLink(const ifaddrs& entry, Interface* interface) {
  const auto* link = reinterpret_cast<const sockaddr_ll*>(entry.ifa_addr);
  interface->asks = link->sll_hatype == ARPHRD_ETHER && link->sll_halen == interface->mac.size() &&
                    (entry.ifa_flags & IFF_UP) != 0 && (entry.ifa_flags & IFF_LOOPBACK) == 0;
  interface->carrier = (entry.ifa_flags & IFF_RUNNING) != 0;
  if (link->sll_halen != interface->mac.size()) return;
  std::copy_n(link->sll_addr, interface->mac.size(), interface->mac.begin());
}

}  // namespace

bool Interface::Has(const net::IpAddress& address) const {
  return std::any_of(addresses.begin(), addresses.end(),
                     [&](const InterfaceAddress& own) { return own.address == address; });
}

bool Interface::Reaches(const net::IpAddress& address) const {
  return std::any_of(addresses.begin(), addresses.end(), [&](const InterfaceAddress& own) {
    return own.address.family() == address.family() &&
           own.address.Masked(own.prefix_length) == address.Masked(own.prefix_length);
  });
}

Interfaces ReadInterfaces() {
  Interfaces interfaces;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return interfaces;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    const uint32_t ifindex = ::if_nametoindex(entry->ifa_name);
    if (entry->ifa_addr == nullptr || ifindex == 0) continue;
    Interface& interface = interfaces[ifindex];
    interface.ifindex = ifindex;
    interface.name = entry->ifa_name;
    if (entry->ifa_addr->sa_family == AF_PACKET) ReadLink(*entry, &interface);
    if (const auto address = ToAddress(entry->ifa_addr)) {
      interface.addresses.push_back({*address, PrefixLength(entry->ifa_netmask)});
    }
  }
  return interfaces;
}

std::optional<net::IpAddress> SolicitationSource(const Interface& interface,
                                                 const net::IpAddress& target) {
  std::optional<net::IpAddress> other;
  for (const InterfaceAddress& own : interface.addresses) {
    if (own.address.is_ipv4() || own.address == target) continue;
    if (own.address.is_link_local()) return own.address;
    if (!other.has_value()) other = own.address;
  }
  return other;
}

}  // namespace fairlead::arp
