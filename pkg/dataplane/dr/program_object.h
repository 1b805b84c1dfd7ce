// The BPF program that is embedded in this binary: checked by the kernel's verifier, with its maps.
// The only file that knows libbpf's object and skeleton.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "pkg/base/unique_fd.h"

namespace fairlead::dataplane::dr {

// By their names in the BPF source; "tables" is the global variable's.
using MapDescriptors = std::map<std::string, base::UniqueFd>;

struct LoadedProgram {
  base::UniqueFd program;
  MapDescriptors maps;
  bool many_buffers = false;  // XDP: takes frames in several buffers (large MTUs; Linux 5.18)
};

enum class ProgramKind { kXdp, kTc };

// `reused`: maps of a program that ran before, of the same layout, used instead of new ones; may be
// empty. Errors: FailedPrecondition with the kernel's cause and what to do (capability, kernel
// version).
absl::StatusOr<LoadedProgram> LoadProgram(ProgramKind kind, const MapDescriptors& reused);

}  // namespace fairlead::dataplane::dr
