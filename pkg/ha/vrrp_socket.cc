#include "pkg/ha/vrrp_socket.h"

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/arp/interfaces.h"
#include "pkg/base/errno_status.h"
#include "pkg/ha/vrrp_packet.h"
#include "pkg/net/endpoint.h"
#include "pkg/net/packet_bytes.h"

namespace fairlead::ha {
namespace {

constexpr int kPacketsPerTurn = 256;

template <typename T>
absl::Status SetOption(int fd, int level, int name, const T& value, const char* what) {
  if (::setsockopt(fd, level, name, &value, sizeof(value)) == 0) return absl::OkStatus();
  return base::LastErrnoStatus(what);
}

// This host's address towards the peer, as the routing table has it.
absl::StatusOr<net::IpAddress> AddressTowards(const net::IpAddress& peer) {
  net::SocketAddress address(net::Endpoint{peer, 9});  // a datagram socket sends nothing yet
  const base::UniqueFd fd(::socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid() || ::connect(fd.get(), &address.generic, address.length) != 0) {
    return base::LastErrnoStatus(absl::StrCat("no way to the peer ", peer.ToString()));
  }
  net::SocketAddress own;
  own.length = sizeof(own.ipv6);
  if (::getsockname(fd.get(), &own.generic, &own.length) != 0) {
    return base::LastErrnoStatus("getsockname");
  }
  const absl::StatusOr<net::Endpoint> endpoint = own.ToEndpoint();
  if (!endpoint.ok()) return endpoint.status();
  if (endpoint->address == peer) {
    return absl::FailedPreconditionError(
        absl::StrCat("the peer ", peer.ToString(), " is this host itself"));
  }
  return endpoint->address;
}

const arp::Interface* InterfaceWith(const arp::Interfaces& interfaces,
                                    const net::IpAddress& address) {
  const arp::Interface* found = nullptr;
  for (const auto& [ifindex, interface] : interfaces) {
    if (interface.Has(address)) found = &interface;
  }
  return found;
}

// RFC 9568 §5.1.1.1: the primary IPv4 address; §5.1.2.1: the link-local IPv6 address.
std::optional<net::IpAddress> MulticastSource(const arp::Interface& interface,
                                              net::IpFamily family) {
  for (const arp::InterfaceAddress& own : interface.addresses) {
    if (own.address.family() != family) continue;
    if (own.prefix_length == static_cast<int>(own.address.bytes().size()) * 8) continue;
    if (family == net::IpFamily::kIpv4 || own.address.is_link_local()) return own.address;
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<VrrpSocket> VrrpSocket::Open(const VrrpTransport& transport) {
  VrrpSocket made;
  made.unicast_ = transport.peer.has_value();
  const arp::Interfaces interfaces = arp::ReadInterfaces();
  const arp::Interface* interface = nullptr;
  if (made.unicast_) {
    made.destination_ = *transport.peer;
    auto local = AddressTowards(*transport.peer);
    if (!local.ok()) return local.status();
    made.local_ = *local;
    interface = InterfaceWith(interfaces, made.local_);
  } else {
    made.destination_ = VrrpGroup(transport.family);
    for (const auto& [ifindex, candidate] : interfaces) {
      if (candidate.name == transport.interface) interface = &candidate;
    }
    if (interface == nullptr) {
      return absl::NotFoundError(absl::StrCat("this host has no interface ", transport.interface));
    }
    const auto source = MulticastSource(*interface, transport.family);
    if (!source.has_value()) {
      return absl::FailedPreconditionError(
          absl::StrCat(interface->name, " has no ",
                       transport.family == net::IpFamily::kIpv4 ? "IPv4" : "link-local IPv6",
                       " address to send VRRP from"));
    }
    made.local_ = *source;
  }
  if (interface != nullptr) {
    made.interface_ = interface->name;
    made.ifindex_ = interface->ifindex;
  }
  if (absl::Status status = made.SetUp(transport, made.ifindex_); !status.ok()) return status;
  return made;
}

absl::Status VrrpSocket::SetUp(const VrrpTransport& transport, uint32_t ifindex) {
  const bool ipv4 = local_.is_ipv4();
  fd_.Reset(
      ::socket(ipv4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, kVrrpProtocol));
  if (!fd_.valid() && errno == EPERM) {
    return absl::PermissionDeniedError(
        "VRRP needs CAP_NET_RAW, which this process does not have; docker run --cap-add NET_RAW");
  }
  if (!fd_.valid()) return base::LastErrnoStatus("raw socket for VRRP");
  const int fd = fd_.get();
  const int level = ipv4 ? static_cast<int>(IPPROTO_IP) : static_cast<int>(IPPROTO_IPV6);
  const int hops = kVrrpHopLimit;
  const int off = 0;
  const int on = 1;
  const int traffic = IPTOS_PREC_INTERNETCONTROL;
  const int index = static_cast<int>(ifindex);
  absl::Status status;
  status.Update(SetOption(fd, level, ipv4 ? IP_TTL : IPV6_UNICAST_HOPS, hops, "time to live"));
  status.Update(
      SetOption(fd, level, ipv4 ? IP_MULTICAST_TTL : IPV6_MULTICAST_HOPS, hops, "time to live"));
  status.Update(SetOption(fd, level, ipv4 ? IP_MULTICAST_LOOP : IPV6_MULTICAST_LOOP, off, "loop"));
  status.Update(SetOption(fd, level, ipv4 ? IP_TOS : IPV6_TCLASS, traffic, "traffic class"));
  if (!ipv4) {
    status.Update(SetOption(fd, level, IPV6_RECVHOPLIMIT, on, "IPV6_RECVHOPLIMIT"));
    status.Update(SetOption(fd, level, IPV6_RECVPKTINFO, on, "IPV6_RECVPKTINFO"));
  }
  if (!transport.peer.has_value()) {
    ifreq device{};
    interface_.copy(device.ifr_name, sizeof(device.ifr_name) - 1);
    status.Update(SetOption(fd, SOL_SOCKET, SO_BINDTODEVICE, device, "interface for VRRP"));
  }
  if (!transport.peer.has_value() && ipv4) {
    ip_mreqn group{};
    std::memcpy(&group.imr_multiaddr, destination_.bytes().data(), 4);
    std::memcpy(&group.imr_address, local_.bytes().data(), 4);
    group.imr_ifindex = index;
    status.Update(SetOption(fd, level, IP_MULTICAST_IF, group, "interface for VRRP"));
    status.Update(SetOption(fd, level, IP_ADD_MEMBERSHIP, group, "join 224.0.0.18"));
  } else if (!transport.peer.has_value()) {
    ipv6_mreq group{};
    std::memcpy(&group.ipv6mr_multiaddr, destination_.bytes().data(), 16);
    group.ipv6mr_interface = ifindex;
    status.Update(SetOption(fd, level, IPV6_MULTICAST_IF, index, "interface for VRRP"));
    status.Update(SetOption(fd, level, IPV6_ADD_MEMBERSHIP, group, "join ff02::12"));
  }
  if (!status.ok()) return status;
  // So that the source is what the checksum was made with.
  net::SocketAddress own(net::Endpoint{local_, 0});
  if (!ipv4 && local_.is_link_local()) own.ipv6.sin6_scope_id = ifindex;
  // A multicast socket must hear the group's packets, which a bound one does not.
  if (!unicast_) return absl::OkStatus();
  if (::bind(fd, &own.generic, own.length) != 0) {
    return base::LastErrnoStatus(absl::StrCat("bind ", local_.ToString()));
  }
  return absl::OkStatus();
}

absl::Status VrrpSocket::Send(absl::Span<const uint8_t> payload) {
  net::SocketAddress to(net::Endpoint{destination_, 0});
  if (!destination_.is_ipv4() && (!unicast_ || destination_.is_link_local())) {
    to.ipv6.sin6_scope_id = ifindex_;
  }
  iovec data = {const_cast<uint8_t*>(payload.data()), payload.size()};
  msghdr message{};
  message.msg_name = &to.generic;
  message.msg_namelen = to.length;
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in6_pktinfo))] = {};
  if (!local_.is_ipv4()) {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, local_.bytes().data(), 16);
    info.ipi6_ifindex = unicast_ ? 0 : ifindex_;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = IPPROTO_IPV6;
    header->cmsg_type = IPV6_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof(info));
    std::memcpy(CMSG_DATA(header), &info, sizeof(info));
  }
  if (::sendmsg(fd_.get(), &message, MSG_NOSIGNAL) >= 0) return absl::OkStatus();
  return base::LastErrnoStatus(absl::StrCat("VRRP to ", destination_.ToString()));
}

