#include "cmd/fairlead/explain.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cmd/fairlead/admin_address.h"
#include "cmd/fairlead/json_field.h"
#include "cmd/fairlead/table.h"
#include "pkg/admin/client.h"

namespace fairlead::cmd {
namespace {

constexpr FlagSpec kExplainFlags[] = {
    {"client", "IP[:PORT]", "the client's address"},
    {"vip", "ADDRESS:PORT", "what the client connects to"},
    {"output", "text|json", "default text"},
    kAdminFlag,
};

int Print(const nlohmann::json& answer) {
  const bool colour = StdoutTakesColour();
  const std::string vip = TextOf(answer, "vip");
  const std::string server = TextOf(answer, "server");
  if (!vip.empty()) absl::PrintF("VIP     %s\n", Styled(vip, Style::kBold, colour));
  absl::PrintF("server  %s\n", server.empty()
                                   ? Styled("none", Style::kBad, colour)
                                   : absl::StrCat(Styled(server, Style::kGood, colour), " (",
                                                  TextOf(answer, "endpoint"), ")"));
  absl::PrintF("why     %s\n", Styled(TextOf(answer, "reason"), Style::kPlain, colour));
  for (const nlohmann::json& detail : ListOf(answer, "details")) {
    if (!detail.is_string()) continue;
    absl::PrintF("        %s\n", Styled(detail.get<std::string>(), Style::kPlain, colour));
  }
  return server.empty() ? kExitFailure : kExitOk;
}

}  // namespace

const CommandSpec kExplainCommand = {
    "explain", "--client IP[:PORT] --vip ADDRESS:PORT [--admin ADDR:PORT]",
    "Says which real server a client would get and why, or why none.", kExplainFlags};

int RunExplain(absl::Span<const std::string> arguments) {
  const ParseOutcome parsed = ParseOrExplain(kExplainCommand, arguments);
  if (parsed.code >= 0) return parsed.code;
  const Flags& flags = parsed.flags;
  if (flags.Get("client").empty()) return UsageError(kExplainCommand, "--client is missing");
  if (flags.Get("vip").empty()) return UsageError(kExplainCommand, "--vip is missing");
  const std::string output = flags.Get("output", "text");
  if (output != "text" && output != "json") {
    return UsageError(kExplainCommand, "--output must be text or json");
  }
  const auto admin = AdminAddress(flags);
  if (!admin.ok()) return UsageError(kExplainCommand, admin.status().message());
  const auto body = admin::AdminGet(
      *admin, absl::StrCat("/api/v1/explain?client=", admin::QueryEncode(flags.Get("client")),
                           "&vip=", admin::QueryEncode(flags.Get("vip"))));
  if (!body.ok()) return Failure(kExplainCommand, body.status().message());
  const auto json = nlohmann::json::parse(*body, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (output == "text") return Print(json);
  absl::PrintF("%s\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  return TextOf(json, "server").empty() ? kExitFailure : kExitOk;
}

}  // namespace fairlead::cmd
