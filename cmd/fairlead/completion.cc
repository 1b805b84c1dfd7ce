#include "cmd/fairlead/completion.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "cmd/fairlead/commands.h"
#include "pkg/model/suggestion.h"

namespace fairlead::cmd {
namespace {

std::string CommandNames() {
  std::vector<absl::string_view> names;
  for (const Command& command : AllCommands()) names.push_back(command.spec.name);
  return absl::StrJoin(names, " ");
}

std::string FlagNames(const CommandSpec& spec) {
  std::vector<std::string> names = {"--help"};
  for (const FlagSpec& flag : spec.flags) {
    if (!flag.later) names.push_back(absl::StrCat("--", flag.name));
  }
  return absl::StrJoin(names, " ");
}

// "a|b|c" -> "a b c"; "" when the value is no choice.
std::string Choices(const FlagSpec& flag) {
  return absl::StrContains(flag.value, '|') ? absl::StrReplaceAll(flag.value, {{"|", " "}}) : "";
}

// Commands whose argument or flag is a path complete files as the shell does by default.
std::string BashScript() {
  std::string text = absl::StrFormat(
      "# bash completion for fairlead. Use: source <(fairlead completion bash)\n"
      "_fairlead() {\n"
      "  local word=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
      "  COMPREPLY=()\n"
      "  if [[ $COMP_CWORD -eq 1 ]]; then\n"
      "    COMPREPLY=($(compgen -W \"%s\" -- \"$word\")); return\n"
      "  fi\n"
      "  case \"${COMP_WORDS[1]} $previous\" in\n",
      CommandNames());
  for (const Command& command : AllCommands()) {
    for (const FlagSpec& flag : command.spec.flags) {
      if (flag.later || Choices(flag).empty()) continue;
      absl::StrAppendFormat(
          &text, "    \"%s --%s\") COMPREPLY=($(compgen -W \"%s\" -- \"$word\")); return ;;\n",
          command.spec.name, flag.name, Choices(flag));
    }
  }
  absl::StrAppend(&text,
                  "  esac\n  if [[ $word == -* ]]; then\n    case \"${COMP_WORDS[1]}\" in\n");
  for (const Command& command : AllCommands()) {
    absl::StrAppendFormat(&text, "      %s) COMPREPLY=($(compgen -W \"%s\" -- \"$word\")) ;;\n",
                          command.spec.name, FlagNames(command.spec));
  }
  absl::StrAppend(&text,
                  "    esac\n    return\n  fi\n"
                  "  [[ ${COMP_WORDS[1]} == completion ]] && "
                  "COMPREPLY=($(compgen -W \"bash zsh fish\" -- \"$word\"))\n"
                  "}\ncomplete -o default -F _fairlead fairlead\n");
  return text;
}

std::string ZshQuoted(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"'", "'\\''"}, {"[", "\\["}, {"]", "\\]"}, {":", "\\:"}});
}

std::string ZshScript() {
  std::string text =
      "#compdef fairlead\n# zsh completion for fairlead. Use: source <(fairlead completion zsh)\n"
      "_fairlead() {\n  local -a commands=(\n";
  for (const Command& command : AllCommands()) {
    absl::StrAppendFormat(&text, "    '%s:%s'\n", command.spec.name,
                          ZshQuoted(command.spec.summary));
  }
  absl::StrAppend(
      &text,
      "  )\n  if (( CURRENT == 2 )); then _describe command commands; return; fi\n"
      "  local command=$words[2]\n  shift words; (( CURRENT-- ))\n  case $command in\n");
  for (const Command& command : AllCommands()) {
    absl::StrAppendFormat(&text, "    %s) _arguments", command.spec.name);
    for (const FlagSpec& flag : command.spec.flags) {
      if (flag.later) continue;
      const std::string choices = Choices(flag);
      absl::StrAppendFormat(
          &text, " '--%s[%s]%s'", flag.name, ZshQuoted(flag.help),
          flag.value.empty()
              ? ""
              : absl::StrCat(":", ZshQuoted(flag.value), ":",
                             choices.empty() ? "_files" : absl::StrCat("(", choices, ")")));
    }
    const bool shells = command.spec.name == "completion";
    absl::StrAppendFormat(&text, " '*:argument:%s' ;;\n", shells ? "(bash zsh fish)" : "_files");
  }
  absl::StrAppend(&text, "  esac\n}\ncompdef _fairlead fairlead\n");
  return text;
}

std::string FishQuoted(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"'", "\\'"}});
}

std::string FishScript() {
  std::string text = "# fish completion for fairlead. Use: fairlead completion fish | source\n";
  for (const Command& command : AllCommands()) {
    absl::StrAppendFormat(&text, "complete -c fairlead -f -n __fish_use_subcommand -a %s -d '%s'\n",
                          command.spec.name, FishQuoted(command.spec.summary));
    for (const FlagSpec& flag : command.spec.flags) {
      if (flag.later) continue;
      const std::string choices = Choices(flag);
      const char* kind = flag.value.empty() ? "" : choices.empty() ? " -r" : " -x";
      absl::StrAppendFormat(
          &text, "complete -c fairlead -n '__fish_seen_subcommand_from %s' -l %s%s%s -d '%s'\n",
          command.spec.name, flag.name, kind,
          choices.empty() ? "" : absl::StrCat(" -a '", choices, "'"), FishQuoted(flag.help));
    }
  }
  absl::StrAppend(&text,
                  "complete -c fairlead -f -n '__fish_seen_subcommand_from completion' "
                  "-a 'bash zsh fish'\n");
  return text;
}

}  // namespace

const CommandSpec kCompletionCommand = {
    "completion", "bash|zsh|fish", "Prints the completion script of a shell.", {}};

std::string CompletionScript(absl::string_view shell) {
  if (shell == "bash") return BashScript();
  if (shell == "zsh") return ZshScript();
  if (shell == "fish") return FishScript();
  return "";
}

int RunCompletion(absl::Span<const std::string> arguments) {
  const ParseOutcome parsed = ParseOrExplain(kCompletionCommand, arguments);
  if (parsed.code >= 0) return parsed.code;
  const std::vector<std::string>& shells = parsed.flags.positional();
  const std::string script = shells.size() == 1 ? CompletionScript(shells[0]) : "";
  if (script.empty()) return UsageError(kCompletionCommand, "name one shell: bash, zsh or fish");
  absl::PrintF("%s", script);
  return kExitOk;
}

}  // namespace fairlead::cmd
