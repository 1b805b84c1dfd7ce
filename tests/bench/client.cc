#include "tests/bench/client.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <vector>

#include "tests/bench/cpu_usage.h"
#include "tests/bench/histogram.h"
#include "tests/bench/message.h"
#include "tests/bench/socket.h"
#include "tests/bench/syscall_counter.h"

namespace fairlead::bench {
namespace {

constexpr int kEvents = 256;
constexpr uint64_t kWaitNs = 10'000'000;  // how late the end of a slice may be noticed
constexpr uint64_t kTagStep = 7919;       // a prime, so that all offsets of the pattern occur
constexpr uint64_t kStalledNs = 10'000'000'000;  // no progress for this long is a failure

struct Connection {
  int fd = -1;
  bool connected = false;
  bool busy = false;  // a request is under way
  uint64_t turn = 0;  // of a fixed rate: the next request of the schedule that is this one's
  uint64_t tag = 0;
  uint64_t sent = 0;      // payload bytes of an upload
  uint64_t received = 0;  // payload bytes of the answer
  uint64_t reads = 0;     // of a download
  uint64_t began_ns = 0;
};

// An answer fits into one read, so that edges suffice for it and save epoll a second look at the
// socket. A connection under way needs one event when it is established and one for the answer.
uint32_t EventsOf(Mode mode) {
  switch (mode) {
    case Mode::kRequests:
      return EPOLLIN | EPOLLET;
    case Mode::kConnects:
      return EPOLLIN | EPOLLOUT | EPOLLET;
    case Mode::kDownload:
      return EPOLLIN;
    case Mode::kUpload:
      return EPOLLIN | EPOLLOUT;
  }
  Fail("mode");
}

class Client {
 public:
  explicit Client(const ClientOptions& options)
      : options_(options),
        epoll_(CreateEpoll()),
        connections_(options.connections),
        buffer_(kChunkSize) {
    prctl(PR_SET_TIMERSLACK, 1);  // else a fixed rate would come in bursts of 50 us
    for (size_t i = 0; i < connections_.size(); ++i) {
      connections_[i].turn = i;
      Open(&connections_[i]);
    }
    schedule_ns_ = MonotonicNow();
  }

  // Keeps the connections busy for `duration_ms`.
  void Run(uint64_t duration_ms) {
    const uint64_t end_ns = MonotonicNow() + duration_ms * 1'000'000;
    uint64_t now = MonotonicNow();
    uint64_t progress_ns = now;
    for (; now < end_ns; now = MonotonicNow()) {
      const uint64_t wait_ns = options_.rate > 0 ? SendWhatIsDue(now) : kWaitNs;
      epoll_event events[kEvents];
      const int count = Wait(events, wait_ns);
      for (int i = 0; i < count; ++i) {
        Progress(&connections_[events[i].data.u64], events[i].events);
      }
      if (count > 0) progress_ns = now;
      errno = ETIMEDOUT;
      if (now - progress_ns > kStalledNs) Fail("no connection made progress");
    }
  }

  void ClearCounts() {
    operations_ = 0;
    bytes_ = 0;
    latencies_.Clear();
  }

  uint64_t operations() const { return operations_; }
  uint64_t bytes() const { return bytes_; }
  const Histogram& latencies() const { return latencies_; }

 private:
  void Open(Connection* connection) {
    const uint64_t index = static_cast<uint64_t>(connection - connections_.data());
    if (options_.mode == Mode::kConnects) {
      connection->began_ns = MonotonicNow();
      connection->connected = false;
      connection->fd = StartConnect(options_.target);
      Watch(epoll_, connection->fd, EventsOf(options_.mode), index);
      return;
    }
    connection->fd = ConnectNow(options_.target);
    connection->connected = true;
    Watch(epoll_, connection->fd, EventsOf(options_.mode), index);
    if (options_.rate > 0) return;
    connection->began_ns = MonotonicNow();
    SendRequest(connection);
  }

  // Request number `turn` of a fixed rate belongs to connection `turn` modulo their number. Its
  // latency counts from here, so that a slow answer is charged for the requests that had to wait
  // behind it.
  uint64_t DueNs(uint64_t turn) const {
    return schedule_ns_ + turn * 1'000'000'000 / options_.rate;
  }

  void SendTurn(Connection* connection) {
    connection->began_ns = DueNs(connection->turn);
    connection->turn += connections_.size();
    SendRequest(connection);
  }

  // Returns how long there is nothing to send. A busy connection catches up in Finish().
  uint64_t SendWhatIsDue(uint64_t now) {
    for (; DueNs(next_turn_) <= now; ++next_turn_) {
      Connection* connection = &connections_[next_turn_ % connections_.size()];
      if (!connection->busy && connection->turn == next_turn_) SendTurn(connection);
    }
    return std::min(kWaitNs, DueNs(next_turn_) - now);
  }

  int Wait(epoll_event* events, uint64_t wait_ns) const {
    const timespec wait{0, static_cast<long>(wait_ns)};
    const int count = epoll_pwait2(epoll_, events, kEvents, &wait, nullptr);
    if (count < 0 && errno != EINTR) Fail("epoll_pwait2");
    return count;
  }

