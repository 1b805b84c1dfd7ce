// TcpProbe: SYN, SYN-ACK, ACK, RST. The handshake is the whole question.
//
// It closes with a RST: a FIN would leave a TIME_WAIT socket on this host for 60 s, and 10,000
// targets every 2 s would hold 5,000 x 60 = 300,000 of them. HAProxy does the same. A server that
// takes a completed connection for a job wants `halfOpen`.
#pragma once

#include "pkg/health/probe.h"
#include "pkg/health/tcp_connection.h"

namespace fairlead::health {

class TcpProbe final : public Probe {
 public:
  explicit TcpProbe(const net::Endpoint& endpoint) : connection_(endpoint) {}

  ProbeStep Start() override;
  ProbeStep OnReady() override;
  ProbeOutcome OnTimeout(absl::Duration timeout) override;

 private:
  TcpConnection connection_;
};

}  // namespace fairlead::health
