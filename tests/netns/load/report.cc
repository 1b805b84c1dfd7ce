#include "tests/netns/load/report.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace fairlead::netns {
namespace {

std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\u%04x", static_cast<unsigned char>(c));
      quoted += escaped;
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6f", value);
  return text;
}

std::string Counts(const std::map<std::string, uint64_t>& counts) {
  std::string text = "{";
  for (const auto& [name, count] : counts) {
    if (text.size() > 1) text += ", ";
    text += Quoted(name) + ": " + std::to_string(count);
  }
  return text + "}";
}

std::string ToJsonText(const Failure& failure) {
  return "{\"at\": " + Number(failure.at) + ", \"started\": " + Number(failure.started) +
         ", \"kind\": " + Quoted(failure.kind) + ", \"phase\": " + Quoted(failure.phase) +
         ", \"server\": " + Quoted(failure.server) + ", \"target\": " + Quoted(failure.target) +
         ", \"detail\": " + Quoted(failure.detail) +
         ", \"long\": " + (failure.is_long ? "true" : "false") + "}";
}

}  // namespace

void Report::CountOk(const std::string& server, double seconds) {
  ++ok_;
  ++by_server_[server];
  seconds_.push_back(static_cast<float>(seconds));
}

void Report::CountLongAnswer(const std::string& server) {
  ++long_answers_;
  ++by_server_["long " + server];
}

void Report::CountFailure(Failure failure) {
  ++(failure.is_long ? long_failed_ : failed_);
  ++kinds_[failure.kind];
  if (failures_.size() < kFailuresKept) failures_.push_back(std::move(failure));
}

std::string Report::ToJson() const {
  std::vector<float> sorted = seconds_;
  std::sort(sorted.begin(), sorted.end());
  const auto percentile = [&sorted](double part) {
    if (sorted.empty()) return 0.0;
    return static_cast<double>(sorted[static_cast<size_t>(part * (sorted.size() - 1))]) * 1000;
  };
  std::string failures;
  for (const Failure& failure : failures_) {
    if (!failures.empty()) failures += ",\n  ";
    failures += ToJsonText(failure);
  }
  return "{\"started\": " + std::to_string(started_) + ", \"ok\": " + std::to_string(ok_) +
         ", \"failed\": " + std::to_string(failed_) +
         ", \"long_failed\": " + std::to_string(long_failed_) +
         ", \"long_answers\": " + std::to_string(long_answers_) +
         ", \"held\": " + std::to_string(held_) + ", \"p50_ms\": " + Number(percentile(0.5)) +
         ", \"p99_ms\": " + Number(percentile(0.99)) + ", \"max_ms\": " + Number(percentile(1.0)) +
         ", \"by_server\": " + Counts(by_server_) + ", \"kinds\": " + Counts(kinds_) +
         ", \"failures\": [" + failures + "]}\n";
}

}  // namespace fairlead::netns
