#include "pkg/health/tcp_probe.h"

#include <poll.h>

#include "pkg/health/reason.h"

namespace fairlead::health {

ProbeStep TcpProbe::Start() {
  if (auto failure = connection_.Open()) return *failure;
  connection_.ResetOnClose();
  if (auto failure = connection_.Connect()) return *failure;
  return Await{connection_.fd(), POLLOUT};
}

ProbeStep TcpProbe::OnReady() {
  if (auto failure = connection_.Finish()) return *failure;
  return ProbeOutcome::Healthy("TCP connect");
}

ProbeOutcome TcpProbe::OnTimeout(absl::Duration timeout) {
  return ConnectTimeout(connection_.endpoint(), timeout);
}

}  // namespace fairlead::health
