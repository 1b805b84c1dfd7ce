#include "pkg/base/netlink_message.h"

#include <sys/socket.h>

#include <cerrno>
#include <vector>

#include "pkg/base/errno_status.h"

namespace fairlead::base {
namespace {

// What the kernel fills at most with one message of a dump (net/netlink/af_netlink.c: 32 KiB).
constexpr size_t kBufferBytes = 64 * 1024;

}  // namespace

absl::StatusOr<UniqueFd> OpenRouteSocket(int flags, uint32_t groups) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE));
  if (!fd.valid()) return LastErrnoStatus("socket AF_NETLINK");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return LastErrnoStatus("bind of a netlink socket");
  }
  return fd;
}

bool DrainRouteSocket(int fd) {
  bool any = false;
  std::array<char, 8192> buffer;
  while (true) {
    const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), 0);
    // ENOBUFS: some were lost; what they said is asked for anew.
    if (size < 0 && errno != ENOBUFS && errno != EINTR) return any;
    any = true;
  }
}

Attributes ParseAttributes(const rtattr* first, size_t bytes) {
  Attributes attributes{};
  auto left = static_cast<int>(bytes);
  for (const rtattr* at = first; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
    const size_t type = at->rta_type & NLA_TYPE_MASK;
    if (type < kAttributesMax) attributes[type] = at;
  }
  return attributes;
}

absl::Span<const uint8_t> ValueOf(const rtattr* attribute) {
  return {static_cast<const uint8_t*>(RTA_DATA(attribute)), RTA_PAYLOAD(attribute)};
}

absl::Status Exchange(int fd, nlmsghdr& request, uint32_t sequence, const char* what,
                      const std::function<void(const nlmsghdr&)>& handle) {
  request.nlmsg_seq = sequence;
  if (::send(fd, &request, request.nlmsg_len, 0) < 0) return LastErrnoStatus(what);
  const bool is_dump = (request.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
  std::vector<char> buffer(kBufferBytes);
  while (true) {
    const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (size < 0) {
      if (errno == EINTR) continue;
      return LastErrnoStatus(what);
    }
    auto left = static_cast<uint32_t>(size);
    for (auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data()); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_seq != sequence) continue;  // of a request that failed half-way
      if (message->nlmsg_type == NLMSG_DONE) return absl::OkStatus();
      if (message->nlmsg_type == NLMSG_ERROR) {
        const int error = static_cast<const nlmsgerr*>(NLMSG_DATA(message))->error;
        return error == 0 ? absl::OkStatus() : ErrnoStatus(-error, what);
      }
      handle(*message);
      if (!is_dump && (request.nlmsg_flags & NLM_F_ACK) == 0) return absl::OkStatus();
    }
  }
}

}  // namespace fairlead::base
