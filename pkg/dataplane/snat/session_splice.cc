// The splice(2) path of a direction that turned out to be bulk: bytes move from socket to socket
// through a pipe and never enter this process.
//
//   kBuffers --8 large pieces without an answer--> kPromoting --receive stopped, queue empty-->
//   kSplice --silent for 2 s--> kDemoting --poll joined--> kBuffers
//
// splice(2) is called directly: as a ring operation it goes to a worker thread. The ring polls.
#include <fcntl.h>
#include <poll.h>

#include <cerrno>

#include "pkg/dataplane/snat/shard.h"

namespace fairlead::dataplane::snat {
namespace {

constexpr uint32_t kLargePiece = 8 * 1024;
constexpr uint8_t kLargePiecesToPromote = 8;
// Bytes of one call and rounds of one turn: a fast stream takes 1 MiB, then others have theirs.
constexpr uint32_t kSpliceBytes = 1024 * 1024;
constexpr int kSpliceRounds = 4;

constexpr Operation kPollInOf[] = {Operation::kPollIn0, Operation::kPollIn1};
constexpr Operation kPollOutOf[] = {Operation::kPollOut0, Operation::kPollOut1};

}  // namespace

// Counts large pieces in a row. An answer in the other direction begins the count anew: a dialogue
// with large answers is no bulk transfer.
void Session::NotePiece(int direction, uint32_t size) {
  Direction& flow = directions_[direction];
  directions_[1 - direction].bulk_pieces = 0;
  if (flow.path != Direction::Path::kBuffers) return;
  if (size >= kLargePiece) {
    ++flow.bulk_pieces;
  } else if (flow.bulk_pieces > 0) {
    --flow.bulk_pieces;
  }
  if (flow.bulk_pieces < kLargePiecesToPromote || state_ != State::kRelaying) return;
  flow.path = Direction::Path::kPromoting;
  flow.bulk_pieces = 0;
  if (flow.receive == Direction::Receive::kRunning) StopReceive(direction);
}

// False when there is no pipe: the direction stays on the buffers.
bool Session::Promote(int direction) {
  Direction& flow = directions_[direction];
  flow.pipe = shard_.GetPipe();
  flow.path = flow.pipe == nullptr ? Direction::Path::kBuffers : Direction::Path::kSplice;
  if (flow.pipe == nullptr) return false;
  shard_.CountSplicePromotion();
  flow.receive = Direction::Receive::kRunning;
  Splice(direction);
  // Looked at soon, so that the pipe comes back when the direction calms down.
  if (state_ == State::kRelaying) CheckEstablished();
  return true;
}

// Moves what can be moved and arms the poll for what must be waited for.
void Session::Splice(int direction) {
  Direction& flow = directions_[direction];
  bool want_out = false;
  for (int round = 0; round < kSpliceRounds; ++round) {
    if (!SpliceOnce(direction, &want_out)) break;
  }
  if (state_ != State::kRelaying) return;
  if (want_out) {
    if (IsOutstanding(kPollOutOf[direction])) return;
    shard_.ring().Poll(target_fd(direction), POLLOUT, UserData(kPollOutOf[direction]));
    Submitted(kPollOutOf[direction]);
  } else if (flow.receive == Direction::Receive::kEnded) {
    FinishDirection(direction);
  } else if (!IsOutstanding(kPollInOf[direction])) {
    shard_.ring().Poll(source_fd(direction), POLLIN | POLLRDHUP, UserData(kPollInOf[direction]));
    Submitted(kPollInOf[direction]);
  }
}

// One read into the pipe, one write out of it. True when another round may move more.
bool Session::SpliceOnce(int direction, bool* want_out) {
  constexpr unsigned kFlags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
  Direction& flow = directions_[direction];
  SplicePipe& pipe = *flow.pipe;
  bool moved = false;
  if (flow.receive != Direction::Receive::kEnded) {
    const ssize_t got =
        ::splice(source_fd(direction), nullptr, pipe.write_fd, nullptr, kSpliceBytes, kFlags);
    if (got > 0) {
      pipe.bytes += static_cast<uint32_t>(got);
      flow.spliced_bytes += static_cast<uint32_t>(got);
      CountBytes(direction, static_cast<uint64_t>(got));
      moved = true;
    } else if (got == 0) {
      flow.receive = Direction::Receive::kEnded;
    } else if (errno != EAGAIN && errno != EINTR) {
      End(direction == 0 ? EndReason::kClientReset : EndReason::kServerReset);
      return false;
    }
  }
  *want_out = false;
  if (pipe.bytes == 0) return false;
  const ssize_t sent =
      ::splice(pipe.read_fd, nullptr, target_fd(direction), nullptr, pipe.bytes, kFlags);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) {
    End(direction == 0 ? EndReason::kServerReset : EndReason::kClientReset);
    return false;
  }
  if (sent > 0) pipe.bytes -= static_cast<uint32_t>(sent);
  *want_out = pipe.bytes > 0;
  return moved && !*want_out;
}

void Session::OnPoll(int direction, bool out) {
  Direction& flow = directions_[direction];
  if (out || flow.path == Direction::Path::kSplice) return Splice(direction);
  // kDemoting: the poll was cancelled (or was faster; then the receive finds the data).
  shard_.PutPipe(flow.pipe);
  flow.pipe = nullptr;
  flow.path = Direction::Path::kBuffers;
  StartReceive(direction);
}

// A spliced direction without a byte since the last look goes back to the buffers, which cost an
// idle connection nothing.
void Session::CheckCalm(int direction) {
  Direction& flow = directions_[direction];
  const bool calm = flow.path == Direction::Path::kSplice && flow.spliced_bytes == 0 &&
                    flow.pipe->bytes == 0 && flow.receive == Direction::Receive::kRunning &&
                    IsOutstanding(kPollInOf[direction]);
  flow.spliced_bytes = 0;
  if (!calm) return;
  flow.path = Direction::Path::kDemoting;
  shard_.ring().Cancel(UserData(kPollInOf[direction]));
}

}  // namespace fairlead::dataplane::snat
