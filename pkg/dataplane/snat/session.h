// Session: one proxied connection: a client side and a real-server side, and a Direction each way.
// Owned by its shard's SessionPool; one thread.
//
//           +-------- no server has room ------> kWaiting --- slot free ---+
//           |                                       | queue time-out       v
//   kFree --+-----------------------------------> kConnecting <--- next server on failure
//                                                   | established
//                                                   v
//                                                 kRelaying
//           (from any state but kFree)  End() --> kClosing --- operations joined ---> kFree
//
// Operations: `outstanding_` has one bit for each operation that the ring holds; the descriptors
// are closed and the slot is reused only when it is 0. A session copies the few scalars it needs
// and never holds the plan, so that swapping a plan never touches it.
#pragma once

#include <cstdint>

#include "pkg/dataplane/snat/send_queue.h"
#include "pkg/dataplane/snat/snat_plan.h"
#include "pkg/dataplane/snat/timer_wheel.h"
#include "pkg/net/endpoint.h"
#include "pkg/uring/ring.h"

namespace fairlead::dataplane::snat {

class Shard;
struct Listener;

// What the ring does for a session. 0 and 1 are the directions: client to server, server to client.
enum class Operation : uint8_t {
  kReceive0,
  kReceive1,
  kSend0,
  kSend1,
  kPollIn0,
  kPollIn1,
  kPollOut0,
  kPollOut1,
  kConnect,
};
inline constexpr int kOperations = 9;
// user_data of an operation: the session's address with the operation in the low bits.
inline constexpr uint64_t kOperationMask = 15;

// Why a session ends. kFinished closes in order (FIN); everything else resets both sides, so that
// nobody takes a cut stream for a whole one.
enum class EndReason : uint8_t {
  kFinished,
  kRejected,
  kClientReset,
  kServerReset,
  kIdle,
  kCut,
  kShutdown,
};

// One way through a session: received from one side's socket, sent to the other's.
struct Direction {
  enum class Receive : uint8_t {
    kStopped,   // no receive wanted or not begun
    kRunning,   // multishot receive (or, spliced, a poll) is armed
    kStopping,  // being cancelled: backpressure or promotion
    kStarved,   // the ring ran out of buffers; the shard starts it again
    kEnded,     // end of stream was read
  };
  enum class Send : uint8_t {
    kIdle,
    kDue,  // in the shard's list of sends of this turn
    kSending,
    kShutDown,
  };
  // How bytes move: through the ring's buffers, or by splice(2) through a pipe when the direction
  // is bulk.
  enum class Path : uint8_t { kBuffers, kPromoting, kSplice, kDemoting };

  Receive receive = Receive::kStopped;
  Send send = Send::kIdle;
  Path path = Path::kBuffers;
  uint8_t bulk_pieces = 0;  // large pieces in a row without an answer
  uint32_t queued_bytes = 0;
  uint32_t spliced_bytes = 0;  // since the last look, to notice that a direction calmed down
  SendQueue* queue = nullptr;  // while something is queued
  SplicePipe* pipe = nullptr;  // while spliced
};

// What a session needs only until it relays. Pooled by the shard.
struct ConnectState {
  net::Endpoint client;  // when the service needs it
  bool client_known = false;
  net::Endpoint vip;
  int listener_fd = -1;  // only to tell the shard of refusals
  net::SocketAddress target;
  std::vector<uint16_t> tried;  // slots
  uint64_t deadline_ms = 0;     // of the whole connect budget, or of the queue
  uint64_t started_ns = 0;      // of the present attempt
  uint64_t ticket = 0;          // in the queue
  bool is_fallback = false;
  int last_error = 0;  // errno of the last failed attempt
  std::string header;  // PROXY header, until it was sent
};

class alignas(64) Session : public TimerNode {
 public:
  enum class State : uint8_t { kFree, kWaiting, kConnecting, kRelaying, kClosing };

