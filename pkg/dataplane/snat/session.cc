#include "pkg/dataplane/snat/session.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "pkg/dataplane/snat/shard.h"

namespace fairlead::dataplane::snat {
namespace {

// How soon a spliced direction that fell silent gives its pipe back.
constexpr uint32_t kSpliceCheckMs = 2'000;
// tcp(7): a vanished peer is noticed after 60 s + 5 x 10 s.
constexpr int kKeepaliveIdleSeconds = 60;
constexpr int kKeepaliveIntervalSeconds = 10;
constexpr int kKeepaliveProbes = 5;

void EnableKeepalive(int fd) {
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &kKeepaliveIdleSeconds, sizeof(int));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &kKeepaliveIntervalSeconds, sizeof(int));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &kKeepaliveProbes, sizeof(int));
}

void ResetOnClose(int fd) {
  const linger reset{1, 0};  // socket(7): close sends RST and drops what was not sent
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

}  // namespace

void Session::OnCompletion(Operation operation, const uring::Completion& completion) {
  if (!completion.more) Joined(operation);
  if (state_ == State::kClosing) {
    if (completion.has_buffer) shard_.ring().ReleaseBuffer(completion.slice);
    CloseWhenJoined();
    return;
  }
  switch (operation) {
    case Operation::kReceive0:
    case Operation::kReceive1:
      return OnReceive(operation == Operation::kReceive1, completion);
    case Operation::kSend0:
    case Operation::kSend1:
      return OnSend(operation == Operation::kSend1, completion.result);
    case Operation::kPollIn0:
    case Operation::kPollIn1:
      return OnPoll(operation == Operation::kPollIn1, false);
    case Operation::kPollOut0:
    case Operation::kPollOut1:
      return OnPoll(operation == Operation::kPollOut1, true);
    case Operation::kConnect:
      return OnConnect(completion.result);
  }
}

void Session::OnDeadline() {
  switch (state_) {
    case State::kFree:
    case State::kClosing:
      return;
    case State::kWaiting:
      return Reject(Rejection::kQueueTimeout);
    case State::kConnecting:
      // The attempt's time is up: its completion (-ECANCELED) tries the next server.
      return shard_.ring().Cancel(UserData(Operation::kConnect));
    case State::kRelaying:
      return CheckEstablished();
  }
}

void Session::CheckEstablished() {
  const uint64_t silent_ms = shard_.now_ms() - last_activity_ms_;
  if (silent_ms >= idle_ms_) return End(EndReason::kIdle);
  if ((flags_ & kKeepaliveSet) == 0) {
    EnableKeepalive(fds_[0]);
    EnableKeepalive(fds_[1]);
    flags_ |= kKeepaliveSet;
  }
  bool spliced = false;
  for (int direction = 0; direction < 2; ++direction) {
    CheckCalm(direction);
    if (state_ != State::kRelaying) return;
    spliced |= directions_[direction].pipe != nullptr;
  }
  const uint64_t idle_deadline = last_activity_ms_ + idle_ms_;
  const uint64_t splice_check = shard_.now_ms() + kSpliceCheckMs;
  const bool sooner = spliced && splice_check < idle_deadline;
  shard_.wheel().Set(*this, sooner ? splice_check : idle_deadline);
}

void Session::LeaveServer() {
  if (state_ != State::kConnecting) return End(EndReason::kCut);
  // Its completion (-ECANCELED) tries the next server.
  if (IsOutstanding(Operation::kConnect)) shard_.ring().Cancel(UserData(Operation::kConnect));
}

void Session::End(EndReason reason) {
  if (state_ == State::kClosing || state_ == State::kFree) return;
  if (state_ == State::kWaiting) shard_.LeaveQueue(*this);
  state_ = State::kClosing;
  end_reason_ = reason;
  TimerWheel::Remove(*this);
  CountEnd(reason);
  for (int i = 0; i < kOperations; ++i) {
    const auto operation = static_cast<Operation>(i);
    if (IsOutstanding(operation)) shard_.ring().Cancel(UserData(operation));
  }
  CloseWhenJoined();
}

void Session::CloseWhenJoined() {
  if (outstanding_ != 0) return;
  if ((flags_ & kInStarvedList) != 0) shard_.RemoveStarved(*this);
  DropQueues();
  for (int& fd : fds_) {
    if (fd < 0) continue;
    if (end_reason_ != EndReason::kFinished) ResetOnClose(fd);
    shard_.ring().Close(fd);
    fd = -1;
  }
  if (connect_ != nullptr) shard_.PutConnectState(connect_);
  connect_ = nullptr;
  ReleaseServer();
  ServiceRuntime* service = service_;
  service_ = nullptr;
  state_ = State::kFree;
  service->connections.fetch_sub(1, std::memory_order_relaxed);
  shard_.Release(*this);
}

void Session::DropQueues() {
  for (Direction& direction : directions_) {
    if (SendQueue* queue = direction.queue; queue != nullptr) {
      for (size_t i = queue->head; i < queue->slices.size(); ++i) {
        shard_.ReleaseSlice(queue->slices[i]);
      }
      shard_.PutSendQueue(queue);
    }
    if (direction.pipe != nullptr) shard_.PutPipe(direction.pipe);
    direction = Direction{};
  }
}

void Session::ReleaseServer() {
  if (server_ == nullptr) return;
  server_->connections.fetch_sub(1);  // before `waiting` is read: see shard_queue.cc
  server_ = nullptr;
  shard_.ServeWaiting(*service_);
}

void Session::CountEnd(EndReason reason) {
  ServerShardState* server = server_ == nullptr ? nullptr : &server_->shards[shard_.index()];
  switch (reason) {
    case EndReason::kFinished:
    case EndReason::kRejected:
      return;
    case EndReason::kClientReset:
      return service_->shards[shard_.index()].client_resets.Add();
    case EndReason::kServerReset:
      if (server != nullptr) server->resets.Add();
      return;
    case EndReason::kIdle:
      if (server != nullptr) server->idle_timeouts.Add();
      return;
    case EndReason::kCut:
    case EndReason::kShutdown:
      if (server != nullptr) server->sessions_cut.Add();
      return;
  }
}

void Session::CountBytes(int direction, uint64_t size) {
  last_activity_ms_ = shard_.now_ms();
  // Before the connection stands no server has got anything; OnConnected counts what waited.
  ServerShardState* server =
      state_ == State::kRelaying ? &server_->shards[shard_.index()] : nullptr;
  if (direction == 0) {
    port_->bytes_from_client.Add(size);
    if (server != nullptr) server->bytes_to_server.Add(size);
  } else {
    port_->bytes_to_client.Add(size);
    if (server != nullptr) server->bytes_from_server.Add(size);
  }
}

}  // namespace fairlead::dataplane::snat
