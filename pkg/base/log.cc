#include "pkg/base/log.h"

#include <unistd.h>

#include <atomic>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace fairlead::base {
namespace {

std::atomic<LogLevel> minimum_level{LogLevel::kInfo};
std::atomic<LogFormat> log_format{LogFormat::kText};

absl::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "unknown";
}

// RFC 8259 §7: the quotation mark, the reverse solidus and control characters must be escaped. DEL
// and everything below a blank is escaped too, because terminals act on them.
void AppendQuoted(std::string* out, absl::string_view text) {
  out->push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (c == '\n') {
      out->append("\\n");
    } else if (byte < 0x20 || byte == 0x7f) {
      absl::StrAppendFormat(out, "\\u%04x", byte);
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

bool IsPlainValue(absl::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f || c == '"' || c == '\\' || c == '=') return false;
  }
  return true;
}

std::string FormatText(absl::string_view time, LogLevel level, absl::string_view message,
                       std::initializer_list<LogField> fields) {
  std::string line = absl::StrFormat("%s %-7s %s", time, LevelName(level), message);
  for (const LogField& field : fields) {
    absl::StrAppend(&line, " ", field.first, "=");
    if (IsPlainValue(field.second)) {
      line.append(field.second);
    } else {
      AppendQuoted(&line, field.second);
    }
  }
  line.push_back('\n');
  return line;
}

std::string FormatJson(absl::string_view time, LogLevel level, absl::string_view message,
                       std::initializer_list<LogField> fields) {
  std::string line = "{";
  const auto add = [&line](absl::string_view key, absl::string_view value) {
    if (line.size() > 1) line.push_back(',');
    AppendQuoted(&line, key);
    line.push_back(':');
    AppendQuoted(&line, value);
  };
  add("time", time);
  add("level", LevelName(level));
  add("message", message);
  for (const LogField& field : fields) add(field.first, field.second);
  line.append("}\n");
  return line;
}

}  // namespace

void ConfigureLog(LogLevel minimum, LogFormat format) {
  minimum_level.store(minimum, std::memory_order_relaxed);
  log_format.store(format, std::memory_order_relaxed);
}

std::string FormatLogLine(LogFormat format, absl::string_view time_rfc3339, LogLevel level,
                          absl::string_view message, std::initializer_list<LogField> fields) {
  return format == LogFormat::kJson ? FormatJson(time_rfc3339, level, message, fields)
                                    : FormatText(time_rfc3339, level, message, fields);
}

void Log(LogLevel level, absl::string_view message, std::initializer_list<LogField> fields) {
  if (level < minimum_level.load(std::memory_order_relaxed)) return;
  const std::string time =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone());
  const std::string line =
      FormatLogLine(log_format.load(std::memory_order_relaxed), time, level, message, fields);
  // A log that cannot be written (closed stderr) must not stop the balancer.
  [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace fairlead::base
