#include "pkg/uring/epoll_ring.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "pkg/base/errno_status.h"

namespace fairlead::uring {
namespace {

// A receive buffer with less room than this is retired, so that reads do not become tiny.
constexpr uint32_t kReceiveRoomMin = 2048;
// Connections taken from one listener per turn, so that a storm does not starve the sessions.
constexpr int kAcceptsPerTurn = 64;
constexpr uint32_t kFailure = EPOLLERR | EPOLLHUP;
constexpr int kEventsPerTurn = 512;

bool WouldBlock(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

// Sends what follows the first `skip` bytes of `message`. Returns as sendmsg(2).
ssize_t SendRest(int fd, const msghdr& message, size_t skip) {
  std::vector<iovec> rest;
  rest.reserve(message.msg_iovlen);
  for (size_t i = 0; i < message.msg_iovlen; ++i) {
    const iovec& piece = message.msg_iov[i];
    if (skip >= piece.iov_len) {
      skip -= piece.iov_len;
      continue;
    }
    rest.push_back({static_cast<char*>(piece.iov_base) + skip, piece.iov_len - skip});
    skip = 0;
  }
  msghdr shorter = message;
  shorter.msg_iov = rest.data();
  shorter.msg_iovlen = rest.size();
  return ::sendmsg(fd, &shorter, MSG_NOSIGNAL | MSG_DONTWAIT);
}

uint32_t MessageSize(const msghdr& message) {
  size_t size = 0;
  for (size_t i = 0; i < message.msg_iovlen; ++i) size += message.msg_iov[i].iov_len;
  return static_cast<uint32_t>(size);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Ring>> EpollRing::Create(const RingOptions& options) {
  std::unique_ptr<EpollRing> ring(new EpollRing());
  ring->receive_bytes_ = options.receive_bytes;
  ring->epoll_.Reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!ring->epoll_.valid()) return base::LastErrnoStatus("epoll_create1");
  ring->wake_.Reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!ring->wake_.valid()) return base::LastErrnoStatus("eventfd for a ring");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = ring->wake_.get();
  if (::epoll_ctl(ring->epoll_.get(), EPOLL_CTL_ADD, ring->wake_.get(), &event) != 0) {
    return base::LastErrnoStatus("epoll_ctl for the wake descriptor");
  }
  if (options.buffers_max > 0) {
    absl::StatusOr<std::unique_ptr<SharedBuffers>> buffers = SharedBuffers::Create(options);
    if (!buffers.ok()) return buffers.status();
    ring->buffers_ = *std::move(buffers);
  }
  ring->events_.resize(kEventsPerTurn);
  return ring;
}

EpollRing::Descriptor& EpollRing::At(int fd) {
  if (static_cast<size_t>(fd) >= descriptors_.size()) descriptors_.resize(fd + 64);
  return descriptors_[fd];
}

void EpollRing::Queue(int fd, uint64_t user_data) {
  fd_of_[user_data] = fd;
  Descriptor& descriptor = At(fd);
  if (descriptor.queued) return;
  descriptor.queued = true;
  attempts_.push_back(fd);
}

void EpollRing::Accept(int listener_fd, uint64_t user_data) {
  Descriptor& descriptor = At(listener_fd);
  descriptor.reader = Reader::kAccept;
  descriptor.reader_data = user_data;
  Queue(listener_fd, user_data);
}

void EpollRing::Receive(int fd, uint64_t user_data) {
  Descriptor& descriptor = At(fd);
  descriptor.reader = Reader::kReceive;
  descriptor.received = 0;
  descriptor.reader_data = user_data;
  Queue(fd, user_data);
}

void EpollRing::Send(int fd, const void* data, size_t size, uint64_t user_data) {
  Descriptor& descriptor = At(fd);
  descriptor.writer = Writer::kSend;
  descriptor.writer_data = user_data;
  descriptor.data = static_cast<const char*>(data);
  descriptor.size = static_cast<uint32_t>(size);
  descriptor.sent = 0;
  Queue(fd, user_data);
}

void EpollRing::SendMessage(int fd, const msghdr* message, uint64_t user_data) {
  Descriptor& descriptor = At(fd);
  descriptor.writer = Writer::kSendMessage;
  descriptor.writer_data = user_data;
  descriptor.message = message;
  descriptor.size = MessageSize(*message);
  descriptor.sent = 0;
  Queue(fd, user_data);
}

void EpollRing::Socket(int family, uint64_t user_data) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  Completion completion;
  completion.user_data = user_data;
  completion.result = fd >= 0 ? fd : -errno;
  done_early_.push_back(completion);
}

void EpollRing::Connect(int fd, const sockaddr* address, socklen_t length, uint64_t user_data) {
  Descriptor& descriptor = At(fd);
  descriptor.writer = Writer::kConnect;
  descriptor.writer_data = user_data;
  descriptor.address = address;
  descriptor.size = length;
  descriptor.connecting = false;
  Queue(fd, user_data);
}

void EpollRing::Poll(int fd, uint32_t events, uint64_t user_data) {
  Descriptor& descriptor = At(fd);
  descriptor.poll_events = events;
  // A poll occupies the direction that it asks about, so that one poll for each can be outstanding.
  if ((events & POLLOUT) != 0 && (events & POLLIN) == 0) {
    descriptor.writer = Writer::kPoll;
    descriptor.writer_data = user_data;
  } else {
    descriptor.reader = Reader::kPoll;
    descriptor.reader_data = user_data;
  }
  Queue(fd, user_data);
}

void EpollRing::Cancel(uint64_t user_data) {
  const auto found = fd_of_.find(user_data);
  if (found == fd_of_.end()) return;
  const int fd = found->second;
  Descriptor& descriptor = At(fd);
  Completion completion;
  completion.user_data = user_data;
  completion.result = -ECANCELED;
  if (descriptor.reader != Reader::kNone && descriptor.reader_data == user_data) {
    descriptor.reader = Reader::kNone;
  } else if (descriptor.writer != Writer::kNone && descriptor.writer_data == user_data) {
    // As io_uring does: a send that got somewhere tells how far.
    const bool sending =
        descriptor.writer == Writer::kSend || descriptor.writer == Writer::kSendMessage;
    if (sending && descriptor.sent > 0) completion.result = static_cast<int32_t>(descriptor.sent);
    descriptor.writer = Writer::kNone;
    descriptor.connecting = false;
  }
  fd_of_.erase(found);
  done_early_.push_back(completion);
  UpdateInterest(fd, descriptor);
}

void EpollRing::SetOption(int fd, int level, int name, const int* value) {
  ::setsockopt(fd, level, name, value, sizeof(*value));
}

void EpollRing::Close(int fd) {
  Descriptor& descriptor = At(fd);
  const bool queued = descriptor.queued;  // stays in attempts_, where it finds nothing to do
  descriptor = Descriptor{};
  descriptor.queued = queued;
  ::close(fd);  // also leaves the epoll set
}

absl::Span<const Completion> EpollRing::Wait(absl::Duration timeout) {
  completions_.clear();
  completions_.swap(done_early_);
  // By index: an attempt may queue nothing, but the vector must survive growth all the same.
  for (size_t i = 0; i < attempts_.size(); ++i) {
    At(attempts_[i]).queued = false;
    Attempt(attempts_[i], 0);
  }
  attempts_.clear();
  ++counters_.waits;
  timespec wait = absl::ToTimespec(std::max(timeout, absl::ZeroDuration()));
  const bool forever = timeout == absl::InfiniteDuration() && completions_.empty();
  if (!completions_.empty()) wait = timespec{};
  const int count = ::epoll_pwait2(epoll_.get(), events_.data(), kEventsPerTurn,
                                   forever ? nullptr : &wait, nullptr);
  for (int i = 0; i < count; ++i) {
    const int fd = events_[i].data.fd;
    if (fd == wake_.get()) {
      uint64_t value = 0;
      [[maybe_unused]] ssize_t got = ::read(fd, &value, sizeof(value));
    } else {
      Attempt(fd, events_[i].events);
    }
  }
  return completions_;
}

void EpollRing::Wake() {
  const uint64_t one = 1;
  [[maybe_unused]] ssize_t written = ::write(wake_.get(), &one, sizeof(one));
}

void EpollRing::Attempt(int fd, uint32_t ready) {
  Descriptor& descriptor = At(fd);
  if (descriptor.reader != Reader::kNone) AttemptReader(fd, descriptor, ready);
  if (descriptor.writer != Writer::kNone) AttemptWriter(fd, descriptor, ready);
  UpdateInterest(fd, descriptor);
}

void EpollRing::AttemptReader(int fd, Descriptor& descriptor, uint32_t ready) {
  switch (descriptor.reader) {
    case Reader::kNone:
      return;
    case Reader::kAccept:
      return AttemptAccept(fd, descriptor);
    case Reader::kReceive:
      return AttemptReceive(fd, descriptor);
    case Reader::kPoll: {
      const uint32_t wanted = ready & (descriptor.poll_events | kFailure);
      if (wanted != 0) CompleteReader(descriptor, static_cast<int>(wanted));
      return;
    }
  }
}

void EpollRing::AttemptWriter(int fd, Descriptor& descriptor, uint32_t ready) {
  switch (descriptor.writer) {
    case Writer::kNone:
      return;
    case Writer::kSend:
    case Writer::kSendMessage:
      return AttemptSend(fd, descriptor);
    case Writer::kConnect:
      return AttemptConnect(fd, descriptor, ready);
    case Writer::kPoll: {
      const uint32_t wanted = ready & (EPOLLOUT | kFailure);
      if (wanted != 0) CompleteWriter(descriptor, static_cast<int>(wanted));
      return;
    }
  }
}

void EpollRing::AttemptAccept(int fd, Descriptor& descriptor) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const int accepted = ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted >= 0) {
      Completion completion;
      completion.user_data = descriptor.reader_data;
      completion.result = accepted;
      completion.more = true;
      completions_.push_back(completion);
      continue;
    }
    if (WouldBlock(errno)) return;
    // accept(2): errors of a connection that died in the queue are no errors of the listener.
    if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO) continue;
    CompleteReader(descriptor, -errno);
    return;
  }
}

