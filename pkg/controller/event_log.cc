#include "pkg/controller/event_log.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace fairlead::controller {
namespace {

const char* LevelWord(base::LogLevel level) {
  switch (level) {
    case base::LogLevel::kDebug:
      return "debug";
    case base::LogLevel::kInfo:
      return "info";
    case base::LogLevel::kWarning:
      return "warning";
    case base::LogLevel::kError:
      return "error";
  }
  return "unknown";
}

void WriteLine(const Event& event) {
  if (event.subject.empty()) {
    base::Log(event.level, event.message, {{"reason", event.reason}});
  } else if (event.server.empty() && event.reason.empty()) {
    base::Log(event.level, event.message, {{event.kind, event.subject}});
  } else if (event.server.empty()) {
    base::Log(event.level, event.message, {{event.kind, event.subject}, {"reason", event.reason}});
  } else {
    base::Log(event.level, event.message,
              {{event.kind, event.subject}, {"server", event.server}, {"reason", event.reason}});
  }
}

}  // namespace

void EventLog::Record(const Event& event) {
  const std::string object =
      event.server.empty() ? event.subject : absl::StrCat(event.subject, " ", event.server);
  const std::string detail = event.detail.empty() ? "" : absl::StrCat(" ", event.detail);
  if (!Admit(absl::StrCat(event.message, ": ", object, detail))) {
    ++suppressed_total_;
    return;
  }
  if (event.audience != Event::Audience::kListOnly) WriteLine(event);
  if (event.audience == Event::Audience::kLogOnly) return;
  recent_.push_back({.number = ++recorded_total_,
                     .time = clock_.Now(),
                     .level = LevelWord(event.level),
                     .message = std::string(event.message),
                     .object = object,
                     .reason = event.reason,
                     .kind = event.kind,
                     .subject = event.subject,
                     .server = event.server});
  if (recent_.size() > kEventsKept) recent_.pop_front();
}

bool EventLog::Admit(const std::string& key) {
  const absl::Duration now = clock_.Monotonic();
  auto found = windows_.find(key);
  if (found == windows_.end()) {
    if (windows_.size() >= kWindowsMax) windows_.erase(windows_.begin());
    found = windows_.try_emplace(key, Window{.start = now}).first;
  } else if (now - found->second.start >= kWindow) {
    Report(key, found->second);
    found->second = Window{.start = now};
  }
  Window& window = found->second;
  if (window.lines >= kLinesPerWindow) {
    ++window.suppressed;
    return false;
  }
  ++window.lines;
  return true;
}

void EventLog::Tick() {
  const absl::Duration now = clock_.Monotonic();
  for (auto it = windows_.begin(); it != windows_.end();) {
    if (now - it->second.start < kWindow) {
      ++it;
      continue;
    }
    Report(it->first, it->second);
    it = windows_.erase(it);
  }
}

void EventLog::Report(const std::string& key, const Window& window) const {
  if (window.suppressed == 0) return;
  base::LogWarning("identical log lines were left out",
                   {{"event", key}, {"count", absl::StrCat(window.suppressed)}});
}

}  // namespace fairlead::controller
