#include "pkg/base/packet_socket.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"

namespace fairlead::base {

absl::StatusOr<UniqueFd> OpenPacketSocket(uint32_t ifindex, uint16_t protocol,
                                          absl::Span<const sock_filter> filter) {
  // Without a protocol it gets nothing until bind(2), when the filter is there.
  UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid() && errno == EPERM) {
    return absl::PermissionDeniedError(
        "packet sockets need CAP_NET_RAW, which this process does not have; docker run --cap-add "
        "NET_RAW");
  }
  if (!fd.valid()) return LastErrnoStatus("packet socket");
  const sock_fprog program = {.len = static_cast<uint16_t>(filter.size()),
                              .filter = const_cast<sock_filter*>(filter.data())};
  if (!filter.empty() &&
      ::setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0) {
    return LastErrnoStatus("filter of a packet socket");
  }
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(protocol);
  address.sll_ifindex = static_cast<int>(ifindex);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return LastErrnoStatus(absl::StrCat("bind a packet socket to interface ", ifindex));
  }
  return fd;
}

}  // namespace fairlead::base