void EpollRing::TakeReceiveBuffer() {
  std::vector<uint16_t>& provided = buffers_->to_provide();
  free_buffers_.insert(free_buffers_.end(), provided.begin(), provided.end());
  provided.clear();
  if (free_buffers_.empty()) return;
  receive_buffer_ = free_buffers_.back();
  free_buffers_.pop_back();
}

void EpollRing::AttemptReceive(int fd, Descriptor& descriptor) {
  if (receive_buffer_ < 0) {
    buffers_->GrowIfNeeded();
    TakeReceiveBuffer();
  }
  if (receive_buffer_ < 0) {
    ++counters_.buffers_exhausted;
    CompleteReader(descriptor, -ENOBUFS);
    return;
  }
  const auto buffer = static_cast<uint16_t>(receive_buffer_);
  const uint32_t fill = buffers_->fill(buffer);
  const uint32_t room = buffers_->buffer_size() - fill;
  const ssize_t got = ::recv(fd, buffers_->data(buffer) + fill, room, MSG_DONTWAIT);
  if (got < 0 && (WouldBlock(errno) || errno == EINTR)) return;
  if (got <= 0) {
    CompleteReader(descriptor, got == 0 ? 0 : -errno);
    return;
  }
  const auto size = static_cast<uint32_t>(got);
  const bool full = room - size < kReceiveRoomMin;
  Completion completion;
  completion.user_data = descriptor.reader_data;
  completion.result = static_cast<int32_t>(size);
  descriptor.received += size;
  completion.more = descriptor.received < receive_bytes_;
  completion.has_buffer = true;
  completion.slice = buffers_->Consume(buffer, size, full);
  completions_.push_back(completion);
  if (full) receive_buffer_ = -1;
  if (completion.more) return;
  descriptor.reader = Reader::kNone;
  fd_of_.erase(completion.user_data);
}

