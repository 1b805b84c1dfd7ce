#include "cmd/fairlead/commands.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cmd/fairlead/check.h"
#include "cmd/fairlead/completion.h"
#include "cmd/fairlead/doctor.h"
#include "cmd/fairlead/explain.h"
#include "cmd/fairlead/operator.h"
#include "cmd/fairlead/operator_options.h"
#include "cmd/fairlead/pair_command.h"
#include "cmd/fairlead/prepare_realserver.h"
#include "cmd/fairlead/presets.h"
#include "cmd/fairlead/run.h"
#include "cmd/fairlead/run_options.h"
#include "cmd/fairlead/server_state_command.h"
#include "cmd/fairlead/status.h"
#include "cmd/fairlead/version.h"
#include "pkg/model/suggestion.h"

namespace fairlead::cmd {
namespace {

std::string HelpText() {
  std::string text =
      "Fairlead balances TCP connections to virtual IPs (VIPs) over real servers.\n\n"
      "Usage: fairlead COMMAND [ARGUMENTS]\n\nCommands:\n";
  for (const Command& command : AllCommands()) {
    absl::StrAppendFormat(&text, "  %-18s %s\n", command.spec.name, command.spec.summary);
  }
  absl::StrAppend(&text, "\nSee: fairlead COMMAND --help\n");
  return text;
}

int UnknownCommand(const std::string& name) {
  std::vector<absl::string_view> names;
  for (const Command& command : AllCommands()) {
    names.push_back(command.spec.name);
  }
  absl::FPrintF(stderr, "fairlead: unknown command %s%s\nSee: fairlead --help\n",
                model::Quoted(name), model::DidYouMean(name, names));
  return kExitUsage;
}

}  // namespace

absl::Span<const Command> AllCommands() {
  static const Command kCommands[] = {
      {kRunCommand, RunRun},
      {kOperatorCommand, RunOperator},
      {kCheckSpec, RunCheck},
      {kStatusCommand, RunStatus},
      {kDrainCommand, RunDrain},
      {kHaltCommand, RunHalt},
      {kOnlineCommand, RunOnline},
      {kTakeoverCommand, RunTakeover},
      {kStandbyCommand, RunStandby},
      {kExplainCommand, RunExplain},
      {kDoctorCommand, RunDoctor},
      {kPresetsSpec, RunPresets},
      {kPrepareRealserverCommand, RunPrepareRealserver},
      {kCompletionCommand, RunCompletion},
      {kVersionCommand, RunVersion},
  };
  return kCommands;
}

int RunCommandLine(absl::Span<const std::string> arguments) {
  if (arguments.empty()) {
    absl::FPrintF(stderr, "%s", HelpText());
    return kExitUsage;
  }
  const std::string& name = arguments[0];
  if (name == "--help" || name == "-h" || name == "help") {
    absl::PrintF("%s", HelpText());
    return kExitOk;
  }
  if (name == "--version") return RunVersion({});
  for (const Command& command : AllCommands()) {
    if (command.spec.name != name) continue;
    return command.run(arguments.subspan(1));
  }
  return UnknownCommand(name);
}

}  // namespace fairlead::cmd