  explicit Session(Shard& shard) : shard_(shard) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // A client was accepted. The session owns `client_fd` from here on.
  void Start(const Listener& listener, const SnatService& service, int client_fd);
  void OnCompletion(Operation operation, const uring::Completion& completion);
  // The wheel's deadline came.
  void OnDeadline();
  // kWaiting: a server may have room. True when the session left the queue.
  bool TryLeaveQueue();
  // kDue directions: nothing more came in this turn.
  void SendDue();
  // kStarved directions: buffers are there again.
  void ResumeStarved();
  // The real server is given up: a session that is still connecting to it tries the next one, an
  // established one ends (kCut).
  void LeaveServer();
  // Any state: cancels, joins, closes. Idempotent.
  void End(EndReason reason);

  State state() const { return state_; }
  ServiceRuntime* service() const { return service_; }
  ServerRuntime* server() const { return server_; }
  uint64_t ticket() const { return connect_->ticket; }

 private:
  friend class SessionPool;
  enum Flag : uint8_t {
    kKeepaliveSet = 1,  // after half a minute: short connections never pay for it
    kNoDelaySet = 2,    // server side, with the second send
    kSentToServer = 8,  // something, at least once
    kInStarvedList = 4,
  };

  // session_connect.cc
  void ChooseServer();
  void ConnectTo(const SnatService& service, int index);
  void ConnectToFallback(const SnatService& service);
  void StartConnect(const SnatService& service, const net::Endpoint& target);
  int BindSource(const SnatService& service, int fd);
  void OnConnect(int result);
  void OnConnected();
  void OnConnectFailed(int error);
  void ReleaseServer();
  void Enqueue(const SnatService& service);
  void Reject(Rejection rejection);
  const SnatService* CurrentService() const;

  // session_relay.cc
  void StartReceive(int direction);
  void StopReceive(int direction);
  void OnReceive(int direction, const uring::Completion& completion);
  void OnReceived(int direction, const uring::BufferSlice& slice);
  void OnReceiveStopped(int direction, int result);
  void SetNoDelayFromSecondSend();
  void StartSend(int direction);
  void OnSend(int direction, int result);
  void PopSent(Direction& direction, uint32_t sent);
  void AfterSend(int direction);
  void FinishDirection(int direction);
  void ContinueReceive(int direction);
  uint32_t HighWatermark() const;

  // session_splice.cc
  void NotePiece(int direction, uint32_t size);
  bool Promote(int direction);
  void Splice(int direction);
  bool SpliceOnce(int direction, bool* want_out);
  void CheckCalm(int direction);
  void OnPoll(int direction, bool out);

  // session.cc
  void Submitted(Operation operation) { outstanding_ |= 1u << static_cast<int>(operation); }
  void Joined(Operation operation) { outstanding_ &= ~(1u << static_cast<int>(operation)); }
  bool IsOutstanding(Operation operation) const {
    return (outstanding_ & (1u << static_cast<int>(operation))) != 0;
  }
  uint64_t UserData(Operation operation) const {
    return reinterpret_cast<uint64_t>(this) | static_cast<uint64_t>(operation);
  }
  void CheckEstablished();
  void CloseWhenJoined();
  void DropQueues();
  void CountEnd(EndReason reason);
  void CountBytes(int direction, uint64_t size);
  int source_fd(int direction) const { return fds_[direction]; }
  int target_fd(int direction) const { return fds_[1 - direction]; }

  Shard& shard_;
  ServiceRuntime* service_ = nullptr;
  ServerRuntime* server_ = nullptr;  // gauge taken
  PortShardState* port_ = nullptr;
  ConnectState* connect_ = nullptr;
  Session* next_free_ = nullptr;
  int fds_[2] = {-1, -1};  // client, server
  uint64_t last_activity_ms_ = 0;
  uint32_t idle_ms_ = 0;
  uint16_t outstanding_ = 0;
  State state_ = State::kFree;
  uint8_t flags_ = 0;
  EndReason end_reason_ = EndReason::kFinished;
  Direction directions_[2];
};

}  // namespace fairlead::dataplane::snat
