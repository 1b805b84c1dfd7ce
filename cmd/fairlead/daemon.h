// Daemon: everything that `fairlead run` owns, built in order and taken down in reverse.
//
//   FileSource or ClusterNode -> DesiredStateRelay -> Controller -> SplitDataPlane ->
//   SnatDataPlane, DrDataPlane
//      HealthMonitor, NameResolver, ArpWatch <-> Controller <- AdminServer
//                     '------> AnnounceSetup -> VipAnnouncer
//
// Main thread only; what it owns runs threads of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cmd/fairlead/announce_setup.h"
#include "cmd/fairlead/cluster_node.h"
#include "cmd/fairlead/desired_state_relay.h"
#include "cmd/fairlead/run_options.h"
#include "cmd/fairlead/web_setup.h"
#include "pkg/admin/server.h"
#include "pkg/arp/arp_watch.h"
#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/base/unique_fd.h"
#include "pkg/controller/controller.h"
#include "pkg/dataplane/dr/dr_data_plane.h"
#include "pkg/dataplane/snat/listener_handover.h"
#include "pkg/dataplane/snat/snat_data_plane.h"
#include "pkg/dataplane/split_data_plane.h"
#include "pkg/health/health_monitor.h"
#include "pkg/resolver/name_resolver.h"
#include "pkg/source/config_source.h"

namespace fairlead::cmd {

class Daemon {
 public:
  // Starts everything and serves. `host_warnings` go into the view. Errors say what did not start,
  // why, and what to do.
  static absl::StatusOr<std::unique_ptr<Daemon>> Start(const RunOptions& options,
                                                       std::vector<std::string> host_warnings);
  ~Daemon();

  // Readable when a new process has taken the listening sockets over: drain and exit.
  int released_fd() const { return released_.get(); }

  // Ends configuration; connected clients go on, and health and commands still count for them.
  // /readyz says 503.
  void BeginStop();
  // Accepts nothing more and blocks until no session is left or `grace` has passed; resets the
  // rest. A second call, from another thread, shortens the first one's grace.
  void StopPlane(absl::Duration grace);
  uint64_t sessions_active() const { return plane_->Observe().sessions_active; }

 private:
  explicit Daemon(const RunOptions& options) : options_(options) {}
  absl::Status ReadNode();
  absl::Status StartPlane();
  absl::Status StartControl(std::vector<std::string> host_warnings);
  absl::Status StartAdmin();
  absl::Status StartCluster();
  absl::Status CommitTakeOver();
  void StartHandover();
  void OnReleased();
  void LogStart() const;

  const RunOptions options_;
  const base::SystemClock clock_;
  std::string direct_refusal_;  // of mode Auto; see controller::ReconcilerOptions
  bool direct_adopted_ = false;
  NodeSettings node_;
  base::UniqueFd released_;
  DesiredStateRelay relay_;
  // In this order; destroyed in reverse.
  std::unique_ptr<dataplane::snat::SnatDataPlane> snat_;
  std::unique_ptr<dataplane::dr::DrDataPlane> dr_;
  std::unique_ptr<dataplane::SplitDataPlane> plane_;
  std::unique_ptr<controller::Controller> controller_;
  std::unique_ptr<health::HealthMonitor> health_;
  std::unique_ptr<resolver::NameResolver> resolver_;
  std::unique_ptr<arp::ArpWatch> arp_;
  std::unique_ptr<AnnounceSetup> announce_;
  WebSetup web_{clock_};
  std::unique_ptr<source::ConfigSource> source_;  // files
  std::unique_ptr<ClusterNode> cluster_;          // or a cluster
  base::Mutex admin_mutex_;
  std::unique_ptr<admin::AdminServer> admin_ ABSL_GUARDED_BY(admin_mutex_);
  std::unique_ptr<admin::AdminServer> metrics_ ABSL_GUARDED_BY(admin_mutex_);  // --metrics
  std::unique_ptr<dataplane::snat::TakeOver> takeover_;
  std::unique_ptr<dataplane::snat::HandoverServer> handover_;
};

}  // namespace fairlead::cmd
