#include "pkg/health/tcp_connection.h"

#include <sys/socket.h>

#include <cerrno>

#include "pkg/health/reason.h"

namespace fairlead::health {

std::optional<ProbeOutcome> TcpConnection::Open() {
  const int family = endpoint_.address.is_ipv4() ? AF_INET : AF_INET6;
  fd_.Reset(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd_.valid()) return SocketFailure(endpoint_, "socket", errno);
  return std::nullopt;
}

std::optional<ProbeOutcome> TcpConnection::Connect() {
  const net::SocketAddress address(endpoint_);
  if (::connect(fd_.get(), &address.generic, address.length) == 0 || errno == EINPROGRESS) {
    return std::nullopt;
  }
  return ConnectFailure(endpoint_, errno);
}

std::optional<ProbeOutcome> TcpConnection::Finish() {
  int error = 0;
  socklen_t length = sizeof(error);
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error == 0) return std::nullopt;
  return ConnectFailure(endpoint_, error);
}

void TcpConnection::ResetOnClose() {
  const linger reset = {.l_onoff = 1, .l_linger = 0};
  // It cannot fail on a TCP socket; a FIN instead would only be less tidy.
  (void)::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

}  // namespace fairlead::health
