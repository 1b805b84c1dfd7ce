// Structured logging: a constant message plus key=value pairs, one line per event, on stderr.
//
//   LogInfo("real server is down", {{"vip", "dispatcher"}, {"server", "srv-1"}, {"reason", why}});
//
// Text form:  2026-01-02T03:04:05.678Z info  real server is down vip=dispatcher server=srv-1 ...
// JSON form:  {"time":"...","level":"info","message":"...","vip":"dispatcher",...}
// Thread-safe. A line is written with one write(2). Values are escaped, so that a hostile name can
// neither forge a line nor reach the terminal as control characters.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace fairlead::base {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

using LogField = std::pair<absl::string_view, std::string>;

// Called once at start, before other threads exist. Defaults: kInfo, kText.
void ConfigureLog(LogLevel minimum, LogFormat format);

void Log(LogLevel level, absl::string_view message, std::initializer_list<LogField> fields = {});

inline void LogDebug(absl::string_view message, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kDebug, message, fields);
}
inline void LogInfo(absl::string_view message, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kInfo, message, fields);
}
inline void LogWarning(absl::string_view message, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kWarning, message, fields);
}
inline void LogError(absl::string_view message, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kError, message, fields);
}

// Pure; exposed for tests. Formats one line, with its newline.
std::string FormatLogLine(LogFormat format, absl::string_view time_rfc3339, LogLevel level,
                          absl::string_view message, std::initializer_list<LogField> fields);

}  // namespace fairlead::base
