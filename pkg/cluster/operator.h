// Operator: what one process decides for the whole cluster. It gives addresses out of AddressPools,
// joins what the daemons say of a VIP into its status, and makes VIPs of Services of type
// LoadBalancer. Of several replicas one leads; the others keep their copy of the cluster warm.
//
//   reflectors --> stores --(mark dirty)--> Decide --> writes, paced --> API server
//                                             ^ only while the Lease is ours, by our own clock
//
// No packet depends on it: while no operator runs, everything that was given out stays in force.
#pragma once

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
#include "pkg/cluster/decisions.h"
#include "pkg/cluster/event.h"
#include "pkg/cluster/node_liveness.h"
#include "pkg/cluster/object_store.h"
#include "pkg/cluster/operator_view.h"
#include "pkg/cluster/write_pacing.h"
#include "pkg/cluster/written_statuses.h"
#include "pkg/kube/api_client.h"
#include "pkg/kube/lease_elector.h"
#include "pkg/kube/reflector.h"

namespace fairlead::cluster {

struct OperatorOptions {
  std::string name_space{};     // whose VIPs, RealServers and Services; "" = all
  std::string lease_namespace;  // of the leader's Lease and the daemons'
  std::string lease_name = "fairlead-operator";
  std::string identity;  // distinct among replicas
  kube::LeaseTimes lease_times{};
  ServiceClass service_class{};
};

class Operator {
 public:
  // `client` and `clock` outlive it. Errors: a thread could not be made. An API server that does
  // not answer is no error: it is asked until it does.
  static absl::StatusOr<std::unique_ptr<Operator>> Start(kube::ApiClient& client,
                                                         const base::Clock& clock,
                                                         OperatorOptions options);
  // Gives the Lease up, then cancels the client.
  ~Operator();

  OperatorView View() const;  // thread-safe

 private:
  // A resource that is followed.
  struct Followed {
    explicit Followed(std::function<void()> on_change) : store(std::move(on_change)) {}
    ObjectStore store;
    std::unique_ptr<kube::Reflector> reflector;
  };

  Operator(kube::ApiClient& client, const base::Clock& clock, OperatorOptions options);
  absl::Status StartReflectors();
  void MarkDirty();
  void Run();
  void Turn(bool dirty);
  bool IsSynced() const;
  bool StartElector();
  // What a new leader must know before it gives anything out: what the one before wrote, which the
  // copy may lack. False: the server could not be asked.
  bool Readopt();
  bool UpdateDaemons(absl::Duration at);
  ClusterState Snapshot(absl::Duration at);
  void AddAdopted(absl::Duration at, std::vector<kube::KubeObjectPtr>* vips);
  // Returns whether writes are left for later.
  bool CarryOut(const std::vector<Write>& writes);
  // Whether a write's time has come; see kDeleteDelay.
  bool IsDue(const Write& write, absl::Duration at);
  enum class Sent { kOk, kFailed, kServerAway };
  Sent Send(const Write& write);
  void OnSent(const Write& write, const kube::ApiResponse& response);
  void OnFailed(const Write& write, bool all, absl::Duration asked, const std::string& reason);
  void TellRefusals(const std::map<std::string, Refusal>& refused);
  // As well as it goes: an event that the server does not take is counted, and not tried again.
  void TellEvent(const nlohmann::json& regarding, const EventText& text);
  void Publish(const DecisionFigures& figures, size_t pending);

  kube::ApiClient& client_;
  const base::Clock& clock_;
  const OperatorOptions options_;
  mutable base::Mutex mutex_;
  bool dirty_ ABSL_GUARDED_BY(mutex_) = true;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  OperatorView view_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<kube::LeaseElector> elector_ ABSL_GUARDED_BY(mutex_);

  Followed vips_, real_servers_, pools_, services_, leases_;

  // The rest belongs to the thread.
  bool leads_ = false;
  bool left_ = false;                                 // writes wait for their time
  absl::Duration spacing_ = absl::Milliseconds(100);  // of two turns
  absl::Duration decided_at_ = -absl::InfiniteDuration();
  NodeLiveness daemons_;
  DecodeMemory memory_;
  WrittenStatuses written_;
  std::vector<kube::KubeObjectPtr> adopted_;  // VIPs that Readopt found and the copy lacks
  absl::Duration adopted_until_ = -absl::InfiniteDuration();
  WritePacing pacing_;
  std::map<std::string, absl::Duration> deletions_;      // since when each is wanted
  std::map<std::string, std::string> failures_;          // told already
  std::map<std::string, std::string> refused_services_;  // told already
  uint64_t events_count_ = 0;
  std::thread thread_;
};

}  // namespace fairlead::cluster
