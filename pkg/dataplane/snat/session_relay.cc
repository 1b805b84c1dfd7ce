// Relaying through the ring's buffers. Per direction:
//
//   multishot receive -> slices in a SendQueue -> one send at a time -> slices given back
//
// A send is due at the end of the turn: what a message brought in two pieces, because a buffer
// ended in its middle, goes on as one.
//
// Above the high watermark the receive is cancelled; below half of it goes on: a slow side costs
// its watermark and no more.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "pkg/dataplane/snat/shard.h"

namespace fairlead::dataplane::snat {
namespace {

// Four full receive buffers: enough to keep a sender busy for a round trip of 0.5 ms at 1 Gbit/s;
// what needs more is bulk and is spliced.
constexpr uint32_t kHighWatermark = 64 * 1024;

constexpr Operation kReceiveOf[] = {Operation::kReceive0, Operation::kReceive1};
constexpr Operation kSendOf[] = {Operation::kSend0, Operation::kSend1};

}  // namespace

uint32_t Session::HighWatermark() const {
  // Memory is short: everybody queues one piece at most.
  return shard_.ring().buffers_short() ? 1 : kHighWatermark;
}

void Session::StartReceive(int direction) {
  directions_[direction].receive = Direction::Receive::kRunning;
  shard_.ring().Receive(source_fd(direction), UserData(kReceiveOf[direction]));
  Submitted(kReceiveOf[direction]);
}

void Session::StopReceive(int direction) {
  directions_[direction].receive = Direction::Receive::kStopping;
  shard_.ring().Cancel(UserData(kReceiveOf[direction]));
}

void Session::OnReceive(int direction, const uring::Completion& completion) {
  if (completion.has_buffer) OnReceived(direction, completion.slice);
  if (completion.more || state_ == State::kClosing || state_ == State::kFree) return;
  OnReceiveStopped(direction, completion.result);
}

void Session::OnReceived(int direction, const uring::BufferSlice& slice) {
  Direction& flow = directions_[direction];
  if (flow.queue == nullptr) flow.queue = shard_.GetSendQueue();
  flow.queue->slices.push_back(shard_.Keep(slice));
  flow.queued_bytes += slice.size;
  CountBytes(direction, slice.size);
  NotePiece(direction, slice.size);
  if (state_ == State::kRelaying && flow.send == Direction::Send::kIdle) {
    flow.send = Direction::Send::kDue;
    shard_.AddDue(*this);
  }
  if (flow.receive == Direction::Receive::kRunning && flow.queued_bytes > HighWatermark()) {
    StopReceive(direction);
  }
}

void Session::OnReceiveStopped(int direction, int result) {
  Direction& flow = directions_[direction];
  if (result == 0) {
    flow.receive = Direction::Receive::kEnded;
    FinishDirection(direction);
    return;
  }
  flow.receive = Direction::Receive::kStopped;
  if (result > 0 || result == -ECANCELED) {
    ContinueReceive(direction);
  } else if (result == -ENOBUFS) {
    flow.receive = Direction::Receive::kStarved;
    if ((flags_ & kInStarvedList) == 0) {
      flags_ |= kInStarvedList;
      shard_.AddStarved(*this);
    }
  } else {
    End(direction == 0 ? EndReason::kClientReset : EndReason::kServerReset);
  }
}

// A stopped receive goes on, takes the splice path, or stays stopped until more was sent.
void Session::ContinueReceive(int direction) {
  Direction& flow = directions_[direction];
  if (flow.receive != Direction::Receive::kStopped) return;
  if (flow.path == Direction::Path::kPromoting) {
    // Splicing begins when nothing is left in the buffers, so that bytes keep their order.
    if (flow.queue != nullptr || flow.send == Direction::Send::kSending) return;
    if (Promote(direction)) return;
  }
  if (flow.queued_bytes <= HighWatermark() / 2) StartReceive(direction);
}

void Session::ResumeStarved() {
  flags_ &= ~kInStarvedList;
  if (state_ == State::kClosing || state_ == State::kFree) return;
  for (int direction = 0; direction < 2; ++direction) {
    Direction& flow = directions_[direction];
    if (flow.receive != Direction::Receive::kStarved) continue;
    flow.receive = Direction::Receive::kStopped;
    // Whoever comes too late for the free buffers ends with ENOBUFS again and waits on.
    StartReceive(direction);
  }
}

// Nagle's algorithm (RFC 9293 §3.7.4) can only hold back what follows a first piece: a connection
// of one request never pays for the option. Clients' sockets inherit it from the listener.
void Session::SetNoDelayFromSecondSend() {
  static constexpr int kOn = 1;
  if ((flags_ & kSentToServer) == 0) {
    flags_ |= kSentToServer;
  } else if ((flags_ & kNoDelaySet) == 0) {
    shard_.ring().SetOption(fds_[1], IPPROTO_TCP, TCP_NODELAY, &kOn);
    flags_ |= kNoDelaySet;
  }
}

void Session::SendDue() {
  if (state_ != State::kRelaying) return;  // it ended, later in the turn
  for (int direction = 0; direction < 2; ++direction) {
    if (directions_[direction].send == Direction::Send::kDue) StartSend(direction);
  }
}

void Session::StartSend(int direction) {
  Direction& flow = directions_[direction];
  if (direction == 0) SetNoDelayFromSecondSend();
  SendQueue& queue = *flow.queue;
  queue.in_flight = std::min(queue.size(), SendQueue::kPiecesPerSend);
  if (queue.in_flight == 1) {
    const uring::BufferSlice& slice = queue.slices[queue.head];
    queue.in_flight_bytes = slice.size - queue.head_sent;
    shard_.ring().Send(target_fd(direction), slice.data + queue.head_sent, queue.in_flight_bytes,
                       UserData(kSendOf[direction]));
  } else {
    queue.in_flight_bytes = 0;
    for (size_t i = 0; i < queue.in_flight; ++i) {
      const uring::BufferSlice& slice = queue.slices[queue.head + i];
      const uint32_t skipped = i == 0 ? queue.head_sent : 0;
      queue.pieces[i] = {const_cast<char*>(slice.data) + skipped, slice.size - skipped};
      queue.in_flight_bytes += slice.size - skipped;
    }
    queue.message = msghdr{};
    queue.message.msg_iov = queue.pieces.data();
    queue.message.msg_iovlen = queue.in_flight;
    shard_.ring().SendMessage(target_fd(direction), &queue.message, UserData(kSendOf[direction]));
  }
  flow.send = Direction::Send::kSending;
  Submitted(kSendOf[direction]);
}

void Session::OnSend(int direction, int result) {
  Direction& flow = directions_[direction];
  flow.send = Direction::Send::kIdle;
  const bool was_header = direction == 0 && connect_ != nullptr;
  const bool cut_header = was_header && static_cast<size_t>(result) != connect_->header.size();
  if (result <= 0 || cut_header) {
    // The receiver of this direction is gone: EPIPE, ECONNRESET.
    return End(direction == 0 ? EndReason::kServerReset : EndReason::kClientReset);
  }
  if (was_header) {
    shard_.PutConnectState(connect_);
    connect_ = nullptr;
  } else {
    // Seldom less than all (io_uring gives up waiting after 128 rounds of a slow receiver): the
    // rest is sent again, and tells if the receiver is gone.
    PopSent(flow, static_cast<uint32_t>(result));
  }
  AfterSend(direction);
}

void Session::PopSent(Direction& flow, uint32_t sent) {
  SendQueue& queue = *flow.queue;
  flow.queued_bytes -= sent;
  queue.in_flight = 0;
  sent += queue.head_sent;
  while (!queue.empty() && sent >= queue.slices[queue.head].size) {
    sent -= queue.slices[queue.head].size;
    shard_.ReleaseSlice(queue.slices[queue.head++]);
  }
  queue.head_sent = sent;
  if (!queue.empty()) return;
  shard_.PutSendQueue(flow.queue);
  flow.queue = nullptr;
}

void Session::AfterSend(int direction) {
  Direction& flow = directions_[direction];
  if (flow.queue != nullptr) StartSend(direction);
  if (flow.receive == Direction::Receive::kEnded) {
    FinishDirection(direction);
  } else {
    ContinueReceive(direction);
  }
}

// The source said FIN: when everything was passed on, so is the FIN. The other direction flows on
// (half-close, RFC 9293 §3.6; LPD depends on it).
void Session::FinishDirection(int direction) {
  Direction& flow = directions_[direction];
  const bool passed_on = flow.queue == nullptr && flow.send == Direction::Send::kIdle &&
                         (flow.pipe == nullptr || flow.pipe->bytes == 0);
  if (state_ != State::kRelaying || !passed_on) return;
  flow.send = Direction::Send::kShutDown;
  if (directions_[1 - direction].send == Direction::Send::kShutDown) {
    return End(EndReason::kFinished);
  }
  ::shutdown(target_fd(direction), SHUT_WR);
}

}  // namespace fairlead::dataplane::snat
