#include "cmd/fairlead/status.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "cmd/fairlead/admin_address.h"
#include "cmd/fairlead/status_text.h"
#include "cmd/fairlead/table.h"
#include "pkg/admin/client.h"
#include "pkg/model/suggestion.h"

namespace fairlead::cmd {
namespace {

constexpr FlagSpec kStatusFlags[] = {
    {"output", "table|json|wide", "default table on a terminal, else json"},
    {"watch", "", "show it again every second until Ctrl-C"},
    kAdminFlag,
};

enum class Output { kTable, kJson, kWide };

absl::StatusOr<Output> DecodeOutput(const Flags& flags) {
  const std::string word = flags.Get("output", StdoutIsTerminal() ? "table" : "json");
  if (word == "table") return Output::kTable;
  if (word == "json") return Output::kJson;
  if (word == "wide") return Output::kWide;
  return absl::InvalidArgumentError(
      absl::StrCat("--output ", model::Quoted(word), " must be one of table, json, wide"));
}

absl::StatusOr<std::string> Fetch(const net::Endpoint& admin, Output output) {
  const absl::StatusOr<std::string> body = admin::AdminGet(admin, "/api/v1/status");
  if (!body.ok()) return body.status();
  const auto json = nlohmann::json::parse(*body, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return absl::InternalError(
        absl::StrCat("the answer of ", admin.ToString(), " is not a status in JSON"));
  }
  if (output == Output::kJson) {
    return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  }
  StatusTextOptions options;
  options.detail = output == Output::kWide ? StatusDetail::kWide : StatusDetail::kTable;
  options.colour = StdoutTakesColour();
  options.now = absl::Now();
  options.zone = absl::LocalTimeZone();
  return StatusText(json, options);
}

int Watch(const net::Endpoint& admin, Output output) {
  // Clear and go home, once per picture (ECMA-48 ED, CUP).
  const char* clear = StdoutIsTerminal() ? "\033[H\033[2J" : "";
  while (true) {
    const absl::StatusOr<std::string> text = Fetch(admin, output);
    absl::PrintF("%s%s", clear, text.ok() ? *text : absl::StrCat(text.status().message(), "\n"));
    if (std::fflush(stdout) != 0) return kExitFailure;
    absl::SleepFor(absl::Seconds(1));
  }
}

}  // namespace

const CommandSpec kStatusCommand = {
    "status", "[--output table|json|wide] [--watch] [--admin ADDR:PORT]",
    "Shows VIPs, real servers, health and connections of a running daemon, problems first.",
    kStatusFlags};

int RunStatus(absl::Span<const std::string> arguments) {
  const ParseOutcome parsed = ParseOrExplain(kStatusCommand, arguments);
  if (parsed.code >= 0) return parsed.code;
  if (!parsed.flags.positional().empty()) {
    return UsageError(kStatusCommand, absl::StrCat("unexpected argument ",
                                                   model::Quoted(parsed.flags.positional()[0])));
  }
  const auto output = DecodeOutput(parsed.flags);
  if (!output.ok()) return UsageError(kStatusCommand, output.status().message());
  const auto admin = AdminAddress(parsed.flags);
  if (!admin.ok()) return UsageError(kStatusCommand, admin.status().message());
  if (parsed.flags.Has("watch")) return Watch(*admin, *output);
  const absl::StatusOr<std::string> text = Fetch(*admin, *output);
  if (!text.ok()) return Failure(kStatusCommand, text.status().message());
  absl::PrintF("%s", *text);
  return kExitOk;
}

}  // namespace fairlead::cmd
