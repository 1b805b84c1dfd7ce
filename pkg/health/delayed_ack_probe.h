// DelayedAckProbe: the half-open check without privileges. SYN, SYN-ACK, RST, as HAProxy does it.
//
// With TCP_QUICKACK off before connect(2), Linux delays the third segment of the handshake by up to
// 200 ms (tcp(7); tcp_rcv_synsent_state_process), hoping to send it along with data. Closing with
// SO_LINGER zero within that time sends a RST instead, and the real server never completes an
// accept.
//
// It rests on this thread being quick: after a stall the ACK may be out already. TCP_INFO counts
// the segments that were sent, so that this is seen and said. RawSynProbe has no such window.
#pragma once

#include "pkg/health/probe.h"
#include "pkg/health/tcp_connection.h"

namespace fairlead::health {

class DelayedAckProbe final : public Probe {
 public:
  explicit DelayedAckProbe(const net::Endpoint& endpoint) : connection_(endpoint) {}

  ProbeStep Start() override;
  ProbeStep OnReady() override;
  ProbeOutcome OnTimeout(absl::Duration timeout) override;

 private:
  // The ACK left before the RST: the real server saw a full connect.
  bool AckWasSent() const;

  TcpConnection connection_;
};

}  // namespace fairlead::health
