// DrDataPlane: direct routing. The program in the kernel forwards; this class writes its maps from
// the plan and from what the kernel knows of the neighbours, and follows both.
//
//   controller --Apply(plan)--+
//   netlink: a MAC was found --+--> entries --> MapWriter --> maps <-- program <-- frames
//   every second --------------+
//
// Nothing is loaded before the first service that is forwarded (mode DR, or Auto with a server that
// may be reached directly), and nothing stays behind the last one. What is loaded outlives the
// process.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/base/unique_fd.h"
#include "pkg/dataplane/data_plane.h"
#include "pkg/dataplane/dr/directory_claim.h"
#include "pkg/dataplane/dr/lease_keeper.h"
#include "pkg/dataplane/dr/map_writer.h"
#include "pkg/dataplane/dr/neighbour_table.h"
#include "pkg/dataplane/dr/path_verifier.h"
#include "pkg/dataplane/dr/plan_translation.h"
#include "pkg/dataplane/dr/program_loader.h"
#include "pkg/dataplane/dr/rtnetlink.h"

namespace fairlead::dataplane::dr {

struct DrOptions {
  // Below a bpffs; of this daemon alone.
  std::string bpf_directory = "/sys/fs/bpf/fairlead";
  // Names the daemon over its restarts.
  std::string state_directory;
  // A running process with the same state directory is being taken over.
  bool takeover = false;
  // Forwarding ends when this process has been frozen or dead for so long (LeaseKeeper says how
  // long that may be); zero: the kernel forwards on without it.
  absl::Duration lease;
  // "" = allowed; else why this host does not serve mode DR.
  std::string refusal;
};

class DrDataPlane final : public DataPlane {
 public:
  // Error: no netlink socket or event descriptor can be had.
  static absl::StatusOr<std::unique_ptr<DrDataPlane>> Create(DrOptions options,
                                                             const base::Clock& clock);
  ~DrDataPlane() override;

  // Of a plan whose services are all in mode DR, or the direct halves of services in mode Auto.
  ApplyResult Apply(std::shared_ptr<const ForwardingPlan> plan) override;
  PlaneObservation Observe() const override;
  absl::StatusOr<Explanation> Explain(const net::Endpoint& client,
                                      const net::Endpoint& vip) const override;
  // Ends this process's part. The kernel forwards on, whatever `grace` is: a restart interrupts
  // nothing. With a lease, until it runs out.
  void Stop(absl::Duration grace) override;

 private:
  DrDataPlane(DrOptions options, const base::Clock& clock)
      : options_(std::move(options)),
        clock_(clock),
        claim_(options_.bpf_directory, options_.state_directory, options_.takeover) {}

  struct Counts {  // by server index
    std::vector<bpf::DrServerCounts> servers;
    std::vector<bpf::DrHandshakeCounts> handshakes;
  };

  void Run();
  ApplyResult Reconcile() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Load() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void UnloadAndSay() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Unload() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Looks for ways to the servers, whether or not anything is forwarded.
  absl::Status Look() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Keeps what became of each service for Observe.
  ApplyResult Note(ApplyResult result) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ResolveServer(const PlanService& service, const PlanServer& server)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Resolve(uint32_t id, const net::IpAddress& address) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ResolveServers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::map<uint32_t, std::string> WantedInterfaces() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WriteInterfaces() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status AttachInterfaces() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void VerifyPaths(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteServices(ApplyResult* result) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  DirectPath DirectPathOf(const ServerLink& link, const net::IpAddress& server) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `counts` null: nothing is counted.
  ServiceObservation ObserveService(const PlanService& service, const Counts* counts) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const DrOptions options_;
  const base::Clock& clock_;
  std::unique_ptr<Rtnetlink> netlink_;
  base::UniqueFd stop_;
  std::thread thread_;

  mutable base::Mutex mutex_;
  DirectoryClaim claim_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const ForwardingPlan> plan_ ABSL_GUARDED_BY(mutex_);
  std::set<net::IpAddress> vips_ ABSL_GUARDED_BY(mutex_);  // the addresses of plan_
  std::unique_ptr<NeighbourTable> neighbours_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<ProgramLoader> loader_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<MapWriter> writer_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<PathVerifier> verifier_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<LeaseKeeper> lease_keeper_ ABSL_GUARDED_BY(mutex_);  // null without a lease
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool unloaded_ ABSL_GUARDED_BY(mutex_) = false;      // nothing of ours is pinned, as we made sure
  bool unload_again_ ABSL_GUARDED_BY(mutex_) = false;  // the process taken over has it still
  ServerLinks links_ ABSL_GUARDED_BY(mutex_);
  std::map<uint32_t, std::string> problems_ ABSL_GUARDED_BY(mutex_);    // as `links_`
  std::map<uint32_t, std::string> refusals_ ABSL_GUARDED_BY(mutex_);    // by PlanService::id
  std::map<uint32_t, std::string> interfaces_ ABSL_GUARDED_BY(mutex_);  // by ifindex, their names
  std::map<uint32_t, Attachment> attachments_ ABSL_GUARDED_BY(mutex_);  // by ifindex
  absl::Duration next_round_ ABSL_GUARDED_BY(mutex_);
  absl::Duration next_tick_ ABSL_GUARDED_BY(mutex_);
  // Until then an adopted ring stays while some server of it has not been checked yet: the former
  // process knew which of them were down.
  absl::Duration settled_at_ ABSL_GUARDED_BY(mutex_);
  base::Mutex join_mutex_;  // one joins the thread, others wait for it
};

}  // namespace fairlead::dataplane::dr
