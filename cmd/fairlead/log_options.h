// --log-level and --log-format, of the commands that go on running. Pure.
#pragma once

#include "absl/status/statusor.h"
#include "cmd/fairlead/flags.h"
#include "pkg/base/log.h"

namespace fairlead::cmd {

inline constexpr FlagSpec kLogFormatFlag = {"log-format", "text|json", "default text"};
inline constexpr FlagSpec kLogLevelFlag = {"log-level", "debug|info|warning|error", "default info"};

struct LogOptions {
  base::LogLevel level = base::LogLevel::kInfo;
  base::LogFormat format = base::LogFormat::kText;
};

// Errors (InvalidArgument) name the flag and what it takes.
absl::StatusOr<LogOptions> DecodeLogOptions(const Flags& flags);

// "--flag "value" must be one of a, b".
absl::Status BadChoice(absl::string_view flag, const std::string& value, absl::string_view choices);

}  // namespace fairlead::cmd
