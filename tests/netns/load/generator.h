// Generator: opens connections at a rate, sends one HTTP request on each, checks every byte of the
// answer and counts failures by kind; keeps long connections that ask again and again. One thread.
#pragma once

#include <list>
#include <string>
#include <vector>

#include "tests/netns/load/http_answer.h"
#include "tests/netns/load/options.h"
#include "tests/netns/load/report.h"

namespace fairlead::netns {

class Generator {
 public:
  explicit Generator(const LoadOptions& options);
  ~Generator();

  // Until the time is over, the number is reached or `*stop` is not 0; then waits for what is under
  // way.
  void Run(const volatile int* stop);
  const Report& report() const { return report_; }

 private:
  enum class Phase { kConnecting, kAnswer, kResting };
  struct Connection {
    int fd = -1;
    size_t target = 0;
    bool is_long = false;
    Phase phase = Phase::kConnecting;
    double started = 0;
    double deadline = 0;  // of the phase; kResting: when to ask again
    HttpAnswer answer;
    explicit Connection(const Expectation* expectation) : answer(expectation) {}
  };
  using Connections = std::list<Connection>;

  void StartDue(double now);
  void Start(bool is_long, double now);
  void OnReady(Connection& connection, uint32_t events, double now);
  void Ask(Connection& connection, double now);
  void Read(Connection& connection, double now);
  void OnAnswer(Connection& connection, double now);
  void CheckDeadlines(double now);
  void Fail(Connection& connection, const std::string& kind, const std::string& detail, double now);
  void Close(Connection& connection);
  void Sweep();

  const LoadOptions options_;
  std::vector<Expectation> expectations_;  // one per target
  const int epoll_;
  Report report_;
  Connections connections_;
  size_t short_open_ = 0;
  size_t long_open_ = 0;
  size_t next_target_ = 0;
  size_t next_source_ = 0;
  uint64_t started_ = 0;
  double next_start_ = 0;
  double next_check_ = 0;
  bool ending_ = false;
};

double Now();

}  // namespace fairlead::netns
