// The words of health reasons: system errors, quoted answers, durations. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "pkg/health/probe.h"
#include "pkg/model/health_check.h"
#include "pkg/net/endpoint.h"

namespace fairlead::health {

// "10.0.0.3:80"; the address alone when the port is 0 (ICMP).
std::string TargetName(const net::Endpoint& endpoint);

// The outcome of a connect(2), send(2) or recv(2) towards `endpoint` that failed with the positive
// errno `error` before the real server answered. Refused: unhealthy. A shortage of this host
// (ports, memory): inconclusive. Anything else: unreachable, for a client's connection would fail
// alike.
ProbeOutcome ConnectFailure(const net::Endpoint& endpoint, int error);
// socket(2) or bind(2) failed.
ProbeOutcome SocketFailure(const net::Endpoint& endpoint, absl::string_view call, int error);
ProbeOutcome ConnectTimeout(const net::Endpoint& endpoint, absl::Duration timeout);

// Escaped to printable ASCII, cut after 80 bytes with "..." behind.
std::string Escaped(absl::string_view bytes);
// The same in quotes: `"220 ready\r\n"`.
std::string Quoted(absl::string_view bytes);
// "0.4 ms", "12.0 ms", "1.3 s".
std::string LatencyText(absl::Duration latency);
// "200-399", "200,204,300-399".
std::string StatusRangesText(const std::vector<model::StatusRange>& ranges);

}  // namespace fairlead::health
