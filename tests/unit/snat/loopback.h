// Clients and real servers on loopback for the tests of the data plane.
#pragma once

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pkg/base/unique_fd.h"
#include "pkg/net/endpoint.h"

namespace fairlead::dataplane::snat {

inline net::IpAddress Loopback() { return *net::IpAddress::Parse("127.0.0.1"); }

inline base::UniqueFd Listen(net::Endpoint* endpoint) {
  base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  net::SocketAddress address(*endpoint);
  EXPECT_EQ(::bind(fd.get(), &address.generic, address.length), 0);
  EXPECT_EQ(::listen(fd.get(), 512), 0);
  EXPECT_EQ(::getsockname(fd.get(), &address.generic, &address.length), 0);
  *endpoint = *address.ToEndpoint();
  return fd;
}

inline uint16_t FreePort() {
  net::Endpoint endpoint{Loopback(), 0};
  Listen(&endpoint);
  return endpoint.port;
}

inline void SetTimeouts(int fd) {
  const timeval limit{10, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

inline base::UniqueFd Connect(const net::Endpoint& endpoint) {
  base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const net::SocketAddress address(endpoint);
  if (::connect(fd.get(), &address.generic, address.length) != 0) fd.Reset();
  if (fd.valid()) SetTimeouts(fd.get());
  return fd;
}

// Everything until end of stream; "<error>" after a reset.
inline std::string ReadAll(int fd) {
  std::string all;
  char buffer[65536];
  while (true) {
    const ssize_t got = ::recv(fd, buffer, sizeof(buffer), 0);
    if (got < 0 && errno == EINTR) continue;  // io_uring's task work may interrupt any thread
    if (got < 0) return "<error>";
    if (got == 0) return all;
    all.append(buffer, static_cast<size_t>(got));
  }
}

inline std::string ReadExactly(int fd, size_t size) {
  std::string all(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t got = ::recv(fd, all.data() + done, size - done, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return all.substr(0, done);
    done += static_cast<size_t>(got);
  }
  return all;
}

inline bool WriteAll(int fd, absl::string_view data) {
  while (!data.empty()) {
    const ssize_t sent = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    data.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

// A real server: runs `serve(connection)` on a thread for each connection.
class Server {
 public:
  explicit Server(std::function<void(int)> serve) : serve_(std::move(serve)) {
    endpoint_.address = Loopback();
    listener_ = Listen(&endpoint_);
    thread_ = std::thread([this] { Run(); });
  }
  ~Server() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    for (std::thread& worker : workers_) worker.join();
  }
  const net::Endpoint& endpoint() const { return endpoint_; }
  int accepted() const { return accepted_.load(); }

 private:
  void Run() {
    while (true) {
      const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      ++accepted_;
      SetTimeouts(fd);
      workers_.emplace_back([this, fd] {
        base::UniqueFd owned(fd);
        serve_(fd);
      });
    }
  }

  const std::function<void(int)> serve_;
  net::Endpoint endpoint_;
  base::UniqueFd listener_;
  std::atomic<int> accepted_{0};
  std::thread thread_;
  std::vector<std::thread> workers_;
};

// Answers with what it got, then its name, after the client's FIN.
inline std::function<void(int)> EchoAfterFin(const std::string& name) {
  return [name](int fd) { WriteAll(fd, absl::StrCat(ReadAll(fd), "|", name)); };
}

}  // namespace fairlead::dataplane::snat
