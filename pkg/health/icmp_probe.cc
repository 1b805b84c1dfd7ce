#include "pkg/health/icmp_probe.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "pkg/health/reason.h"
#include "pkg/net/packet_bytes.h"

namespace fairlead::health {
namespace {

// Messages looked at per call; a raw socket sees every ICMP message of this server.
constexpr int kMessagesPerTurn = 64;

}  // namespace

int IcmpProbe::OpenSocket() {
  const bool ipv4 = target_.address.is_ipv4();
  const int family = ipv4 ? AF_INET : AF_INET6;
  const int protocol = ipv4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
  const int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
  fd_.Reset(::socket(family, SOCK_DGRAM | flags, protocol));
  if (!fd_.valid() && (errno == EACCES || errno == EPERM || errno == EPROTONOSUPPORT)) {
    raw_ = true;
    fd_.Reset(::socket(family, SOCK_RAW | flags, protocol));
  }
  if (!fd_.valid()) return errno;
  const int one = 1;
  // ICMP errors about the request end the wait (ip(7), IP_RECVERR).
  (void)::setsockopt(fd_.get(), ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_RECVERR : IPV6_RECVERR,
                     &one, sizeof(one));
  return 0;
}

ProbeStep IcmpProbe::Start() {
  const std::string name = TargetName(target_);
  if (int error = OpenSocket(); error == EPERM || error == EACCES) {
    return ProbeOutcome::Inconclusive(
        absl::StrCat("cannot check ", name,
                     ": this process may not send ICMP echo; set sysctl "
                     "net.ipv4.ping_group_range=\"0 2147483647\" or grant CAP_NET_RAW"));
  } else if (error != 0) {
    return SocketFailure(target_, "ICMP socket", error);
  }
  const net::SocketAddress address(target_);
  if (::connect(fd_.get(), &address.generic, address.length) != 0) return Failure(errno);
  if (::getrandom(token_.data(), token_.size(), GRND_NONBLOCK) < 0) {
    return SocketFailure(target_, "getrandom", errno);
  }
  const EchoMessage request =
      BuildEchoRequest(target_.address.family(), net::Get16(token_.data()), token_);
  if (::send(fd_.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return Failure(errno);
  return Await{fd_.get(), POLLIN};
}

ProbeStep IcmpProbe::OnReady() {
  uint8_t packet[256];  // an IP header of at most 60 bytes and the message
  for (int i = 0; i < kMessagesPerTurn; ++i) {
    const ssize_t size = ::recv(fd_.get(), packet, sizeof(packet), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (size < 0) return Failure(errno);
    absl::Span<const uint8_t> message(packet, static_cast<size_t>(size));
    if (raw_ && target_.address.is_ipv4()) message = net::WithoutIpv4Header(message);
    if (IsEchoReply(target_.address.family(), message, token_)) {
      return ProbeOutcome::Healthy("ICMP echo");
    }
  }
  return Await{fd_.get(), POLLIN};
}

ProbeOutcome IcmpProbe::OnTimeout(absl::Duration timeout) {
  return ProbeOutcome::Unreachable(absl::StrCat("no ICMP echo reply from ", TargetName(target_),
                                                " within ", absl::FormatDuration(timeout)));
}

ProbeOutcome IcmpProbe::Failure(int error) const {
  if (error == ECONNREFUSED || error == ENOPROTOOPT) {
    return ProbeOutcome::Unhealthy(absl::StrCat(TargetName(target_), " rejects ICMP echo"));
  }
  return ConnectFailure(target_, error);
}

}  // namespace fairlead::health