void EpollRing::AttemptSend(int fd, Descriptor& descriptor) {
  while (descriptor.sent < descriptor.size) {
    const ssize_t got = descriptor.writer == Writer::kSend
                            ? ::send(fd, descriptor.data + descriptor.sent,
                                     descriptor.size - descriptor.sent, MSG_NOSIGNAL | MSG_DONTWAIT)
                            : SendRest(fd, *descriptor.message, descriptor.sent);
    if (got < 0 && WouldBlock(errno)) return;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      CompleteWriter(descriptor, -errno);
      return;
    }
    descriptor.sent += static_cast<uint32_t>(got);
  }
  CompleteWriter(descriptor, static_cast<int>(descriptor.sent));
}

void EpollRing::AttemptConnect(int fd, Descriptor& descriptor, uint32_t ready) {
  if (!descriptor.connecting) {
    if (::connect(fd, descriptor.address, descriptor.size) == 0) {
      CompleteWriter(descriptor, 0);
    } else if (errno == EINPROGRESS) {
      descriptor.connecting = true;
    } else {
      CompleteWriter(descriptor, -errno);
    }
    return;
  }
  if ((ready & (EPOLLOUT | kFailure)) == 0) return;
  int error = 0;
  socklen_t length = sizeof(error);
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  descriptor.connecting = false;
  CompleteWriter(descriptor, -error);
}

