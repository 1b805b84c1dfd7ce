#include "tests/unit/health/test_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "gtest/gtest.h"

namespace fairlead::health {

base::UniqueFd Listen(const std::string& address, int backlog, net::Endpoint* endpoint,
                      uint16_t port) {
  *endpoint = net::Endpoint{*net::IpAddress::Parse(address), port};
  net::SocketAddress socket_address(*endpoint);
  base::UniqueFd fd(::socket(socket_address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int one = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  EXPECT_EQ(::bind(fd.get(), &socket_address.generic, socket_address.length), 0);
  if (backlog >= 0) {
    EXPECT_EQ(::listen(fd.get(), backlog), 0);
  }
  socket_address.length = sizeof(socket_address.ipv6);
  ::getsockname(fd.get(), &socket_address.generic, &socket_address.length);
  *endpoint = *socket_address.ToEndpoint();
  return fd;
}

TestServer::TestServer(Handler handler, const std::string& address, uint16_t port)
    : handler_(std::move(handler)) {
  listener_ = Listen(address, 4096, &endpoint_, port);
  thread_ = std::thread([this] { Run(); });
}

TestServer::~TestServer() {
  stopping_ = true;
  ::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
  for (std::thread& connection : connections_) connection.join();
}

void TestServer::Run() {
  while (!stopping_) {
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    ++accepted_;
    connections_.emplace_back([this, fd] {
      handler_(fd);
      ::close(fd);
    });
  }
}

void WriteAll(int fd, const std::string& text) {
  size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t got = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (got <= 0) return;
    sent += static_cast<size_t>(got);
  }
}

void WaitForClose(int fd) {
  pollfd wait{fd, POLLIN, 0};
  char scratch[4096];
  while (::poll(&wait, 1, 5000) > 0) {
    if (::recv(fd, scratch, sizeof(scratch), 0) <= 0) return;
  }
}

TestServer::Handler Silent() {
  return [](int fd) { WaitForClose(fd); };
}

TestServer::Handler Closes() {
  return [](int) {};
}

TestServer::Handler Resets() {
  return [](int fd) {
    const linger reset = {.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  };
}

TestServer::Handler SaysAtOnce(std::string text, size_t piece) {
  return [text = std::move(text), piece](int fd) {
    for (size_t i = 0; i < text.size(); i += piece) {
      WriteAll(fd, text.substr(i, piece));
      if (piece < text.size()) ::usleep(2000);
    }
    WaitForClose(fd);
  };
}

TestServer::Handler AnswersHttp(std::string text, std::string* request) {
  return [text = std::move(text), request](int fd) {
    std::string received;
    char buffer[4096];
    while (received.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = ::recv(fd, buffer, sizeof(buffer), 0);
      if (got <= 0) return;
      received.append(buffer, static_cast<size_t>(got));
    }
    if (request != nullptr) *request = received;
    WriteAll(fd, text);
  };
}

TestServer::Handler Echoes() {
  return [](int fd) {
    char buffer[4096];
    const ssize_t got = ::recv(fd, buffer, sizeof(buffer), 0);
    if (got > 0) WriteAll(fd, std::string(buffer, static_cast<size_t>(got)));
    WaitForClose(fd);
  };
}

net::Endpoint RefusingEndpoint() {
  net::Endpoint endpoint;
  Listen("127.0.0.1", -1, &endpoint);  // bound once, so that the port was free; closed again
  return endpoint;
}

FullListener::FullListener(const std::string& address_text) {
  listener_ = Listen(address_text, 0, &endpoint_);
  const net::SocketAddress address(endpoint_);
  // A queue of length 0 takes one connection; a few more make sure.
  for (int i = 0; i < 4; ++i) {
    fillers_.emplace_back(
        ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ::connect(fillers_.back().get(), &address.generic, address.length);
  }
  ::usleep(20000);
}

}  // namespace fairlead::health
