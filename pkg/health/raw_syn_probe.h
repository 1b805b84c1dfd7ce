// RawSynProbe: the strict half-open check. SYN, SYN-ACK, RST: the real server never completes an
// accept, whatever this process is doing meanwhile.
//
//   raw socket ----SYN----> real server
//              <--SYN-ACK--
//   kernel     ----RST----> by itself: no TCP socket of this host is connecting
//
// The source port is reserved by a TCP socket that is bound and never listens or connects, so that
// no other socket takes it and a segment to it meets "closed" (RFC 9293 §3.10.7.1: RST). The raw
// socket is connected, so that it sees only this real server's segments, and a filter passes only
// the two ports: replies to proxied connections of the same server do not wake the thread.
//
// Needs CAP_NET_RAW. A lost SYN is not repeated within a probe; the threshold is for that.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "pkg/base/unique_fd.h"
#include "pkg/health/probe.h"
#include "pkg/net/endpoint.h"

namespace fairlead::health {

class RawSynProbe final : public Probe {
 public:
  // Errors: PermissionDenied without CAP_NET_RAW; else why the raw socket could not be made.
  static absl::StatusOr<std::unique_ptr<Probe>> Create(const net::Endpoint& endpoint);

  ProbeStep Start() override;
  ProbeStep OnReady() override;
  ProbeOutcome OnTimeout(absl::Duration timeout) override;

 private:
  RawSynProbe(const net::Endpoint& endpoint, base::UniqueFd raw)
      : endpoint_(endpoint), raw_(std::move(raw)) {}

  // Each returns 0 or a positive errno.
  int ChooseSourceAddress();
  int ReserveSourcePort();
  int AttachFilter();

  const net::Endpoint endpoint_;
  const base::UniqueFd raw_;
  base::UniqueFd reserved_;
  net::Endpoint source_;
  uint32_t sequence_ = 0;
};

}  // namespace fairlead::health