void EpollRing::CompleteReader(Descriptor& descriptor, int result) {
  Completion completion;
  completion.user_data = descriptor.reader_data;
  completion.result = result;
  descriptor.reader = Reader::kNone;
  fd_of_.erase(completion.user_data);
  completions_.push_back(completion);
}

void EpollRing::CompleteWriter(Descriptor& descriptor, int result) {
  Completion completion;
  completion.user_data = descriptor.writer_data;
  completion.result = result;
  descriptor.writer = Writer::kNone;
  fd_of_.erase(completion.user_data);
  completions_.push_back(completion);
}

void EpollRing::UpdateInterest(int fd, Descriptor& descriptor) {
  uint32_t wanted = 0;
  if (descriptor.reader == Reader::kPoll) {
    wanted |= descriptor.poll_events;
  } else if (descriptor.reader != Reader::kNone) {
    wanted |= EPOLLIN;
  }
  if (descriptor.writer != Writer::kNone) wanted |= EPOLLOUT;
  if (wanted == descriptor.registered) return;
  epoll_event event{};
  event.events = wanted;
  event.data.fd = fd;
  // Without interest the descriptor leaves the set: epoll reports EPOLLHUP and EPOLLERR always.
  const int operation = wanted == 0                  ? EPOLL_CTL_DEL
                        : descriptor.registered == 0 ? EPOLL_CTL_ADD
                                                     : EPOLL_CTL_MOD;
  int error = ::epoll_ctl(epoll_.get(), operation, fd, &event) == 0 ? 0 : errno;
  if (error == ENOENT && operation == EPOLL_CTL_MOD) {
    // The number was closed outside of the ring and belongs to a new file now.
    error = ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
  }
  descriptor.registered = error == 0 ? wanted : 0;
  if (error == 0 || wanted == 0) return;
  // epoll_ctl(2): ENOMEM, ENOSPC (watches exhausted). The operation cannot be waited for.
  if (descriptor.reader != Reader::kNone) CompleteReader(descriptor, -error);
  if (descriptor.writer != Writer::kNone) CompleteWriter(descriptor, -error);
}

void EpollRing::ReleaseBuffer(const BufferSlice& slice) { buffers_->Release(slice); }

void EpollRing::EndPeriod() {
  if (buffers_ != nullptr) buffers_->EndPeriod();
}

RingCounters EpollRing::counters() const {
  RingCounters counters = counters_;
  if (buffers_ != nullptr) {
    counters.buffers_provided = buffers_->provided();
    counters.buffers_in_use = buffers_->retired();
  }
  return counters;
}

}  // namespace fairlead::uring
