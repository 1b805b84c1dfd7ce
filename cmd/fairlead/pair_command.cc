#include "cmd/fairlead/pair_command.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"
#include "cmd/fairlead/admin_address.h"
#include "cmd/fairlead/json_field.h"
#include "cmd/fairlead/server_state_command.h"
#include "pkg/admin/client.h"

namespace fairlead::cmd {
namespace {

using nlohmann::json;

constexpr FlagSpec kPairFlags[] = {kAdminFlag};

int Switch(const CommandSpec& command, const char* word, absl::Span<const std::string> arguments) {
  const ParseOutcome parsed = ParseOrExplain(command, arguments);
  if (parsed.code >= 0) return parsed.code;
  if (!parsed.flags.positional().empty()) {
    return UsageError(command, "it takes no argument: the pair switches as a whole");
  }
  const auto admin = AdminAddress(parsed.flags);
  if (!admin.ok()) return UsageError(command, admin.status().message());
  const json request = {{"switch", word}, {"user", UserName()}};
  const auto body = admin::AdminPostJson(
      *admin, "/api/v1/pair", request.dump(-1, ' ', false, json::error_handler_t::replace));
  if (!body.ok()) return Failure(command, body.status().message());
  const json result = json::parse(*body, /*cb=*/nullptr, /*allow_exceptions=*/false);
  absl::PrintF("%s\n", TextOf(result, "message"));
  return kExitOk;
}

}  // namespace

const CommandSpec kTakeoverCommand = {
    "takeover", "[--admin ADDR:PORT]",
    "Makes this host of the pair the one that has the VIPs' addresses.", kPairFlags};
const CommandSpec kStandbyCommand = {
    "standby", "[--admin ADDR:PORT]",
    "Hands the VIPs' addresses to the other host of the pair, if it takes them.", kPairFlags};

int RunTakeover(absl::Span<const std::string> arguments) {
  return Switch(kTakeoverCommand, "Takeover", arguments);
}
int RunStandby(absl::Span<const std::string> arguments) {
  return Switch(kStandbyCommand, "Standby", arguments);
}

}  // namespace fairlead::cmd
