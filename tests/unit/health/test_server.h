// Real servers of every temper on loopback, for the probes' tests.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "pkg/base/unique_fd.h"
#include "pkg/net/endpoint.h"

namespace fairlead::health {

// Accepts on 127.0.0.1 or ::1, port 0 = any, and runs the handler in a thread per connection. The
// handler must end once the client has closed.
class TestServer {
 public:
  using Handler = std::function<void(int fd)>;
  explicit TestServer(Handler handler, const std::string& address = "127.0.0.1", uint16_t port = 0);
  ~TestServer();

  const net::Endpoint& endpoint() const { return endpoint_; }
  // Connections that came out of accept(2).
  int accepted() const { return accepted_; }

 private:
  void Run();

  const Handler handler_;
  net::Endpoint endpoint_;
  base::UniqueFd listener_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> accepted_ = 0;
  std::vector<std::thread> connections_;
  std::thread thread_;
};

// Handlers.
TestServer::Handler Silent();
TestServer::Handler Closes();
TestServer::Handler Resets();
// Says `text` without being asked, in pieces of `piece` bytes.
TestServer::Handler SaysAtOnce(std::string text, size_t piece = 1 << 20);
// Reads until the end of an HTTP request, stores it, says `text`, closes.
TestServer::Handler AnswersHttp(std::string text, std::string* request = nullptr);
// Reads a line and sends it back.
TestServer::Handler Echoes();

// Where nobody listens: connect is refused.
net::Endpoint RefusingEndpoint();

// A listener whose accept queue is full: the kernel drops further SYNs without an answer.
class FullListener {
 public:
  explicit FullListener(const std::string& address = "127.0.0.1");
  const net::Endpoint& endpoint() const { return endpoint_; }

 private:
  net::Endpoint endpoint_;
  base::UniqueFd listener_;
  std::vector<base::UniqueFd> fillers_;
};

base::UniqueFd Listen(const std::string& address, int backlog, net::Endpoint* endpoint,
                      uint16_t port = 0);
void WriteAll(int fd, const std::string& text);
// Waits (at most 5 s) until the client closes.
void WaitForClose(int fd);

}  // namespace fairlead::health
