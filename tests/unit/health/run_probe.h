// Runs one probe to its end with poll(2), as the monitor does with its ring.
#pragma once

#include <poll.h>

#include <variant>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "pkg/health/probe.h"

namespace fairlead::health {

inline ProbeOutcome RunProbe(Probe& probe, absl::Duration timeout = absl::Seconds(2)) {
  const absl::Time deadline = absl::Now() + timeout;
  ProbeStep step = probe.Start();
  while (const Await* await = std::get_if<Await>(&step)) {
    pollfd wait{await->fd, static_cast<short>(await->events), 0};
    const int64_t left_ms = absl::ToInt64Milliseconds(deadline - absl::Now());
    if (left_ms <= 0 || ::poll(&wait, 1, static_cast<int>(left_ms)) <= 0) {
      return probe.OnTimeout(timeout);
    }
    step = probe.OnReady();
  }
  return std::get<ProbeOutcome>(step);
}

}  // namespace fairlead::health
