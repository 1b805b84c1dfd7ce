#include "tests/bench/server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "tests/bench/message.h"
#include "tests/bench/socket.h"

namespace fairlead::bench {
namespace {

constexpr int kEvents = 256;

// kRequest -> kAnswer -> kRequest, or kRequest -> kUpload until the client closes.
enum class State { kRequest, kAnswer, kUpload };

struct Connection {
  int fd = -1;
  State state = State::kRequest;
  bool watches_writes = false;
  size_t request_size = 0;  // bytes of the request received so far
  char request[kRequestSize];
  uint64_t offset = 0;     // in the pattern: of the next byte to send, or of an upload's first
  uint64_t remaining = 0;  // bytes of the answer still to send
  uint64_t uploaded = 0;
  uint64_t acknowledged = 0;  // of the uploaded bytes
  uint64_t reads = 0;
};

class Server {
 public:
  explicit Server(const sockaddr_in& address)
      : listener_(Listen(address)), epoll_(CreateEpoll()), buffer_(kChunkSize) {
    Watch(epoll_, listener_, EPOLLIN, 0);
  }

  void RunOnce() {
    epoll_event events[kEvents];
    const int count = epoll_wait(epoll_, events, kEvents, -1);
    if (count < 0 && errno != EINTR) Fail("epoll_wait");
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == 0) {
        Accept();
      } else {
        Progress(reinterpret_cast<Connection*>(events[i].data.ptr), events[i].events);
      }
    }
  }

 private:
  void Accept() {
    while (true) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return;
        Fail("accept");
      }
      auto* connection = new Connection;  // deleted by Close()
      connection->fd = fd;
      Watch(epoll_, fd, EPOLLIN, reinterpret_cast<uint64_t>(connection));
    }
  }

  void Progress(Connection* connection, uint32_t events) {
    bool open = true;
    if (events & EPOLLOUT) open = Send(connection);
    if (open && (events & EPOLLIN)) open = Receive(connection);
    if ((events & (EPOLLIN | EPOLLOUT)) == 0) open = false;  // EPOLLHUP or EPOLLERR alone
    if (!open) Close(connection);
  }

  // Returns false if the connection is over.
  bool Receive(Connection* connection) {
    if (connection->state == State::kUpload) return ReceiveUpload(connection);
    const ssize_t size = recv(connection->fd, connection->request + connection->request_size,
                              kRequestSize - connection->request_size, 0);
    if (size < 0) return errno == EAGAIN;
    if (size == 0) return false;
    connection->request_size += static_cast<size_t>(size);
    return connection->request_size < kRequestSize || Begin(connection);
  }

  bool Begin(Connection* connection) {
    RequestHeader header;
    if (!ReadRequest(connection->request, &header)) return Complain(connection, "a bad request");
    connection->offset = header.tag + 1;
    if (header.kind == Kind::kUpload) {
      connection->offset = header.tag;
      connection->state = State::kUpload;
      return true;
    }
    connection->state = State::kAnswer;
    connection->remaining = header.kind == Kind::kDownload ? UINT64_MAX : header.size;
    return Send(connection);
  }

  bool Send(Connection* connection) {
    if (connection->state != State::kAnswer) return true;
    const size_t wanted = std::min<uint64_t>(connection->remaining, kChunkSize);
    const ssize_t size =
        send(connection->fd, Pattern(connection->offset), wanted, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0 && errno != EAGAIN) return false;
    connection->offset += static_cast<uint64_t>(std::max<ssize_t>(size, 0));
    connection->remaining -= static_cast<uint64_t>(std::max<ssize_t>(size, 0));
    if (connection->remaining == 0) {
      connection->state = State::kRequest;
      connection->request_size = 0;
    }
    WatchWrites(connection, connection->remaining > 0);
    return true;
  }

  bool ReceiveUpload(Connection* connection) {
    const ssize_t size =
        ReceiveStream(connection->fd, buffer_.data(), connection->uploaded,
                      connection->offset + connection->uploaded, &connection->reads);
    if (size < 0 && errno == EBADMSG) return Complain(connection, "a corrupt upload");
    if (size < 0) return errno == EAGAIN;
    if (size == 0) return false;
    connection->uploaded += static_cast<uint64_t>(size);
    for (; connection->uploaded - connection->acknowledged >= kAcknowledgedSize;
         connection->acknowledged += kAcknowledgedSize) {
      if (send(connection->fd, &kAcknowledge, 1, MSG_NOSIGNAL) != 1) return false;
    }
    return true;
  }

  void WatchWrites(Connection* connection, bool watch) {
    if (connection->watches_writes == watch) return;
    connection->watches_writes = watch;
    epoll_event event{};
    event.events = watch ? EPOLLOUT : EPOLLIN;
    event.data.ptr = connection;
    if (epoll_ctl(epoll_, EPOLL_CTL_MOD, connection->fd, &event) < 0) Fail("epoll_ctl");
  }

  bool Complain(Connection* connection, const char* about) {
    std::fprintf(stderr, "bench_traffic: server received %s\n", about);
    const linger reset{1, 0};
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    return false;
  }

  void Close(Connection* connection) {
    close(connection->fd);
    delete connection;
  }

  const int listener_;
  const int epoll_;
  std::vector<char> buffer_;
};

}  // namespace

void Serve(const sockaddr_in& address) {
  Server server(address);
  std::printf("ready\n");
  std::fflush(stdout);
  while (true) server.RunOnce();
}

}  // namespace fairlead::bench
