// SnatDataPlane: the full TCP proxy. Shards (one thread, one Ring each) accept on their own
// SO_REUSEPORT listeners, pick a real server, connect from an address of this host and relay.
//
//   controller --Apply(plan)--> SnatPlan (immutable) + listener changes --mailbox--> every Shard
//
// The plan is compiled once and shared; shards swap a pointer. Listeners are opened here, so that
// bind errors are known before the shards hear of them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/base/unique_fd.h"
#include "pkg/dataplane/data_plane.h"
#include "pkg/dataplane/snat/listener_set.h"
#include "pkg/net/endpoint.h"
#include "pkg/uring/ring.h"

namespace fairlead::dataplane::snat {

class Shard;
class RuntimeRegistry;
struct SnatPlan;

struct SnatOptions {
  uring::Engine engine = uring::Engine::kAuto;
  // 0 = one per CPU that this process may run on.
  int shards = 0;
  // Proxied connections of all shards; 0 = what RLIMIT_NOFILE allows (two descriptors each, and a
  // reserve for listeners and everything else).
  uint32_t sessions_max = 0;
  // Of a process that hands over: listening sockets are used where their endpoint is wanted and
  // closed after the first plan otherwise.
  HandedOver inherited;
};

class SnatDataPlane final : public DataPlane {
 public:
  // Errors: no ring could be made (with the cause), or the session limit leaves nothing.
  static absl::StatusOr<std::unique_ptr<SnatDataPlane>> Create(SnatOptions options,
                                                               const base::Clock& clock);
  ~SnatDataPlane() override;  // resets what is left

  ApplyResult Apply(std::shared_ptr<const ForwardingPlan> plan) override;
  PlaneObservation Observe() const override;
  absl::StatusOr<Explanation> Explain(const net::Endpoint& client,
                                      const net::Endpoint& vip) const override;
  // Any thread; a second call while the first one waits shortens its grace.
  void Stop(absl::Duration grace) override;

  // Takeover, any thread: duplicates of every listening socket and of the persistence table, for
  // another process.
  HandedOver DuplicateState() const;
  // Any thread: accepts nothing more and closes the listening sockets, so that a client is refused
  // and does not wait in a queue that nobody serves. After a takeover they stay open in the kernel,
  // as the other process has them. Sessions go on; later plans open nothing.
  void StopAccepting();

  int shards_count() const { return static_cast<int>(shards_.size()); }

 private:
  SnatDataPlane(const base::Clock& clock, int shards_count);

  const base::Clock& clock_;
  std::string engine_reason_;
  uint32_t sessions_max_ = 0;
  std::unique_ptr<RuntimeRegistry> runtimes_;
  std::vector<std::unique_ptr<Shard>> shards_;
  base::Mutex join_mutex_;  // one joins the shards, others wait for it
  mutable base::Mutex mutex_;
  ListenerSet listeners_ ABSL_GUARDED_BY(mutex_);
  bool stopped_accepting_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<const SnatPlan> plan_ ABSL_GUARDED_BY(mutex_);
  // Which service an open endpoint belongs to.
  std::map<net::Endpoint, uint32_t> targets_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::dataplane::snat
