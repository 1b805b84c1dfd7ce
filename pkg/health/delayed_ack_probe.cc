#include "pkg/health/delayed_ack_probe.h"

#include <linux/tcp.h>  // tcp_info with tcpi_segs_out, which <netinet/tcp.h> lacks
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "pkg/health/reason.h"

namespace fairlead::health {

ProbeStep DelayedAckProbe::Start() {
  if (auto failure = connection_.Open()) return *failure;
  const int off = 0;
  if (::setsockopt(connection_.fd(), IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off)) != 0) {
    return SocketFailure(connection_.endpoint(), "setsockopt TCP_QUICKACK", errno);
  }
  connection_.ResetOnClose();
  if (auto failure = connection_.Connect()) return *failure;
  return Await{connection_.fd(), POLLOUT};
}

ProbeStep DelayedAckProbe::OnReady() {
  if (auto failure = connection_.Finish()) return *failure;
  if (AckWasSent()) {
    return ProbeOutcome::Healthy(
        "TCP connect (this host was too slow for half-open; CAP_NET_RAW makes it strict)");
  }
  return ProbeOutcome::Healthy("TCP half-open (delayed ACK, for want of CAP_NET_RAW)");
}

bool DelayedAckProbe::AckWasSent() const {
  tcp_info info = {};
  socklen_t length = sizeof(info);
  if (::getsockopt(connection_.fd(), IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return false;
  return info.tcpi_segs_out > 1 + info.tcpi_total_retrans;  // more than the SYN and its repeats
}

ProbeOutcome DelayedAckProbe::OnTimeout(absl::Duration timeout) {
  return ConnectTimeout(connection_.endpoint(), timeout);
}

}  // namespace fairlead::health