  void SendRequest(Connection* connection) {
    char request[kRequestSize];
    const Kind kind = options_.mode == Mode::kDownload ? Kind::kDownload
                      : options_.mode == Mode::kUpload ? Kind::kUpload
                                                       : Kind::kAnswer;
    next_tag_ += kTagStep;
    connection->tag = next_tag_;
    connection->sent = 0;
    connection->received = 0;
    connection->busy = true;
    WriteRequest(kind, options_.answer_size, connection->tag, request);
    // One small request at a time always fits into the send buffer.
    if (send(connection->fd, request, kRequestSize, MSG_NOSIGNAL) != kRequestSize) {
      Fail("send of a request");
    }
  }

  void Progress(Connection* connection, uint32_t events) {
    if (!connection->connected) {
      connection->connected = true;
      SendRequest(connection);  // fails if the connection did
      return;
    }
    if (options_.mode == Mode::kUpload && (events & EPOLLOUT)) Upload(connection);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) Receive(connection);
  }

  void Receive(Connection* connection) {
    const uint64_t offset = connection->tag + 1 + connection->received;
    const bool download = options_.mode == Mode::kDownload;
    const ssize_t size = download ? ReceiveStream(connection->fd, buffer_.data(),
                                                  connection->received, offset, &connection->reads)
                                  : recv(connection->fd, buffer_.data(), buffer_.size(), 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size < 0) Fail("receiving an answer");
    errno = EPIPE;
    if (size == 0) Fail("the proxy or the server closed a connection");
    if (options_.mode == Mode::kUpload) return CountAcknowledged(static_cast<size_t>(size));
    bytes_ += static_cast<uint64_t>(size);
    connection->received += static_cast<uint64_t>(size);
    if (!download) CheckAnswer(connection, static_cast<size_t>(size), offset);
  }

  void CheckAnswer(Connection* connection, size_t size, uint64_t offset) {
    errno = EBADMSG;
    if (!IsPattern(buffer_.data(), size, offset)) Fail("a corrupt answer");
    if (connection->received > options_.answer_size) Fail("too long an answer");
    if (connection->received == options_.answer_size) Finish(connection);
  }

  void CountAcknowledged(size_t size) {
    errno = EBADMSG;
    for (size_t i = 0; i < size; ++i) {
      if (buffer_[i] != kAcknowledge) Fail("a corrupt acknowledgement");
    }
    bytes_ += size * kAcknowledgedSize;
  }

  void Finish(Connection* connection) {
    const uint64_t now = MonotonicNow();
    latencies_.Add(now - connection->began_ns);
    ++operations_;
    connection->busy = false;
    if (options_.mode == Mode::kConnects) {
      close(connection->fd);
      Open(connection);
    } else if (options_.rate > 0) {
      if (DueNs(connection->turn) <= now) SendTurn(connection);
    } else {
      connection->began_ns = now;
      SendRequest(connection);
    }
  }

  void Upload(Connection* connection) {
    const ssize_t size =
        send(connection->fd, Pattern(connection->tag + connection->sent), kChunkSize, MSG_NOSIGNAL);
    if (size < 0 && errno != EAGAIN) Fail("send");
    if (size > 0) connection->sent += static_cast<uint64_t>(size);
  }

  const ClientOptions& options_;
  const int epoll_;
  std::vector<Connection> connections_;
  std::vector<char> buffer_;
  uint64_t next_tag_ = 0;
  uint64_t schedule_ns_ = 0;  // when turn 0 of a fixed rate was due
  uint64_t next_turn_ = 0;
  uint64_t operations_ = 0;
  uint64_t bytes_ = 0;
  Histogram latencies_;
};

void Print(const Client& client, const CpuUsage& begin, const CpuUsage& end, size_t cpu) {
  const Histogram& latencies = client.latencies();
  std::printf("{\"elapsed_ns\": %" PRIu64 ", \"operations\": %" PRIu64 ", \"bytes\": %" PRIu64
              ", \"process_ns\": %" PRIu64 ", \"cpu_busy_ns\": %" PRIu64 ", \"p50_ns\": %" PRIu64
              ", \"p99_ns\": %" PRIu64 ", \"p999_ns\": %" PRIu64 "}\n",
              end.now_ns - begin.now_ns, client.operations(), client.bytes(),
              ProcessTime(begin, end), BusyTime(begin, end, cpu), latencies.Percentile(0.5),
              latencies.Percentile(0.99), latencies.Percentile(0.999));
}

}  // namespace

void RunClient(const ClientOptions& options) {
  Client client(options);
  client.Run(options.warm_up_ms);
  client.ClearCounts();
  if (options.counts_syscalls) {
    const SyscallCounter counter(options.process_ids);
    client.Run(options.duration_ms);
    std::printf("{\"syscalls\": %" PRIu64 ", \"operations\": %" PRIu64 "}\n", counter.Count(),
                client.operations());
    return;
  }
  const CpuUsage begin = ReadCpuUsage(options.process_ids);
  client.Run(options.duration_ms);
  const CpuUsage end = ReadCpuUsage(options.process_ids);
  Print(client, begin, end, options.cpu);
}

}  // namespace fairlead::bench
