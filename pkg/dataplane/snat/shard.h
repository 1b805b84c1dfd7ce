// Shard: one thread with one Ring, its listeners and its sessions. Everything in it belongs to that
// thread; other threads post messages and read atomics.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/base/mailbox.h"
#include "pkg/base/unique_fd.h"
#include "pkg/dataplane/snat/listener_set.h"
#include "pkg/dataplane/snat/session.h"
#include "pkg/dataplane/snat/session_pool.h"
#include "pkg/dataplane/snat/snat_plan.h"
#include "pkg/dataplane/snat/timer_wheel.h"
#include "pkg/scheduler/persistence_table.h"
#include "pkg/uring/ring.h"

namespace fairlead::dataplane::snat {

// user_data of a listener's accept: its address with this in the low bits, beside the sessions'
// operations (see kOperationMask).
inline constexpr uint64_t kListenerTag = 14;

// A listening socket as its shard sees it.
struct alignas(16) Listener {
  enum class State : uint8_t {
    kAccepting,
    kPausing,  // the accept is being cancelled; goes on at `resume_ms`
    kPaused,
    kClosing,  // the accept is being cancelled; then the listener is gone
  };
  net::Endpoint endpoint;
  uint32_t service_id = 0;
  PortRuntime* port = nullptr;
  int fd = -1;
  State state = State::kAccepting;
  uint64_t resume_ms = 0;
  uint64_t window_start_ms = 0;  // refusals are counted per 100 ms
  uint32_t refusals = 0;
  // Keeps the socket open until the accept has been joined.
  std::shared_ptr<std::vector<base::UniqueFd>> closing;
};

struct ListenerTarget {
  ShardListener listener;
  uint32_t service_id = 0;
  PortRuntime* port = nullptr;
};

// The sockets of one endpoint, of all shards; each closes its own when its accept was joined.
struct ClosedListener {
  std::shared_ptr<std::vector<base::UniqueFd>> sockets;
};

struct UpdatePlan {
  std::shared_ptr<const SnatPlan> plan;
  std::vector<ListenerTarget> opened;  // new ones, or known ones that serve another service now
  std::vector<ClosedListener> closed;
};
struct ServeQueue {
  uint32_t service_id = 0;
};
// `listeners`: all that are open; each socket closes when its accept was joined and the clients
// that waited in its queue were taken.
struct StopAccepting {
  std::vector<ClosedListener> listeners;
};
struct StopSessions {
  absl::Duration deadline;  // monotonic
};
using ShardMessage = std::variant<UpdatePlan, ServeQueue, StopAccepting, StopSessions>;

// BufferSlice::buffer of a private copy.
inline constexpr uint16_t kPrivateBuffer = 0xffff;

struct ShardOptions {
  int index = 0;
  uring::Engine engine = uring::Engine::kAuto;
  uint32_t sessions_max = 0;  // of all shards
  // Sessions of all shards: the kernel's hash spreads clients unevenly, so the limit is common.
  std::shared_ptr<std::atomic<uint32_t>> sessions_all;
};

class Shard {
 public:
  // `peers` is filled with all shards before Run. Error: no ring, with the cause.
  static absl::StatusOr<std::unique_ptr<Shard>> Create(
      const ShardOptions& options, const base::Clock& clock,
      std::shared_ptr<scheduler::PersistenceTable> persistence, std::string* fallback_reason);
  ~Shard();

  void Start(std::vector<Shard*> peers);
  void Join();

  // Any thread. Blocks for a moment when the mailbox is full: configuration must not be lost. Does
  // nothing when the thread has ended.
  void Post(const ShardMessage& message);

  // Any thread.
  uint64_t applied_revision() const { return applied_revision_.load(std::memory_order_acquire); }
  uint32_t sessions_active() const { return sessions_active_.load(std::memory_order_relaxed); }
  uring::Engine engine() const { return ring_->engine(); }
  uint64_t buffers_exhausted() const { return buffers_exhausted_.load(std::memory_order_relaxed); }
  uint64_t buffers_in_use() const { return buffers_in_use_.load(std::memory_order_relaxed); }
  uint64_t splice_promotions() const { return splice_promotions_.value(); }
  uint64_t accept_pauses() const { return accept_pauses_.value(); }

