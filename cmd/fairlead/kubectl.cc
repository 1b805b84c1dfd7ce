#include "cmd/fairlead/kubectl.h"

#include <cstdio>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "cmd/fairlead/cluster_session.h"
#include "cmd/fairlead/cluster_text.h"
#include "cmd/fairlead/json_field.h"
#include "cmd/fairlead/table.h"
#include "cmd/fairlead/version.h"
#include "pkg/model/suggestion.h"

namespace fairlead::cmd {
namespace {

using nlohmann::json;

constexpr absl::string_view kProgram = "kubectl fairlead";
constexpr int64_t kTimeoutSecondsMax = 7 * 24 * 3600;

constexpr FlagSpec kStatusFlags[] = {
    {"all-namespaces", "", "or -A"},
    {"output", "table|wide", "wide: what each daemon says; default table"},
    kNamespaceFlag,
    kContextFlag,
    kKubeconfigFlag,
};
constexpr FlagSpec kStateFlags[] = {
    {"wait", "", "wait until it is in force in every VIP (online: and the server is up)"},
    {"timeout", "SECONDS", "of --wait; default 300, 0 = for ever"},
    kNamespaceFlag,
    kContextFlag,
    kKubeconfigFlag,
};
constexpr FlagSpec kExplainFlags[] = {kNamespaceFlag, kContextFlag, kKubeconfigFlag};

const CommandSpec kStatus = {"status", "[-A] [--output table|wide] [flags]",
                             "Shows VIPs and real servers by their status, problems first.",
                             kStatusFlags, kProgram};
const CommandSpec kDrain = {"drain", "REALSERVER [--wait] [flags]",
                            "Sets spec.state of a RealServer to Drain: no new clients; connected "
                            "ones stay until the deadline.",
                            kStateFlags, kProgram};
const CommandSpec kHalt = {"halt", "REALSERVER [--wait] [flags]",
                           "Sets spec.state of a RealServer to Halt: its connections are cut after "
                           "10 s.",
                           kStateFlags, kProgram};
const CommandSpec kOnline = {"online", "REALSERVER [--wait] [flags]",
                             "Sets spec.state of a RealServer to Online.", kStateFlags, kProgram};
const CommandSpec kExplain = {
    "explain", "[vip/|realserver/]NAME [flags]",
    "Says why a VIP or a real server is ready or not; exit 1 when it is not.", kExplainFlags,
    kProgram};

ClusterTextOptions TextOptions() {
  ClusterTextOptions options;
  options.colour = StdoutTakesColour();
  options.now = absl::Now();
  return options;
}

int RunClusterStatus(absl::Span<const std::string> arguments) {
  const ParseOutcome parsed = ParseOrExplain(kStatus, arguments);
  if (parsed.code >= 0) return parsed.code;
  if (!parsed.flags.positional().empty()) {
    return UsageError(
        kStatus, absl::StrCat("unexpected argument ", model::Quoted(parsed.flags.positional()[0])));
  }
  const std::string output = parsed.flags.Get("output", "table");
  if (output != "table" && output != "wide") {
    return UsageError(kStatus, "--output must be table or wide; for JSON: kubectl get -o json");
  }
  auto session = ClusterSession::Open(parsed.flags);
  if (!session.ok()) return Failure(kStatus, session.status().message());
  const std::string name_space = parsed.flags.Has("all-namespaces") ? "" : (*session)->name_space();
  auto vips = (*session)->List(kube::kVips, name_space);
  if (!vips.ok()) return Failure(kStatus, vips.status().message());
  auto servers = (*session)->List(kube::kRealServers, name_space);
  if (!servers.ok()) return Failure(kStatus, servers.status().message());
  ClusterTextOptions options = TextOptions();
  options.wide = output == "wide";
  absl::PrintF("%s", ClusterStatusText({*std::move(vips), *std::move(servers)}, options));
  return kExitOk;
}

// No such object: the names that there are, and where other servers are drained.
int NoSuchServer(const CommandSpec& command, ClusterSession& session, const std::string& name) {
  const auto servers = session.List(kube::kRealServers, session.name_space());
  if (!servers.ok()) return Failure(command, servers.status().message());
  std::vector<std::string> names;
  for (const json& server : *servers) names.push_back(TextOf(ObjectOf(server, "metadata"), "name"));
  const std::vector<absl::string_view> known(names.begin(), names.end());
  return Failure(
      command, absl::StrCat("there is no RealServer ", model::Quoted(name), " in namespace ",
                            session.name_space(), model::DidYouMean(name, known),
                            ". Servers of a VIP's own list, and pods of a Service, are no objects "
                            "of ours: `fairlead drain` in each daemon's pod drains those"));
}

int WaitInForce(const CommandSpec& command, ClusterSession& session, const std::string& name,
                absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  std::string last;
  while (true) {
    const auto server = session.Get(kube::kRealServers, name);
    if (absl::IsNotFound(server.status())) return Failure(command, server.status().message());
    StateProgress progress;
    // An API server that is away for a moment ends no maintenance.
    progress.sentence = server.ok() ? "" : std::string(server.status().message());
    if (server.ok()) progress = ProgressOf(*server);
    if (progress.sentence != last) absl::PrintF("%s\n", progress.sentence);
    std::fflush(stdout);
    last = progress.sentence;
    if (progress.done) return kExitOk;
    if (absl::Now() >= deadline) {
      return Failure(command, absl::StrCat("not in force within ", absl::FormatDuration(timeout),
                                           "; the state stays as it was set"));
    }
    absl::SleepFor(absl::Seconds(1));
  }
}

int SetState(const CommandSpec& command, const std::string& state,
             absl::Span<const std::string> arguments) {
  const ParseOutcome parsed = ParseOrExplain(command, arguments);
  if (parsed.code >= 0) return parsed.code;
  if (parsed.flags.positional().size() != 1) {
    return UsageError(command, "name one RealServer, as `kubectl get realservers` shows it");
  }
  const std::string name(
      absl::StripPrefix(absl::StripPrefix(parsed.flags.positional()[0], "realserver/"), "rip/"));
  const auto seconds = parsed.flags.GetNumber("timeout", 300, 0, kTimeoutSecondsMax);
  if (!seconds.ok()) return UsageError(command, seconds.status().message());
  auto opened = ClusterSession::Open(parsed.flags);
  if (!opened.ok()) return Failure(command, opened.status().message());
  ClusterSession& session = **opened;
  const auto before = session.Get(kube::kRealServers, name);
  if (absl::IsNotFound(before.status())) return NoSuchServer(command, session, name);
  if (!before.ok()) return Failure(command, before.status().message());
  const auto after = session.MergePatch(kube::kRealServers, name, {{"spec", {{"state", state}}}});
  if (!after.ok()) return Failure(command, after.status().message());
  const std::string state_before = TextOf(ObjectOf(*before, "spec"), "state");
  absl::PrintF("real server %s/%s: %s -> %s\n", session.name_space(), name,
               state_before.empty() ? "Online" : state_before, state);
  std::fflush(stdout);
  if (!parsed.flags.Has("wait")) return kExitOk;
  const int code = WaitInForce(command, session, name,
                               *seconds == 0 ? absl::InfiniteDuration() : absl::Seconds(*seconds));
  if (code == kExitOk && state == "Drain") {
    absl::PrintF(
        "How many connections are left is not in the status; `fairlead status` in each "
        "daemon's pod counts them.\n");
  }
  return code;
}

int RunClusterDrain(absl::Span<const std::string> arguments) {
  return SetState(kDrain, "Drain", arguments);
}
int RunClusterHalt(absl::Span<const std::string> arguments) {
  return SetState(kHalt, "Halt", arguments);
}
int RunClusterOnline(absl::Span<const std::string> arguments) {
  return SetState(kOnline, "Online", arguments);
}

int Print(const Explained& explained) {
  absl::PrintF("%s", explained.text);
  return explained.ready ? kExitOk : kExitFailure;
}

int RunClusterExplain(absl::Span<const std::string> arguments) {
  const ParseOutcome parsed = ParseOrExplain(kExplain, arguments);
  if (parsed.code >= 0) return parsed.code;
  if (parsed.flags.positional().size() != 1) {
    return UsageError(kExplain, "name one VIP or real server: vip/NAME, realserver/NAME or NAME");
  }
  absl::string_view name = parsed.flags.positional()[0];
  const bool vip = absl::ConsumePrefix(&name, "vip/");
  const bool server =
      !vip && (absl::ConsumePrefix(&name, "realserver/") || absl::ConsumePrefix(&name, "rip/"));
  auto opened = ClusterSession::Open(parsed.flags);
  if (!opened.ok()) return Failure(kExplain, opened.status().message());
  ClusterSession& session = **opened;
  if (!server) {
    const auto object = session.Get(kube::kVips, std::string(name));
    if (object.ok()) return Print(ExplainVip(*object, TextOptions()));
    if (vip || !absl::IsNotFound(object.status())) {
      return Failure(kExplain, object.status().message());
    }
  }
  const auto object = session.Get(kube::kRealServers, std::string(name));
  if (object.ok()) return Print(ExplainRealServer(*object, TextOptions()));
  if (server || !absl::IsNotFound(object.status())) {
    return Failure(kExplain, object.status().message());
  }
  return Failure(kExplain,
                 absl::StrCat("there is neither a VIP nor a RealServer ", model::Quoted(name),
                              " in namespace ", session.name_space()));
}

std::string HelpText() {
  std::string text =
      "VIPs and real servers of Fairlead, by the API server.\n\n"
      "Usage: kubectl fairlead COMMAND [ARGUMENTS]\n\nCommands:\n";
  for (const Command& command : KubectlCommands()) {
    absl::StrAppendFormat(&text, "  %-8s %s\n", command.spec.name, command.spec.summary);
  }
  absl::StrAppend(&text, "\nSee: kubectl fairlead COMMAND --help\n");
  return text;
}

// The two short flags that everybody types after kubectl.
std::vector<std::string> Spelled(absl::Span<const std::string> arguments) {
  std::vector<std::string> spelled;
  for (const std::string& argument : arguments) {
    spelled.push_back(argument == "-n"   ? "--namespace"
                      : argument == "-A" ? "--all-namespaces"
                                         : argument);
  }
  return spelled;
}

}  // namespace

bool IsKubectlPlugin(absl::string_view program) {
  const size_t slash = program.rfind('/');
  if (slash != absl::string_view::npos) program.remove_prefix(slash + 1);
  return program == "kubectl-fairlead";
}

absl::Span<const Command> KubectlCommands() {
  static const Command kCommands[] = {{kStatus, RunClusterStatus},
                                      {kDrain, RunClusterDrain},
                                      {kHalt, RunClusterHalt},
                                      {kOnline, RunClusterOnline},
                                      {kExplain, RunClusterExplain}};
  return kCommands;
}

int RunKubectlCommandLine(absl::Span<const std::string> arguments) {
  if (arguments.empty()) {
    absl::FPrintF(stderr, "%s", HelpText());
    return kExitUsage;
  }
  const std::string& name = arguments[0];
  if (name == "--help" || name == "-h" || name == "help") {
    absl::PrintF("%s", HelpText());
    return kExitOk;
  }
  if (name == "--version" || name == "version") return RunVersion({});
  std::vector<absl::string_view> names;
  for (const Command& command : KubectlCommands()) {
    if (command.spec.name == name) return command.run(Spelled(arguments.subspan(1)));
    names.push_back(command.spec.name);
  }
  absl::FPrintF(stderr, "kubectl fairlead: unknown command %s%s\nSee: kubectl fairlead --help\n",
                model::Quoted(name), model::DidYouMean(name, names));
  return kExitUsage;
}

}  // namespace fairlead::cmd
