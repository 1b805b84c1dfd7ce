#include "cmd/fairlead/version.h"

#include "absl/strings/str_format.h"

namespace fairlead::cmd {

const CommandSpec kVersionCommand = {"version", "", "Prints the version.", {}};

const char* Version() { return FAIRLEAD_VERSION; }
const char* SourceRevision() { return FAIRLEAD_REVISION; }

int RunVersion(absl::Span<const std::string> arguments) {
  const ParseOutcome parsed = ParseOrExplain(kVersionCommand, arguments);
  if (parsed.code >= 0) return parsed.code;
  const std::string revision = SourceRevision();
  absl::PrintF("fairlead %s%s\n", Version(), revision.empty() ? "" : " (" + revision + ")");
  return kExitOk;
}

}  // namespace fairlead::cmd
