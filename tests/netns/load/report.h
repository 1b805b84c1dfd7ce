// Report: what the load generator saw, as one JSON object.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace fairlead::netns {

struct Failure {
  double at = 0;       // CLOCK_MONOTONIC, seconds
  double started = 0;  // when its connection began
  std::string kind;    // "refused", "reset", "timeout", "truncated", "wrong", ...
  std::string phase;   // "connect", "answer", "partial answer"
  std::string server;  // the last server that answered on it
  std::string target;
  std::string detail;
  bool is_long = false;
};

class Report {
 public:
  void CountStart() { ++started_; }
  void CountHeld() { ++held_; }
  void CountOk(const std::string& server, double seconds);
  void CountLongAnswer(const std::string& server);
  void CountFailure(Failure failure);

  uint64_t done() const { return ok_ + failed_; }
  std::string ToJson() const;

 private:
  static constexpr size_t kFailuresKept = 2000;

  uint64_t started_ = 0;
  uint64_t held_ = 0;
  uint64_t ok_ = 0;
  uint64_t failed_ = 0;       // short connections
  uint64_t long_failed_ = 0;  // long connections
  uint64_t long_answers_ = 0;
  std::map<std::string, uint64_t> by_server_;
  std::map<std::string, uint64_t> kinds_;
  std::vector<Failure> failures_;
  std::vector<float> seconds_;
};

}  // namespace fairlead::netns
