// IcmpProbe: one echo request, one reply.
//
// A ping socket first (icmp(7): SOCK_DGRAM, open to the groups in net.ipv4.ping_group_range, for
// both families), else a raw socket (CAP_NET_RAW), else a reason that names both.
#pragma once

#include "pkg/base/unique_fd.h"
#include "pkg/health/icmp_echo.h"
#include "pkg/health/probe.h"
#include "pkg/net/endpoint.h"

namespace fairlead::health {

class IcmpProbe final : public Probe {
 public:
  explicit IcmpProbe(const net::IpAddress& address) : target_{address, 0} {}

  ProbeStep Start() override;
  ProbeStep OnReady() override;
  ProbeOutcome OnTimeout(absl::Duration timeout) override;

 private:
  // 0 or a positive errno.
  int OpenSocket();
  ProbeOutcome Failure(int error) const;

  const net::Endpoint target_;
  base::UniqueFd fd_;
  bool raw_ = false;  // which of the two sockets it is
  EchoToken token_{};
};

}  // namespace fairlead::health
