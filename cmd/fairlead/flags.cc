#include "cmd/fairlead/flags.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "pkg/model/suggestion.h"

namespace fairlead::cmd {
namespace {

absl::StatusOr<const FlagSpec*> FindSpec(absl::Span<const FlagSpec> specs, absl::string_view name) {
  std::vector<absl::string_view> known;
  for (const FlagSpec& spec : specs) {
    if (spec.name == name && spec.later) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", name, " (", spec.help, ") is not supported yet in this version"));
    }
    if (spec.name == name) return &spec;
    if (!spec.later) known.push_back(spec.name);
  }
  const absl::string_view nearest = model::NearestWord(name, known);
  return absl::InvalidArgumentError(
      absl::StrCat("unknown flag --", name,
                   nearest.empty() ? "" : absl::StrCat("; did you mean --", nearest, "?")));
}

}  // namespace

absl::StatusOr<Flags> Flags::Parse(absl::Span<const FlagSpec> specs,
                                   absl::Span<const std::string> arguments) {
  Flags flags;
  bool only_positional = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    absl::string_view argument = arguments[i];
    if (only_positional || !absl::StartsWith(argument, "-") || argument == "-") {
      flags.positional_.emplace_back(argument);
      continue;
    }
    if (argument == "--") {
      only_positional = true;
      continue;
    }
    if (argument == "-h" || argument == "--help") {
      flags.values_["help"] = {""};
      continue;
    }
    if (!absl::StartsWith(argument, "--")) {
      return absl::InvalidArgumentError(
          absl::StrCat("unknown flag ", argument, "; flags begin with two dashes"));
    }
    argument.remove_prefix(2);
    const size_t equals = argument.find('=');
    const absl::string_view name = argument.substr(0, equals);
    const absl::StatusOr<const FlagSpec*> spec = FindSpec(specs, name);
    if (!spec.ok()) return spec.status();
    std::string value;
    if (equals != absl::string_view::npos) {
      if ((*spec)->value.empty()) {
        return absl::InvalidArgumentError(absl::StrCat("--", name, " takes no value"));
      }
      value = std::string(argument.substr(equals + 1));
    } else if (!(*spec)->value.empty()) {
      if (i + 1 == arguments.size()) {
        return absl::InvalidArgumentError(
            absl::StrCat("--", name, " needs a value: --", name, " ", (*spec)->value));
      }
      value = arguments[++i];
    }
    flags.values_[std::string(name)].push_back(std::move(value));
  }
  return flags;
}

std::string Flags::Get(absl::string_view name, absl::string_view fallback) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::string(fallback) : found->second.back();
}

std::vector<std::string> Flags::GetAll(absl::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

absl::StatusOr<int64_t> Flags::GetNumber(absl::string_view name, int64_t fallback, int64_t min,
                                         int64_t max) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return fallback;
  int64_t number = 0;
  const std::string& value = found->second.back();
  if (!absl::SimpleAtoi(value, &number) || number < min || number > max) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--", name, " ", model::Quoted(value), " is not a whole number from ", min, " to ", max));
  }
  return number;
}

std::string UsageText(const CommandSpec& command) {
  std::string text = absl::StrCat("Usage: ", command.program, " ", command.name,
                                  command.synopsis.empty() ? "" : " ", command.synopsis, "\n\n",
                                  command.summary, "\n");
  size_t width = 0;
  const auto head = [](const FlagSpec& flag) {
    return absl::StrCat("--", flag.name, flag.value.empty() ? "" : " ", flag.value);
  };
  for (const FlagSpec& flag : command.flags) {
    if (!flag.later) width = std::max(width, head(flag).size());
  }
  if (width > 0) text += "\nFlags:\n";
  for (const FlagSpec& flag : command.flags) {
    if (flag.later) continue;
    absl::StrAppendFormat(&text, "  %-*s  %s\n", static_cast<int>(width), head(flag), flag.help);
  }
  return text;
}

int UsageError(const CommandSpec& command, absl::string_view message) {
  absl::FPrintF(stderr, "%s %s: %s\nSee: %s %s --help\n", command.program, command.name, message,
                command.program, command.name);
  return kExitUsage;
}

int Failure(const CommandSpec& command, absl::string_view message) {
  absl::FPrintF(stderr, "%s %s: %s\n", command.program, command.name, message);
  return kExitFailure;
}

ParseOutcome ParseOrExplain(const CommandSpec& command, absl::Span<const std::string> arguments) {
  absl::StatusOr<Flags> flags = Flags::Parse(command.flags, arguments);
  if (!flags.ok()) return {Flags(), UsageError(command, flags.status().message())};
  if (flags->Has("help")) {
    absl::PrintF("%s", UsageText(command));
    return {Flags(), kExitOk};
  }
  return {*std::move(flags), -1};
}

}  // namespace fairlead::cmd
