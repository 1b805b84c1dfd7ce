#include "pkg/ha/address_editor.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/netlink_message.h"

namespace fairlead::ha {
namespace {

// Free among the protocols of addresses; the kernel's own are 1 to 3 (linux/if_addr.h).
constexpr uint8_t kMark = 0xfa;
// Kept out of older headers.
constexpr uint16_t kAddressProtocol = 11;  // IFA_PROTO
constexpr uint32_t kForever = 0xffffffff;  // INFINITY_LIFE_TIME

uint8_t FamilyOf(const net::IpAddress& address) { return address.is_ipv4() ? AF_INET : AF_INET6; }

uint8_t WidthOf(const net::IpAddress& address) {
  return static_cast<uint8_t>(address.bytes().size() * 8);
}

template <typename T>
absl::Span<const uint8_t> BytesOf(const T& value) {
  return {reinterpret_cast<const uint8_t*>(&value), sizeof(value)};
}

// The address of an RTM_NEWADDR message; nothing for what is none.
std::optional<HostAddress> Decode(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWADDR || message.nlmsg_len < NLMSG_LENGTH(sizeof(ifaddrmsg))) {
    return std::nullopt;
  }
  const auto* header = static_cast<const ifaddrmsg*>(NLMSG_DATA(&message));
  const base::Attributes attributes =
      base::ParseAttributes(IFA_RTA(header), message.nlmsg_len - NLMSG_LENGTH(sizeof(ifaddrmsg)));
  // rtnetlink(7): of a point-to-point interface IFA_ADDRESS is the other end.
  const rtattr* own =
      attributes[IFA_LOCAL] != nullptr ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
  if (own == nullptr) return std::nullopt;
  const absl::Span<const uint8_t> bytes = base::ValueOf(own);
  if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
  HostAddress address = {.ifindex = header->ifa_index,
                         .address = net::IpAddress::FromBytes(bytes),
                         .prefix_length = header->ifa_prefixlen};
  const rtattr* protocol = attributes[kAddressProtocol];
  address.own = protocol != nullptr && !base::ValueOf(protocol).empty() &&
                base::ValueOf(protocol)[0] == kMark;
  return address;
}

// The kernel's refusal with what is likely behind it.
absl::Status Explain(const absl::Status& status, const std::string& interface) {
  if (absl::IsPermissionDenied(status)) {
    const bool not_permitted = status.message().find("EPERM") != std::string::npos;
    return absl::PermissionDeniedError(
        not_permitted
            ? absl::StrCat("adding an address to ", interface,
                           " needs CAP_NET_ADMIN, which this process does not have; docker run "
                           "--cap-add NET_ADMIN")
            : absl::StrCat(status.message(), "; IPv6 is switched off on ", interface,
                           " (sysctl net.ipv6.conf.", interface, ".disable_ipv6)"));
  }
  return status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AddressEditor>> AddressEditor::Create() {
  std::unique_ptr<AddressEditor> editor(new AddressEditor);
  auto requests = base::OpenRouteSocket(0, 0);
  if (!requests.ok()) return requests.status();
  editor->requests_ = *std::move(requests);
  auto changes =
      base::OpenRouteSocket(SOCK_NONBLOCK, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
  if (!changes.ok()) return changes.status();
  editor->changes_ = *std::move(changes);
  return editor;
}

absl::StatusOr<std::vector<HostAddress>> AddressEditor::Read() {
  base::NetlinkRequest<ifaddrmsg> request(RTM_GETADDR, NLM_F_DUMP);
  std::vector<HostAddress> addresses;
  const absl::Status status =
      base::Exchange(requests_.get(), request.message(), ++sequence_, "list the addresses",
                     [&](const nlmsghdr& message) {
                       std::optional<HostAddress> address = Decode(message);
                       if (!address.has_value()) return;
                       address->own |= put_.contains({address->ifindex, address->address});
                       addresses.push_back(*address);
                     });
  if (!status.ok()) return status;
  // What somebody took away, and perhaps puts back, is not this process's any more.
  std::erase_if(put_, [&](const auto& put) {
    return std::none_of(addresses.begin(), addresses.end(), [&](const HostAddress& there) {
      return there.ifindex == put.first && there.address == put.second;
    });
  });
  return addresses;
}

absl::Status AddressEditor::Put(uint16_t flags, uint32_t ifindex, const std::string& interface,
                                const net::IpAddress& address, absl::Duration lifetime) {
  base::NetlinkRequest<ifaddrmsg> request(RTM_NEWADDR,
                                          static_cast<uint16_t>(NLM_F_ACK | NLM_F_CREATE | flags));
  request.header().ifa_family = FamilyOf(address);
  request.header().ifa_prefixlen = WidthOf(address);
  request.header().ifa_index = ifindex;
  request.header().ifa_scope = RT_SCOPE_UNIVERSE;
  if (!address.is_ipv4()) request.header().ifa_flags = IFA_F_NODAD;
  request.Add(IFA_LOCAL, address.bytes());
  request.Add(IFA_ADDRESS, address.bytes());
  request.Add(kAddressProtocol, BytesOf(kMark));
  ifa_cacheinfo times{};
  times.ifa_valid =
      lifetime == absl::InfiniteDuration()
          ? kForever
          : static_cast<uint32_t>(std::max<int64_t>(absl::ToInt64Seconds(lifetime), 1));
  times.ifa_prefered = address.is_ipv4() ? times.ifa_valid : 0;
  request.Add(IFA_CACHEINFO, BytesOf(times));
  const absl::Status status = base::Exchange(
      requests_.get(), request.message(), ++sequence_,
      absl::StrCat("add ", address.ToString(), " to ", interface).c_str(), [](const nlmsghdr&) {});
  if (!status.ok()) return Explain(status, interface);
  put_.insert({ifindex, address});
  return absl::OkStatus();
}

absl::Status AddressEditor::Add(uint32_t ifindex, const std::string& interface,
                                const net::IpAddress& address, absl::Duration lifetime) {
  return Put(NLM_F_EXCL, ifindex, interface, address, lifetime);
}

absl::Status AddressEditor::Renew(uint32_t ifindex, const std::string& interface,
                                  const net::IpAddress& address, absl::Duration lifetime) {
  return Put(NLM_F_REPLACE, ifindex, interface, address, lifetime);
}

absl::Status AddressEditor::Remove(const HostAddress& own) {
  base::NetlinkRequest<ifaddrmsg> request(RTM_DELADDR, NLM_F_ACK);
  request.header().ifa_family = FamilyOf(own.address);
  request.header().ifa_prefixlen = static_cast<uint8_t>(own.prefix_length);
  request.header().ifa_index = own.ifindex;
  request.Add(IFA_LOCAL, own.address.bytes());
  request.Add(IFA_ADDRESS, own.address.bytes());
  const absl::Status status = base::Exchange(
      requests_.get(), request.message(), ++sequence_,
      absl::StrCat("remove ", own.address.ToString()).c_str(), [](const nlmsghdr&) {});
  put_.erase({own.ifindex, own.address});
  // EADDRNOTAVAIL, ENODEV: it went by itself, or with its interface.
  const bool gone = status.message().find("EADDRNOTAVAIL") != std::string::npos ||
                    status.message().find("ENODEV") != std::string::npos;
  return gone ? absl::OkStatus() : status;
}

bool AddressEditor::DrainChanges() { return base::DrainRouteSocket(changes_.get()); }

bool HostHasOwnAddress() {
  const auto editor = AddressEditor::Create();
  if (!editor.ok()) return false;
  const auto addresses = (*editor)->Read();
  return addresses.ok() && std::any_of(addresses->begin(), addresses->end(),
                                       [](const HostAddress& there) { return there.own; });
}

}  // namespace fairlead::ha
