#include "pkg/dataplane/dr/packet_socket.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"

namespace fairlead::dataplane::dr {
namespace {

// Classic BPF, offsets from Ethernet's header: the operation of ARP is a reply; the type of ICMPv6
// is a neighbour advertisement.
const std::array<sock_filter, 4> kArpReplies = {{
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, 0xffff),
    BPF_STMT(BPF_RET | BPF_K, 0),
}};
const std::array<sock_filter, 6> kAdvertisements = {{
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 3),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 54),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 136, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, 0xffff),
    BPF_STMT(BPF_RET | BPF_K, 0),
}};

}  // namespace

absl::StatusOr<PacketSocket> PacketSocket::Open(uint32_t ifindex, net::IpFamily family) {
  const bool ipv4 = family == net::IpFamily::kIpv4;
  PacketSocket socket;
  // Protocol 0: nothing arrives before the filter is there and bind(2) names one.
  socket.fd_.Reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.fd_.valid()) {
    if (errno == EPERM) {
      return absl::PermissionDeniedError(
          "a packet socket takes CAP_NET_RAW: docker run --cap-add NET_RAW");
    }
    return base::LastErrnoStatus("socket AF_PACKET");
  }
  sock_fprog program{};
  program.len = static_cast<uint16_t>(ipv4 ? kArpReplies.size() : kAdvertisements.size());
  program.filter = const_cast<sock_filter*>(ipv4 ? kArpReplies.data() : kAdvertisements.data());
  if (::setsockopt(socket.fd_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) !=
      0) {
    return base::LastErrnoStatus("filter of a packet socket");
  }
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ipv4 ? ETH_P_ARP : ETH_P_IPV6);
  address.sll_ifindex = static_cast<int>(ifindex);
  if (::bind(socket.fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return base::LastErrnoStatus(absl::StrCat("bind a packet socket to interface ", ifindex));
  }
  return socket;
}

absl::Status PacketSocket::Send(absl::string_view frame) {
  if (::send(fd_.get(), frame.data(), frame.size(), 0) >= 0) return absl::OkStatus();
  return base::LastErrnoStatus("send a probe");
}

bool PacketSocket::HeardAnswer() {
  bool any = false;
  std::array<char, 128> frame;
  while (true) {
    const ssize_t size = ::recv(fd_.get(), frame.data(), frame.size(), 0);
    if (size < 0) return any;
    any = true;
  }
}

}  // namespace fairlead::dataplane::dr
