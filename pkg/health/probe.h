// Probe: one look at one target, as a small state machine over a non-blocking socket. It neither
// waits nor keeps time: whoever runs it polls the descriptor and knows the deadline.
//
//   Start() -> Await(fd, events) -> OnReady() -> Await ... -> ProbeOutcome
//                     '-- deadline passed --> OnTimeout() -> ProbeOutcome
//
// A probe whose answer comes by a descriptor that it shares with others says AwaitWake instead.
//
// The descriptor belongs to the probe and is closed with it; no poll may be outstanding then.
// One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/time/time.h"
#include "pkg/net/mac_address.h"

namespace fairlead::health {

struct ProbeOutcome {
  // kInconclusive: this host could not ask (no descriptor, no source port, no capability). That
  // says nothing about the real server and is not counted: a shortage here must not take every
  // server down.
  enum class Verdict { kHealthy, kUnhealthy, kInconclusive };

  Verdict verdict = Verdict::kInconclusive;
  // Healthy: what was done, "TCP connect". Otherwise a sentence that names the endpoint.
  std::string reason;
  // With kUnhealthy: the host did not answer at all (time-out of the handshake, no route).
  bool unreachable = false;
  // The MAC of a host that answered although another one was asked (checks along direct routing);
  // `reason` holds it as net::MacText.
  std::optional<net::MacAddress> answered_by{};

  static ProbeOutcome Healthy(std::string what) { return {Verdict::kHealthy, std::move(what)}; }
  static ProbeOutcome Unhealthy(std::string reason) {
    return {Verdict::kUnhealthy, std::move(reason)};
  }
  static ProbeOutcome Unreachable(std::string reason) {
    return {Verdict::kUnhealthy, std::move(reason), true};
  }
  static ProbeOutcome Inconclusive(std::string reason) {
    return {Verdict::kInconclusive, std::move(reason)};
  }

  friend bool operator==(const ProbeOutcome&, const ProbeOutcome&) = default;
};

// Call OnReady once one of `events` (poll(2) mask) or an error is there.
struct Await {
  int fd = -1;
  uint32_t events = 0;
};

// Call OnReady once PacketLinks names the probe (packet_links.h).
struct AwaitWake {};

using ProbeStep = std::variant<Await, AwaitWake, ProbeOutcome>;

class Probe {
 public:
  virtual ~Probe() = default;

  // Called once, first.
  virtual ProbeStep Start() = 0;
  // After the Await of the last step. Not called again once an outcome was returned.
  virtual ProbeStep OnReady() = 0;
  // The outcome when `timeout` passed in the present state.
  virtual ProbeOutcome OnTimeout(absl::Duration timeout) = 0;
};

}  // namespace fairlead::health
