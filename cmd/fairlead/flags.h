// The command line's flags: `--name VALUE`, `--name=VALUE`, `--switch`, and positional arguments.
// Pure but for PrintUsage.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace fairlead::cmd {

// Exit codes of every subcommand.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;  // it did not work
inline constexpr int kExitUsage = 2;    // the command line is wrong

struct FlagSpec {
  absl::string_view name;   // "io-engine"
  absl::string_view value;  // "auto|io_uring|epoll"; "" = a switch without a value
  absl::string_view help;   // one line, without a full stop
  // Of a later version: refused in words instead of being unknown.
  bool later = false;
};

class Flags {
 public:
  // Errors (InvalidArgument) name the flag, and the nearest known one.
  static absl::StatusOr<Flags> Parse(absl::Span<const FlagSpec> specs,
                                     absl::Span<const std::string> arguments);

  bool Has(absl::string_view name) const { return values_.contains(name); }
  // The last value given, or `fallback`.
  std::string Get(absl::string_view name, absl::string_view fallback = "") const;
  // Every value given, in that order: `--vip A --vip B`.
  std::vector<std::string> GetAll(absl::string_view name) const;
  // A whole number in [min, max]; `fallback` when the flag is absent.
  absl::StatusOr<int64_t> GetNumber(absl::string_view name, int64_t fallback, int64_t min,
                                    int64_t max) const;
  const std::vector<std::string>& positional() const { return positional_; }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::vector<std::string> positional_;
};

// One subcommand as help and completion see it.
struct CommandSpec {
  absl::string_view name;
  absl::string_view synopsis;  // after the name: "REALSERVER [--vip NAME] [--wait]"
  absl::string_view summary;   // one line
  absl::Span<const FlagSpec> flags;
  absl::string_view program = "fairlead";  // what the user typed before the name
};

// Parses and deals with --help and mistakes. A value: go on with `flags`; else exit with `code`.
struct ParseOutcome {
  Flags flags;
  int code = -1;  // -1 = go on
};
ParseOutcome ParseOrExplain(const CommandSpec& command, absl::Span<const std::string> arguments);

// The text of `fairlead COMMAND --help`.
std::string UsageText(const CommandSpec& command);
// "fairlead drain: <message>" on stderr with the hint where help is; returns kExitUsage.
int UsageError(const CommandSpec& command, absl::string_view message);
// "fairlead drain: <message>" on stderr; returns kExitFailure.
int Failure(const CommandSpec& command, absl::string_view message);

}  // namespace fairlead::cmd