  // What follows is for this shard's sessions, on its thread.
  uring::Ring& ring() { return *ring_; }
  TimerWheel& wheel() { return wheel_; }
  int index() const { return index_; }
  uint64_t now_ms() const { return now_ms_; }
  uint64_t now_ns() const { return now_ns_; }
  uint32_t now_seconds() const { return static_cast<uint32_t>(now_ns_ / 1'000'000'000); }
  const SnatPlan* plan() const { return plan_.get(); }
  scheduler::PersistenceTable& persistence() { return *persistence_; }

  // A fresh TCP socket of the family, made ahead by the ring while connections keep coming, so that
  // it costs no system call; -1 with errno when there is none. The caller owns it.
  int TakeSocket(int family);
  // A received piece that will wait: while the ring's buffers are short it moves to a private copy,
  // so that a thousand slow readers pin their bytes and not the buffers that everybody shares.
  uring::BufferSlice Keep(const uring::BufferSlice& slice);
  void ReleaseSlice(const uring::BufferSlice& slice);
  ConnectState* GetConnectState();
  void PutConnectState(ConnectState* state);
  SendQueue* GetSendQueue();
  void PutSendQueue(SendQueue* queue);
  // Null when kPipesMax are in use or the system gives none.
  SplicePipe* GetPipe();
  void PutPipe(SplicePipe* pipe);

  // The queue of a service (kWaiting). False: 1,024 wait already.
  bool EnterQueue(Session& session);
  void LeaveQueue(Session& session);
  // A connection of the service ended somewhere: who waits may have a turn.
  void ServeWaiting(ServiceRuntime& service);

  // A direction of the session has its send due at the end of this turn.
  void AddDue(Session& session) { due_.push_back(&session); }
  void AddStarved(Session& session) { starved_.push_back(&session); }
  void RemoveStarved(Session& session);
  // The session joined everything and closed: its slot is free.
  void Release(Session& session);
  // A client of this listener was refused: too many in a short time pause it.
  void NoteRefusal(int listener_fd);

  void CountSplicePromotion() { splice_promotions_.Add(); }

 private:
  Shard(const ShardOptions& options, const base::Clock& clock,
        std::shared_ptr<scheduler::PersistenceTable> persistence);
  void Run();
  void UpdateTime();
  absl::Duration NextTimeout() const;
  void Dispatch(const uring::Completion& completion);
  void ArmMailbox();
  void ReadMailbox();
  void Handle(UpdatePlan& update);
  void JoinTurns(const SnatPlan& before);
  void Handle(ServeQueue& message);
  void Handle(StopAccepting& message);
  void Handle(StopSessions& message);
  void RunPeriodic();
  void CutSessions();
  void RefillSockets();
  void OnSocket(const uring::Completion& completion);
  void ServeOwnQueue(uint32_t service_id);
  void PostServeQueue(int shard, uint32_t service_id);
  void PublishTicket(uint32_t service_id);

  // shard_listeners.cc
  void OpenListener(const ListenerTarget& target);
  void CloseListener(int fd, const ClosedListener& closed);
  void OnAccept(Listener& listener, const uring::Completion& completion);
  void StartSession(Listener& listener, int fd);
  Session* GetSession();
  void OnAcceptStopped(Listener& listener, int result);
  void RefuseClient(Listener& listener, int fd, Rejection rejection);
  void NoteRefusal(Listener& listener);
  void PauseListener(Listener& listener);
  void ResumeListeners();
  void CancelAllAccepts(const std::vector<ClosedListener>& listeners);
  void CloseStopped(Listener& listener);

  const int index_;
  const base::Clock& clock_;
  const std::shared_ptr<scheduler::PersistenceTable> persistence_;
  std::unique_ptr<uring::Ring> ring_;
  std::unique_ptr<base::Mailbox<ShardMessage>> mailbox_;
  std::vector<Shard*> peers_;
  std::thread thread_;

  uint64_t now_ns_ = 0;
  uint64_t now_ms_ = 0;
  TimerWheel wheel_;
  SessionPool pool_;
  const uint32_t sessions_max_;
  const std::shared_ptr<std::atomic<uint32_t>> sessions_all_;
  std::shared_ptr<const SnatPlan> plan_;
  absl::flat_hash_map<int, std::unique_ptr<Listener>> listeners_;  // by descriptor
  std::vector<std::unique_ptr<Listener>> closing_listeners_;
  size_t paused_listeners_ = 0;
  absl::flat_hash_map<uint32_t, std::deque<Session*>> queues_;  // by service id, oldest first
  std::vector<Session*> due_;
  std::vector<Session*> starved_;
  uint64_t last_periodic_ms_ = 0;
  uint64_t last_period_ms_ = 0;
  bool accepting_ = true;
  absl::Duration stop_deadline_ = absl::InfiniteDuration();
  bool stopping_ = false;

  // Sockets made ahead: [0] IPv4, [1] IPv6.
  struct SpareSockets {
    std::vector<int> ready;
    size_t coming = 0;  // asked of the ring
    size_t taken = 0;   // in this turn
  };
  SpareSockets spare_sockets_[2];
  std::vector<std::unique_ptr<ConnectState>> connect_states_;
  std::vector<std::unique_ptr<SendQueue>> send_queues_;
  std::vector<std::unique_ptr<SplicePipe>> pipes_;
  size_t pipes_in_use_ = 0;
  uint64_t private_bytes_ = 0;

  std::atomic<bool> ended_{false};
  std::atomic<uint64_t> applied_revision_{0};
  std::atomic<uint32_t> sessions_active_{0};
  std::atomic<uint64_t> buffers_exhausted_{0};
  std::atomic<uint64_t> buffers_in_use_{0};
  Counter accept_pauses_;
  Counter splice_promotions_;
};

}  // namespace fairlead::dataplane::snat
