#include "pkg/dataplane/dr/rtnetlink.h"

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/netlink_message.h"

namespace fairlead::dataplane::dr {
namespace {

using base::Attributes;
using base::Exchange;
using base::NetlinkRequest;
using base::ParseAttributes;
using base::ValueOf;

uint8_t FamilyOf(const net::IpAddress& address) { return address.is_ipv4() ? AF_INET : AF_INET6; }

uint32_t ToUint32(const rtattr* attribute) {
  uint32_t value = 0;
  const auto bytes = ValueOf(attribute);
  if (bytes.size() >= sizeof(value)) std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

std::optional<net::IpAddress> ToAddress(const rtattr* attribute) {
  if (attribute == nullptr) return std::nullopt;
  const auto bytes = ValueOf(attribute);
  if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
  return net::IpAddress::FromBytes(bytes);
}

bool ToMac(const rtattr* attribute, MacAddress* mac) {
  if (attribute == nullptr || ValueOf(attribute).size() != mac->size()) return false;
  std::copy_n(ValueOf(attribute).begin(), mac->size(), mac->begin());
  return true;
}

template <typename Header>
std::pair<const Header*, Attributes> Open(const nlmsghdr& message) {
  const auto* header = static_cast<const Header*>(NLMSG_DATA(&message));
  const auto* first = reinterpret_cast<const rtattr*>(reinterpret_cast<const char*>(header) +
                                                      NLMSG_ALIGN(sizeof(Header)));
  if (message.nlmsg_len < NLMSG_LENGTH(sizeof(Header))) return {header, {}};
  return {header, ParseAttributes(first, message.nlmsg_len - NLMSG_LENGTH(sizeof(Header)))};
}

// IFLA_LINKINFO { IFLA_INFO_KIND "vlan", IFLA_INFO_DATA { IFLA_VLAN_ID } }.
void ReadKind(const Attributes& attributes, Link* link) {
  const rtattr* info = attributes[IFLA_LINKINFO];
  if (info == nullptr) return;
  const Attributes parts =
      ParseAttributes(static_cast<const rtattr*>(RTA_DATA(info)), RTA_PAYLOAD(info));
  const rtattr* kind = parts[IFLA_INFO_KIND];
  const rtattr* data = parts[IFLA_INFO_DATA];
  if (kind == nullptr) return;
  const auto* name = static_cast<const char*>(RTA_DATA(kind));
  link->kind.assign(name, ::strnlen(name, RTA_PAYLOAD(kind)));
  if (link->kind != "vlan" || data == nullptr || attributes[IFLA_LINK] == nullptr) return;
  const Attributes vlan =
      ParseAttributes(static_cast<const rtattr*>(RTA_DATA(data)), RTA_PAYLOAD(data));
  if (vlan[IFLA_VLAN_ID] == nullptr) return;
  std::memcpy(&link->vlan, ValueOf(vlan[IFLA_VLAN_ID]).data(), sizeof(link->vlan));
  link->parent = ToUint32(attributes[IFLA_LINK]);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Rtnetlink>> Rtnetlink::Create() {
  std::unique_ptr<Rtnetlink> netlink(new Rtnetlink);
  auto requests = base::OpenRouteSocket(0, 0);
  if (!requests.ok()) return requests.status();
  netlink->requests_ = *std::move(requests);
  auto changes = base::OpenRouteSocket(SOCK_NONBLOCK, RTMGRP_LINK | RTMGRP_NEIGH |
                                                          RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                                                          RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE);
  if (!changes.ok()) return changes.status();
  netlink->changes_ = *std::move(changes);
  return netlink;
}

absl::StatusOr<Route> Rtnetlink::GetRoute(const net::IpAddress& address) {
  NetlinkRequest<rtmsg> request(RTM_GETROUTE, 0);
  request.header().rtm_family = FamilyOf(address);
  request.header().rtm_dst_len = static_cast<uint8_t>(address.bytes().size() * 8);
  request.Add(RTA_DST, address.bytes());
  Route route;
  const absl::Status status =
      Exchange(requests_.get(), request.message(), ++sequence_,
               absl::StrCat("route to ", address.ToString()).c_str(), [&](const nlmsghdr& message) {
                 const auto [header, attributes] = Open<rtmsg>(message);
                 route.local = header->rtm_type == RTN_LOCAL;
                 if (attributes[RTA_OIF] != nullptr) route.ifindex = ToUint32(attributes[RTA_OIF]);
                 route.gateway = ToAddress(attributes[RTA_GATEWAY]);
                 route.source = ToAddress(attributes[RTA_PREFSRC]);
               });
  if (!status.ok()) return status;
  return route;
}

absl::StatusOr<std::set<uint32_t>> Rtnetlink::GetDefaultInterfaces() {
  std::set<uint32_t> interfaces;
  for (const uint8_t family : {AF_INET, AF_INET6}) {
    NetlinkRequest<rtmsg> request(RTM_GETROUTE, NLM_F_DUMP);
    request.header().rtm_family = family;
    const absl::Status status =
        Exchange(requests_.get(), request.message(), ++sequence_, "list the routes",
                 [&](const nlmsghdr& message) {
                   const auto [header, attributes] = Open<rtmsg>(message);
                   if (header->rtm_dst_len != 0 || header->rtm_table != RT_TABLE_MAIN) return;
                   if (header->rtm_type != RTN_UNICAST || attributes[RTA_OIF] == nullptr) return;
                   interfaces.insert(ToUint32(attributes[RTA_OIF]));
                 });
    if (!status.ok()) return status;
  }
  return interfaces;
}

absl::StatusOr<Links> Rtnetlink::GetLinks() {
  NetlinkRequest<ifinfomsg> request(RTM_GETLINK, NLM_F_DUMP);
  Links links;
  const absl::Status status =
      Exchange(requests_.get(), request.message(), ++sequence_, "list the interfaces",
               [&](const nlmsghdr& message) {
                 const auto [header, attributes] = Open<ifinfomsg>(message);
                 Link link;
                 link.ifindex = static_cast<uint32_t>(header->ifi_index);
                 link.ethernet = header->ifi_type == ARPHRD_ETHER;
                 link.loopback = (header->ifi_flags & IFF_LOOPBACK) != 0;
                 link.up = (header->ifi_flags & IFF_UP) != 0;
                 ToMac(attributes[IFLA_ADDRESS], &link.mac);
                 if (attributes[IFLA_IFNAME] != nullptr) {
                   link.name = static_cast<const char*>(RTA_DATA(attributes[IFLA_IFNAME]));
                 }
                 ReadKind(attributes, &link);
                 links.emplace(link.ifindex, std::move(link));
               });
  if (!status.ok()) return status;
  return links;
}

absl::StatusOr<HostAddresses> Rtnetlink::GetAddresses() {
  NetlinkRequest<ifaddrmsg> request(RTM_GETADDR, NLM_F_DUMP);
  HostAddresses addresses;
  const absl::Status status = Exchange(
      requests_.get(), request.message(), ++sequence_, "list the addresses",
      [&](const nlmsghdr& message) {
        const auto [header, attributes] = Open<ifaddrmsg>(message);
        // rtnetlink(7): of a point-to-point interface IFA_ADDRESS is the other end.
        const rtattr* own =
            attributes[IFA_LOCAL] != nullptr ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
        const std::optional<net::IpAddress> address = ToAddress(own);
        if (!address.has_value()) return;
        const uint32_t flags =
            attributes[IFA_FLAGS] != nullptr ? ToUint32(attributes[IFA_FLAGS]) : header->ifa_flags;
        addresses.push_back({.ifindex = header->ifa_index,
                             .address = *address,
                             .prefix_length = header->ifa_prefixlen,
                             .deprecated = (flags & IFA_F_DEPRECATED) != 0,
                             .usable = (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) == 0});
      });
  if (!status.ok()) return status;
  return addresses;
}

absl::StatusOr<Neighbours> Rtnetlink::GetNeighbours() {
  NetlinkRequest<ndmsg> request(RTM_GETNEIGH, NLM_F_DUMP);
  Neighbours neighbours;
  const absl::Status status =
      Exchange(requests_.get(), request.message(), ++sequence_, "list the neighbours",
               [&](const nlmsghdr& message) {
                 const auto [header, attributes] = Open<ndmsg>(message);
                 constexpr uint16_t kKnown =
                     NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
                 const std::optional<net::IpAddress> address = ToAddress(attributes[NDA_DST]);
                 Neighbour neighbour;
                 if ((header->ndm_state & kKnown) == 0 || !address.has_value() ||
                     !ToMac(attributes[NDA_LLADDR], &neighbour.mac)) {
                   return;
                 }
                 neighbour.stale = (header->ndm_state & NUD_STALE) != 0;
                 neighbours[{static_cast<uint32_t>(header->ndm_ifindex), *address}] = neighbour;
               });
  if (!status.ok()) return status;
  return neighbours;
}

absl::Status Rtnetlink::Solicit(uint32_t ifindex, const net::IpAddress& address) {
  NetlinkRequest<ndmsg> request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_ACK);
  request.header().ndm_family = FamilyOf(address);
  request.header().ndm_ifindex = static_cast<int>(ifindex);
  request.header().ndm_flags = NTF_USE;  // net/core/neighbour.c: neigh_event_send
  request.Add(NDA_DST, address.bytes());
  return Exchange(requests_.get(), request.message(), ++sequence_,
                  absl::StrCat("ask for the MAC of ", address.ToString()).c_str(),
                  [](const nlmsghdr&) {});
}

bool Rtnetlink::DrainChanges() { return base::DrainRouteSocket(changes_.get()); }

}  // namespace fairlead::dataplane::dr
