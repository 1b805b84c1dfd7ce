// TcpConnection: a non-blocking connect to a real server, and the descriptor it leaves behind.
#pragma once

#include <optional>

#include "pkg/base/unique_fd.h"
#include "pkg/health/probe.h"
#include "pkg/net/endpoint.h"

namespace fairlead::health {

class TcpConnection {
 public:
  explicit TcpConnection(const net::Endpoint& endpoint) : endpoint_(endpoint) {}

  // Makes the socket; options go between this and Connect. Each step returns the outcome that ends
  // the probe, or nothing when all is well.
  std::optional<ProbeOutcome> Open();
  // Begins the handshake; the descriptor becomes writable (POLLOUT) when it has ended.
  std::optional<ProbeOutcome> Connect();
  // After POLLOUT: nothing = connected.
  std::optional<ProbeOutcome> Finish();

  // Closing sends a RST instead of a FIN (SO_LINGER with zero seconds, socket(7)).
  void ResetOnClose();

  int fd() const { return fd_.get(); }
  const net::Endpoint& endpoint() const { return endpoint_; }

 private:
  const net::Endpoint endpoint_;
  base::UniqueFd fd_;
};

}  // namespace fairlead::health
