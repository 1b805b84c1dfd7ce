#include "pkg/dataplane/dr/packet_socket.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <sys/socket.h>

#include <array>
#include <utility>

#include "pkg/base/errno_status.h"
#include "pkg/base/packet_socket.h"
#include "pkg/net/packet_filter.h"

namespace fairlead::dataplane::dr {
namespace {

// Classic BPF, offsets from Ethernet's header: the operation of ARP is a reply.
const std::array<sock_filter, 4> kArpReplies = {{
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, 0xffff),
    BPF_STMT(BPF_RET | BPF_K, 0),
}};

}  // namespace

absl::StatusOr<PacketSocket> PacketSocket::Open(uint32_t ifindex, net::IpFamily family) {
  auto fd = family == net::IpFamily::kIpv4
                ? base::OpenPacketSocket(ifindex, ETH_P_ARP, kArpReplies)
                : base::OpenPacketSocket(ifindex, ETH_P_IPV6, net::kAdvertisementFilter);
  if (!fd.ok()) return fd.status();
  PacketSocket socket;
  socket.fd_ = *std::move(fd);
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
