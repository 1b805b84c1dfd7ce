#include "cmd/fairlead/server_state_command.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "cmd/fairlead/admin_address.h"
#include "cmd/fairlead/format.h"
#include "cmd/fairlead/json_field.h"
#include "cmd/fairlead/table.h"
#include "pkg/admin/client.h"
#include "pkg/base/counted.h"

namespace fairlead::cmd {
namespace {

using nlohmann::json;

constexpr FlagSpec kStateFlags[] = {
    {"vip", "NAME", "only in this VIP; default: in every VIP that has the server"},
    {"wait", "",
     "wait until it is done: no connection is left (drain, halt), or it serves (online)"},
    kAdminFlag,
};

// (VIP's qualified name, server name) of what the command changed.
using Changed = std::set<std::pair<std::string, std::string>>;

struct Progress {
  bool done = false;
  bool gone = false;     // the servers are not in the configuration any more
  std::string sentence;  // "12 connections left, deadline 14:05:00 (in 4m02s)"
};

// Where the changed servers are now, from the status.
Progress Observe(const json& status, const Changed& changed, bool online) {
  uint64_t connections = 0;
  bool connections_known = true;
  size_t found = 0;
  size_t serving = 0;
  absl::Time deadline = absl::InfinitePast();
  std::string health;
  for (const json& vip : ListOf(status, "vips")) {
    const std::string name = absl::StrCat(TextOf(vip, "namespace"), "/", TextOf(vip, "name"));
    for (const json& server : ListOf(vip, "servers")) {
      if (!changed.contains({name, TextOf(server, "name")})) continue;
      ++found;
      connections += CountOf(server, "connections");
      connections_known &= !IsNull(server, "connections");
      deadline = std::max(deadline, TimeOf(server, "deadline"));
      serving += TextOf(server, "takes") != "None";
      health = TextOf(ObjectOf(server, "health"), "reason");
    }
  }
  Progress progress;
  progress.gone = found == 0;
  if (online) {
    progress.done = serving == found;
    progress.sentence = absl::StrCat("serves in ", serving, " of ", base::Counted(found, "VIP"),
                                     "; health: ", health);
    return progress;
  }
  const absl::Time now = absl::Now();
  progress.done = connections_known ? connections == 0 : deadline <= now;
  progress.sentence = connections_known
                          ? absl::StrCat(base::Counted(connections, "connection"), " left")
                          : "how many connections are left is not known (mode DR)";
  if (deadline > now) {
    absl::StrAppend(&progress.sentence, ", deadline ",
                    ShortTime(deadline, now, absl::LocalTimeZone()), " (in ",
                    ShortDuration(deadline - now), ")");
  }
  return progress;
}

// Prints a line per change on a pipe, and one line that rewrites itself on a terminal.
class ProgressLine {
 public:
  void Show(const std::string& sentence) {
    if (sentence == last_) return;
    last_ = sentence;
    if (terminal_) {
      absl::PrintF("\r\033[K%s", sentence);
    } else {
      absl::PrintF("%s\n", sentence);
    }
    std::fflush(stdout);
  }
  void End() const {
    if (terminal_) absl::PrintF("\n");
  }

 private:
  const bool terminal_ = StdoutIsTerminal();
  std::string last_;
};

int WaitUntilDone(const CommandSpec& command, const net::Endpoint& admin, const Changed& changed,
                  bool online) {
  ProgressLine line;
  while (true) {
    const auto body = admin::AdminGet(admin, "/api/v1/status");
    if (!body.ok()) {
      line.End();
      return Failure(command, body.status().message());
    }
    const json status = json::parse(*body, /*cb=*/nullptr, /*allow_exceptions=*/false);
    const Progress progress = Observe(status, changed, online);
    line.Show(progress.gone ? "the server is not in the configuration any more"
                            : progress.sentence);
    if (progress.done || progress.gone) {
      line.End();
      return kExitOk;
    }
    absl::SleepFor(absl::Milliseconds(500));
  }
}

int SetState(const CommandSpec& command, const char* state,
             absl::Span<const std::string> arguments) {
  const ParseOutcome parsed = ParseOrExplain(command, arguments);
  if (parsed.code >= 0) return parsed.code;
  const std::vector<std::string>& names = parsed.flags.positional();
  if (names.size() != 1) {
    return UsageError(command, names.empty() ? "name the real server, as `fairlead status` shows it"
                                             : "name one real server at a time");
  }
  const auto admin = AdminAddress(parsed.flags);
  if (!admin.ok()) return UsageError(command, admin.status().message());
  const json request = {{"server", names[0]},
                        {"vip", parsed.flags.Get("vip")},
                        {"state", state},
                        {"user", UserName()}};
  const auto body =
      admin::AdminPostJson(*admin, "/api/v1/servers/state",
                           request.dump(-1, ' ', false, json::error_handler_t::replace));
  if (!body.ok()) return Failure(command, body.status().message());
  const json result = json::parse(*body, /*cb=*/nullptr, /*allow_exceptions=*/false);
  absl::PrintF("%s\n", TextOf(result, "message"));
  if (const std::string warning = TextOf(result, "warning"); !warning.empty()) {
    absl::FPrintF(stderr, "warning: %s\n", warning);
  }
  if (!parsed.flags.Has("wait")) return kExitOk;
  Changed changed;
  for (const json& change : ListOf(result, "changes")) {
    changed.emplace(TextOf(change, "vip"), TextOf(change, "server"));
  }
  return WaitUntilDone(command, *admin, changed, absl::string_view(state) == "Online");
}

}  // namespace

std::string UserName() {
  if (const char* user = std::getenv("SUDO_USER"); user != nullptr) return user;
  const passwd* entry = ::getpwuid(::geteuid());
  return entry == nullptr ? "" : entry->pw_name;
}

const CommandSpec kDrainCommand = {
    "drain", "REALSERVER [--vip NAME] [--wait] [--admin ADDR:PORT]",
    "Gives a real server no new clients; connected and persistent ones stay until the deadline.",
    kStateFlags};
const CommandSpec kHaltCommand = {
    "halt", "REALSERVER [--vip NAME] [--wait] [--admin ADDR:PORT]",
    "Takes a real server out; its connections are cut after 10 s, and it is not checked any more.",
    kStateFlags};
const CommandSpec kOnlineCommand = {
    "online", "REALSERVER [--vip NAME] [--wait] [--admin ADDR:PORT]",
    "Gives a real server clients again, as soon as it is healthy.", kStateFlags};

int RunDrain(absl::Span<const std::string> arguments) {
  return SetState(kDrainCommand, "Drain", arguments);
}
int RunHalt(absl::Span<const std::string> arguments) {
  return SetState(kHaltCommand, "Halt", arguments);
}
int RunOnline(absl::Span<const std::string> arguments) {
  return SetState(kOnlineCommand, "Online", arguments);
}

}  // namespace fairlead::cmd
