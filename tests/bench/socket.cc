#include "tests/bench/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace fairlead::bench {
namespace {

// Answers go out at once: without this a second small segment waits for an acknowledgement.
void SetNoDelay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

const sockaddr* Generic(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace

void Fail(const std::string& what) {
  std::fprintf(stderr, "bench_traffic: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

sockaddr_in ParseEndpoint(const std::string& text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  const size_t colon = text.rfind(':');
  const int port = colon == std::string::npos ? 0 : std::atoi(text.c_str() + colon + 1);
  errno = EINVAL;
  if (port < 1 || port > 65535) Fail("endpoint \"" + text + "\" (want ADDRESS:PORT)");
  if (inet_pton(AF_INET, text.substr(0, colon).c_str(), &address.sin_addr) != 1) {
    Fail("endpoint \"" + text + "\" (want an IPv4 address)");
  }
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

int Listen(const sockaddr_in& address) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) Fail("socket");
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  SetNoDelay(fd);  // accepted sockets inherit it
  if (bind(fd, Generic(address), sizeof(address)) < 0) Fail("bind");
  if (listen(fd, 4096) < 0) Fail("listen");
  return fd;
}

int ConnectNow(const sockaddr_in& address) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) Fail("socket");
  if (connect(fd, Generic(address), sizeof(address)) < 0) Fail("connect");
  SetNoDelay(fd);
  if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) Fail("fcntl");
  return fd;
}

int StartConnect(const sockaddr_in& address) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) Fail("socket");
  if (connect(fd, Generic(address), sizeof(address)) < 0 && errno != EINPROGRESS) Fail("connect");
  return fd;
}

int CreateEpoll() {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) Fail("epoll_create1");
  return epoll;
}

void Watch(int epoll, int fd, uint32_t events, uint64_t data) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = data;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) Fail("epoll_ctl");
}

}  // namespace fairlead::bench
