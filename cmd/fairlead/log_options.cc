#include "cmd/fairlead/log_options.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "pkg/model/suggestion.h"

namespace fairlead::cmd {
namespace {

absl::StatusOr<base::LogLevel> DecodeLogLevel(const std::string& word) {
  if (word == "debug") return base::LogLevel::kDebug;
  if (word == "info") return base::LogLevel::kInfo;
  if (word == "warning") return base::LogLevel::kWarning;
  if (word == "error") return base::LogLevel::kError;
  return BadChoice("log-level", word, "debug, info, warning, error");
}

}  // namespace

absl::Status BadChoice(absl::string_view flag, const std::string& value,
                       absl::string_view choices) {
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, " ", model::Quoted(value), " must be one of ", choices));
}

absl::StatusOr<LogOptions> DecodeLogOptions(const Flags& flags) {
  LogOptions options;
  const auto level = DecodeLogLevel(flags.Get("log-level", "info"));
  if (!level.ok()) return level.status();
  options.level = *level;
  const std::string format = flags.Get("log-format", "text");
  if (format != "text" && format != "json") return BadChoice("log-format", format, "text, json");
  options.format = format == "json" ? base::LogFormat::kJson : base::LogFormat::kText;
  return options;
}

}  // namespace fairlead::cmd