std::optional<VrrpPacket> VrrpSocket::ReceiveOne(bool* empty) {
  uint8_t bytes[2048];
  iovec data = {bytes, sizeof(bytes)};
  net::SocketAddress from;
  alignas(cmsghdr) char control[256];
  msghdr message{};
  message.msg_name = &from.generic;
  message.msg_namelen = sizeof(from.ipv6);
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  const ssize_t size = ::recvmsg(fd_.get(), &message, 0);
  *empty = size < 0;
  if (size < 0) return std::nullopt;
  const auto packet = absl::MakeConstSpan(bytes, static_cast<size_t>(size));
  VrrpPacket received;
  if (local_.is_ipv4()) {
    const absl::Span<const uint8_t> payload = net::WithoutIpv4Header(packet);
    if (payload.empty()) return std::nullopt;
    received.hop_limit = packet[8];
    received.source = net::IpAddress::FromBytes(packet.subspan(12, 4));
    received.destination = net::IpAddress::FromBytes(packet.subspan(16, 4));
    received.payload.assign(payload.begin(), payload.end());
    return received;
  }
  from.length = message.msg_namelen;
  received.source =
      net::IpAddress::FromBytes({reinterpret_cast<const uint8_t*>(&from.ipv6.sin6_addr), 16});
  for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
    if (at->cmsg_level != IPPROTO_IPV6) continue;
    if (at->cmsg_type == IPV6_HOPLIMIT) std::memcpy(&received.hop_limit, CMSG_DATA(at), 4);
    if (at->cmsg_type == IPV6_PKTINFO) {
      received.destination = net::IpAddress::FromBytes({CMSG_DATA(at), 16});
    }
  }
  received.payload.assign(packet.begin(), packet.end());
  return received;
}

std::optional<VrrpPacket> VrrpSocket::Receive() {
  for (int i = 0; i < kPacketsPerTurn; ++i) {
    bool empty = false;
    std::optional<VrrpPacket> packet = ReceiveOne(&empty);
    if (empty) return std::nullopt;
    if (!packet.has_value() || packet->source == local_) continue;
    // Unicast peers do not hear multicast, and the reverse; nor anybody but the peer.
    const bool fits = unicast_ ? packet->source == destination_ && packet->destination == local_
                               : packet->destination == destination_;
    if (fits) return packet;
  }
  return std::nullopt;
}

}  // namespace fairlead::ha
