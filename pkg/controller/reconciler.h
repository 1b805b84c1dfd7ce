// Reconciler: the brain without its thread. Inputs (desired state, health, names, commands) only
// change what it knows and mark it dirty; Turn() then does the one rebuild:
//
//   SetDesired ─┐
//   SetHealth  ─┼─> dirty ──Turn()──> names -> NameResolver, targets -> HealthMonitor
//   SetAnswer  ─┤                     BuildPlan -> DataPlane::Apply -> outcomes -> ControlView
//   SetRound   ─┤                     VIPs to ask for -> ArpWatch
//   SetState   ─┘
//
// It works by level: a turn looks at the whole state, so lost or doubled inputs do no harm, and
// what the data plane could not do is tried again every `kApplyRetry`. Controller thread only,
// except View(), which any thread may call.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/arp/arp_watch.h"
#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/controller/arp_claims.h"
#include "pkg/controller/command.h"
#include "pkg/controller/event_log.h"
#include "pkg/controller/handshake_watch.h"
#include "pkg/controller/override_store.h"
#include "pkg/controller/rate_meter.h"
#include "pkg/controller/return_path.h"
#include "pkg/controller/server_records.h"
#include "pkg/controller/view.h"
#include "pkg/controller/view_builder.h"
#include "pkg/dataplane/data_plane.h"
#include "pkg/dataplane/plan_builder.h"
#include "pkg/health/health_monitor.h"
#include "pkg/resolver/name_resolver.h"
#include "pkg/source/config_source.h"

namespace fairlead::controller {

struct ReconcilerOptions {
  std::string state_directory;             // "" = nothing is kept
  std::vector<std::string> host_warnings;  // shown in the view as they are
  // See dataplane::PlanInputs.
  std::string direct_refusal{};
  bool direct_adopted = false;
};

class Reconciler {
 public:
  static constexpr absl::Duration kTick = absl::Seconds(1);
  static constexpr absl::Duration kApplyRetry = absl::Seconds(5);
  // First verdicts along direct routing are gathered for so long: those of 200 servers, which the
  // monitor asks within 200 ms.
  static constexpr absl::Duration kGather = absl::Milliseconds(200);

  Reconciler(ReconcilerOptions options, const base::Clock& clock, dataplane::DataPlane& plane,
             health::HealthMonitor& health, resolver::NameResolver& names, arp::ArpWatch& arp);

  // Reads the overrides of the last run; once, before anything else.
  void Restore();
  void SetDesired(std::shared_ptr<const model::DesiredState> desired);
  // Changes no plan: what is in force stays.
  void SetSourceHealth(const source::SourceHealth& health) {
    source_health_ = health;
    Publish();
  }
  void SetHealth(const health::HealthReport& report);
  void SetAnswer(const resolver::Answer& answer);
  void SetRound(const arp::Round& round);
  // NotFound when nothing matches; the message lists what there is.
  absl::StatusOr<SetServerStateResult> SetState(const SetServerState& command);
  // From now on the view says Stopping and the state of listeners is no news. Health, commands and
  // deadlines are followed as before, for the sessions that are left.
  void BeginStop();

  // Does what is due. Returns the monotonic time of the next turn if nothing happens before.
  absl::Duration Turn();

  // Thread-safe. The last published view with the counters of this moment; never null.
  std::shared_ptr<const ControlView> View() const;

 private:
  void Tick(absl::Duration now);
  // What the DR data plane says of its ways.
  void LookAtWays(const dataplane::PlaneObservation& observation);
  // What clients' handshakes say of the servers that they reach directly.
  void LookAtHandshakes(const dataplane::PlaneObservation& observation, absl::Duration now);
  void RefreshNames();
  void RefreshTargets();
  void RefreshWatch();
  void Rebuild(absl::Duration now);
  void ApplyPlan(absl::Duration now);
  // Logs what differs between two outcomes of a service.
  void TellOutcome(const dataplane::PlanService& service, const ServiceState& before,
                   const ServiceState& after);
  void TellService(const dataplane::PlanService& service, const ServiceState& before,
                   const ServiceState& after);
  bool AnyServerOnline(const std::string& vip) const;
  // "" matches every VIP, a bare name the VIP of that name in every namespace.
  static bool MatchesVip(const std::string& wanted, const std::string& vip);
  std::vector<ServerKey> Match(const SetServerState& command) const;
  absl::Status NothingMatches(const SetServerState& command) const;
  ServerStateChange Describe(const ServerKey& key) const;
  absl::Status SaveOverrides();
  void Publish();

  const ReconcilerOptions options_;
  const base::Clock& clock_;
  dataplane::DataPlane& plane_;
  health::HealthMonitor& health_;
  resolver::NameResolver& resolver_;
  arp::ArpWatch& arp_;
  const OverrideStore store_;
  EventLog events_;
  ServerRecords records_;
  dataplane::IdRegistry ids_;
  RateMeter rates_;
  ReturnPathWatch return_paths_;
  ArpClaims arp_claims_;
  HandshakeWatch handshakes_;

  const absl::Time started_;
  ControlView::Phase phase_ = ControlView::Phase::kStarting;
  std::shared_ptr<const model::DesiredState> desired_;  // null until the first reading
  std::unique_ptr<const model::ServerIndex> servers_;   // of *desired_
  // VIPs with advertise L2: their addresses come and go with their owner, which tells so itself.
  std::set<std::string> announced_;
  absl::Time config_changed_ = absl::InfinitePast();
  uint64_t config_readings_total_ = 0;
  std::optional<source::SourceHealth> source_health_;
  std::string state_warning_;  // the state directory does not work; "" = it does

  std::set<std::string> causes_;  // why the plan must be built anew; empty = it need not
  bool targets_dirty_ = false;
  std::vector<health::ProbeTarget> targets_;
  std::vector<resolver::WantedName> names_;
  std::vector<arp::WatchedVip> watched_;
  std::shared_ptr<const dataplane::ForwardingPlan> plan_;
  std::map<std::string, ServiceState> services_;  // what the data plane said, by service name
  absl::Duration rebuild_at_ = absl::InfiniteDuration();
  absl::Duration gathered_at_ = absl::InfiniteDuration();
  absl::Duration apply_retry_at_ = absl::InfiniteDuration();
  absl::Duration next_tick_;

  mutable base::Mutex view_mutex_;
  std::shared_ptr<const ControlView> view_ ABSL_GUARDED_BY(view_mutex_);
};

}  // namespace fairlead::controller
