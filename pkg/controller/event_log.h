// EventLog: every change of state, once in the log as a structured line and once in the list that
// status and the web page show. A flood of the same event (a flapping server) is bounded: at most
// `kLinesPerWindow` lines of one event in `kWindow`, then one line that says how many were left
// out. Controller thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/base/log.h"
#include "pkg/controller/view.h"

namespace fairlead::controller {

// Identical events, for the bound, are those with equal `message`, `subject`, `server` and
// `detail`.
struct Event {
  // Plans come and go with every flip: they belong into the log, but not into the list for people.
  // What the configuration's source has logged with its places belongs into the list only.
  enum class Audience { kEverybody, kLogOnly, kListOnly };

  base::LogLevel level = base::LogLevel::kInfo;
  absl::string_view message;  // constant text
  std::string kind;           // "vip", "server", "object", ...: the key of `subject` in the line
  std::string subject;        // "default/dispatcher"
  std::string server;         // "" = the event is not about one server
  std::string reason;         // cause in words; "" = none
  std::string detail;         // not shown
  Audience audience = Audience::kEverybody;
};

class EventLog {
 public:
  static constexpr int kLinesPerWindow = 6;  // three times down and up again
  static constexpr absl::Duration kWindow = absl::Minutes(1);
  static constexpr size_t kEventsKept = 100;
  static constexpr size_t kWindowsMax = 4096;  // events remembered for their bound

  explicit EventLog(const base::Clock& clock) : clock_(clock) {}

  void Record(const Event& event);
  // Closes windows that are over: says how many lines were left out. Called at each tick.
  void Tick();

  // Newest last.
  std::vector<EventView> Recent() const { return {recent_.begin(), recent_.end()}; }
  uint64_t suppressed_total() const { return suppressed_total_; }

 private:
  struct Window {
    absl::Duration start;
    int lines = 0;
    uint64_t suppressed = 0;
  };

  // Whether this event may have a line now.
  bool Admit(const std::string& key);
  void Report(const std::string& key, const Window& window) const;

  const base::Clock& clock_;
  std::map<std::string, Window> windows_;
  std::deque<EventView> recent_;
  uint64_t recorded_total_ = 0;  // in `recent_`, ever
  uint64_t suppressed_total_ = 0;
};

}  // namespace fairlead::controller
