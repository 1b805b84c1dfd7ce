// HealthMonitor: one thread that probes real servers and tells flips.
//
//   SetTargets --mailbox--> [ health thread: own Ring, probe timers, HealthState per target ]
//                                   | only a change of state or of reason
//                                   v
//                              on_change(report)
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/model/health_check.h"
#include "pkg/model/server_state.h"
#include "pkg/net/endpoint.h"
#include "pkg/net/mac_address.h"
#include "pkg/uring/ring.h"

namespace fairlead::health {

// Where a check along direct routing goes: in a frame to the real server's MAC, whatever this
// host's routes say. It needs CAP_NET_RAW.
struct DirectWay {
  uint32_t ifindex = 0;          // the interface that sends
  net::MacAddress mac{};         // the real server's, which alone may answer
  net::MacAddress source_mac{};  // the interface's
  // An address of this host there; absent: it has none that is fit.
  std::optional<net::IpAddress> source{};
  friend bool operator==(const DirectWay&, const DirectWay&) = default;
};

// One thing to probe. `id` is the caller's stable name for it (VIP, server, port); a target whose
// other fields are unchanged keeps its state and its schedule across SetTargets.
struct ProbeTarget {
  std::string id;
  net::Endpoint endpoint;  // port 0 for ICMP
  model::HealthCheck check;
  // With it `endpoint` is the VIP's, and the question is whether this real server serves it: by
  // ICMP echo when that is the check's type, else by a half-open TCP handshake.
  std::optional<DirectWay> direct;

  friend bool operator==(const ProbeTarget&, const ProbeTarget&) = default;
};

// The verdict on one target.
struct HealthReport {
  std::string target_id;
  model::OperationalState state = model::OperationalState::kUnknown;
  // In words, with what was seen: "connect refused by 10.0.0.3:5122", "HTTP 400 from ...",
  // "TCP connect in 0.4 ms"; "not checked" for type None; "not checked yet" at first.
  std::string reason;
  // Down, and the host did not answer at all (time-out, no route), as opposed to answering badly.
  bool unreachable = false;
  // The last check could not be made (no capability, no descriptor); `reason` says why and what to
  // do. The state is that of the checks before.
  bool not_checked = false;
  // Of a check along direct routing that failed because another host answered: its MAC, which
  // `reason` names too.
  std::optional<net::MacAddress> answered_by;
  absl::Time since;        // of the last change of `state`
  absl::Time checked;      // of the last probe; InfinitePast when there was none
  absl::Duration latency;  // of the last probe
  uint64_t probes = 0;
  uint64_t failures = 0;
};

// The report on a target that has not been probed.
inline HealthReport NotCheckedYet(const std::string& target_id) {
  HealthReport report;
  report.target_id = target_id;
  report.reason = "not checked yet";
  report.since = absl::InfinitePast();
  report.checked = absl::InfinitePast();
  return report;
}

struct HealthMonitorOptions {
  uring::Engine engine = uring::Engine::kAuto;
  // Further due probes wait for their turn. Lowered, and logged, where the limit of open files is
  // short.
  uint32_t probes_concurrent_max = 1024;
  uint64_t jitter_seed = 0;  // 0 = from the system's random source
};

struct HealthCounters {
  uint32_t probes_concurrent_max = 0;  // in force
  uint64_t turns_full = 0;             // turns of the thread in which a due probe found no place
};

class HealthMonitor {
 public:
  // `on_change` runs on the health thread, for each flip of state, each change of reason while not
  // Up, and when checks begin or cease to be impossible (such a check counts neither as success nor
  // as failure); it must not block. Errors: the ring, the TLS library or the thread could not be
  // made.
  static absl::StatusOr<std::unique_ptr<HealthMonitor>> Create(
      const HealthMonitorOptions& options, const base::Clock& clock,
      std::function<void(const HealthReport&)> on_change);
  // Stops the thread; no call of `on_change` after it returns.
  virtual ~HealthMonitor() = default;

  // Thread-safe. Replaces the targets. New ones are probed at once (spread over at most 500 ms; a
  // hundred over 100 ms). Type None reports Up with "not checked". A target whose check changed
  // while its address did not keeps its verdict until the new check has another one.
  virtual void SetTargets(std::vector<ProbeTarget> targets) = 0;
  // Thread-safe: the latest report of every target, sorted by id. It may be a turn of the health
  // thread (about a millisecond) behind SetTargets.
  virtual std::vector<HealthReport> Snapshot() const = 0;
  // Thread-safe.
  virtual HealthCounters counters() const { return {}; }
};

}  // namespace fairlead::health
