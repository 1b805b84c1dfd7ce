#include "tests/netns/load/generator.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace fairlead::netns {
namespace {

constexpr double kCheckSeconds = 0.02;

std::string ErrorKind(int error) {
  switch (error) {
    case ECONNREFUSED:
      return "refused";
    case ECONNRESET:
    case EPIPE:
      return "reset";
    case ETIMEDOUT:
      return "timeout";
    case EADDRNOTAVAIL:
      return "no client port";
    default:
      return ::strerrorname_np(error);
  }
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

double Now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

Generator::Generator(const LoadOptions& options)
    : options_(options), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  const bool is_who = options_.expected_file.empty();
  const std::string body = is_who ? "" : ReadAll(options_.expected_file);
  for (const int port : options_.server_ports) {
    expectations_.push_back({is_who, body, static_cast<uint16_t>(port)});
  }
}

Generator::~Generator() {
  for (Connection& connection : connections_) {
    if (connection.fd >= 0) ::close(connection.fd);
  }
  ::close(epoll_);
}

void Generator::Run(const volatile int* stop) {
  const double begin = Now();
  next_start_ = begin;
  epoll_event events[256];
  while (true) {
    const double now = Now();
    if (*stop != 0 || (options_.seconds > 0 && now - begin >= options_.seconds) ||
        (options_.count > 0 && started_ >= options_.count)) {
      ending_ = true;
    }
    if (!ending_) StartDue(now);
    if (ending_ && short_open_ == 0) return;
    const int count = ::epoll_wait(epoll_, events, static_cast<int>(std::size(events)), 1);
    const double later = Now();
    for (int i = 0; i < count; ++i) {
      OnReady(*static_cast<Connection*>(events[i].data.ptr), events[i].events, later);
    }
    if (later >= next_check_) CheckDeadlines(later);
    Sweep();
  }
}

void Generator::StartDue(double now) {
  while (long_open_ < options_.long_count) Start(true, now);
  if (options_.rate <= 0) return;
  while (next_start_ <= now && (options_.count == 0 || started_ < options_.count)) {
    if (short_open_ >= options_.concurrency) {
      report_.CountHeld();
      next_start_ = now;  // what could not be opened in time is not made up for
      return;
    }
    Start(false, now);
    next_start_ += 1 / options_.rate;
  }
}

void Generator::Start(bool is_long, double now) {
  const size_t target = next_target_++ % options_.targets.size();
  Connection& connection = connections_.emplace_back(&expectations_[target]);
  connection.target = target;
  connection.is_long = is_long;
  connection.started = now;
  connection.deadline = now + options_.timeout;
  ++(is_long ? long_open_ : short_open_);
  if (!is_long) ++started_;
  report_.CountStart();
  const Address& address = options_.targets[target];
  connection.fd =
      ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (connection.fd < 0) return Fail(connection, "no descriptor", std::strerror(errno), now);
  const int on = 1;
  ::setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (!options_.sources.empty()) {
    const Address& source = options_.sources[next_source_++ % options_.sources.size()];
    ::setsockopt(connection.fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    ::bind(connection.fd, reinterpret_cast<const sockaddr*>(&source.storage), source.length);
  }
  if (::connect(connection.fd, reinterpret_cast<const sockaddr*>(&address.storage),
                address.length) != 0 &&
      errno != EINPROGRESS) {
    return Fail(connection, ErrorKind(errno), std::strerror(errno), now);
  }
  epoll_event event{};
  event.events = EPOLLOUT;
  event.data.ptr = &connection;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
}

void Generator::OnReady(Connection& connection, uint32_t events, double now) {
  if (connection.fd < 0) return;
  if (connection.phase != Phase::kConnecting) return Read(connection, now);
  int error = 0;
  socklen_t size = sizeof(error);
  ::getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return Fail(connection, ErrorKind(error), std::strerror(error), now);
  if ((events & EPOLLOUT) == 0) return;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &connection;
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
  Ask(connection, now);
}

void Generator::Ask(Connection& connection, double now) {
  const std::string request = "GET " + options_.path + " HTTP/1.1\r\nHost: vip\r\nConnection: " +
                              (connection.is_long ? "keep-alive" : "close") + "\r\n\r\n";
  connection.phase = Phase::kAnswer;
  connection.deadline = now + options_.timeout;
  connection.answer.Reset();
  const ssize_t sent = ::send(connection.fd, request.data(), request.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(request.size())) {
    Fail(connection, sent < 0 ? ErrorKind(errno) : "short send", std::strerror(errno), now);
  }
}

void Generator::Read(Connection& connection, double now) {
  char buffer[64 * 1024];
  while (connection.fd >= 0) {
    const ssize_t got = ::recv(connection.fd, buffer, sizeof(buffer), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got < 0) return Fail(connection, ErrorKind(errno), std::strerror(errno), now);
    if (got == 0) return Fail(connection, "truncated", "end of stream", now);
    switch (connection.answer.Take({buffer, static_cast<size_t>(got)})) {
      case HttpAnswer::State::kIncomplete:
        break;
      case HttpAnswer::State::kComplete:
        return OnAnswer(connection, now);
      case HttpAnswer::State::kWrong:
        return Fail(connection, "wrong", connection.answer.problem(), now);
    }
  }
}

void Generator::OnAnswer(Connection& connection, double now) {
  if (!connection.is_long) {
    report_.CountOk(connection.answer.server(), now - connection.started);
    return Close(connection);
  }
  report_.CountLongAnswer(connection.answer.server());
  connection.phase = Phase::kResting;
  connection.deadline = now + options_.long_interval;
}

void Generator::CheckDeadlines(double now) {
  next_check_ = now + kCheckSeconds;
  for (Connection& connection : connections_) {
    if (connection.fd < 0 || now < connection.deadline) continue;
    if (connection.phase == Phase::kResting) {
      if (!ending_) Ask(connection, now);
    } else {
      Fail(connection, "timeout", "", now);
    }
  }
}

void Generator::Fail(Connection& connection, const std::string& kind, const std::string& detail,
                     double now) {
  const char* phase = connection.phase == Phase::kConnecting ? "connect"
                      : connection.answer.begun()            ? "partial answer"
                                                             : "answer";
  report_.CountFailure({now, connection.started, kind, phase, connection.answer.server(),
                        options_.targets[connection.target].text, detail, connection.is_long});
  Close(connection);
}

void Generator::Close(Connection& connection) {
  if (connection.fd >= 0) ::close(connection.fd);
  connection.fd = -1;
  --(connection.is_long ? long_open_ : short_open_);
  connection.deadline = -1;  // for Sweep
}

void Generator::Sweep() {
  connections_.remove_if([](const Connection& connection) { return connection.deadline < 0; });
}

}  // namespace fairlead::netns
