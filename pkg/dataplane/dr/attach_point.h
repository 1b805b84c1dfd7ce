// Where the program hangs on an interface, and what keeps it there beyond the life of this process:
//
//   mode                       kept by                               pinned as
//   native, generic            an XDP link                           link-<ifindex>
//   tc, TCX (Linux 6.6)        a TCX link                            tcx-<ifindex>
//   tc, filter                 a filter of ours in the clsact qdisc  filter-<ifindex>,
//   clsact-<ifindex>
//
// A filter stays without a pin: filter-<ifindex>, the program, marks it as ours; clsact-<ifindex>
// says that the qdisc is ours too. No state; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pkg/base/unique_fd.h"
#include "pkg/dataplane/dr/program_object.h"

namespace fairlead::dataplane::dr {

// From the fastest to the slowest.
enum class AttachMode { kNative, kGeneric, kTcx, kTcFilter };
// "native", "generic", "tc", "tc, filter".
const char* AttachModeName(AttachMode mode);
bool IsXdp(AttachMode mode);
ProgramKind ProgramOf(AttachMode mode);

struct AttachPoint {
  AttachMode mode = AttachMode::kGeneric;
  uint32_t ifindex = 0;

  std::string PinName() const;
  // Nothing when it is no such name. An XDP link's mode is not in its name: it is kGeneric then.
  static std::optional<AttachPoint> OfPinName(absl::string_view name);
};

// Attaches `program`, of the mode's kind, and pins that in `directory`. The descriptor is the
// link's; a filter has none. Errors: AlreadyExists - XDP is taken by another program; else the
// kernel's refusal.
absl::StatusOr<base::UniqueFd> Attach(const AttachPoint& point, int program,
                                      const std::string& directory);

// Puts `program` in the place of the one that is attached and pinned in `directory`: no packet is
// missed. Error: it is not attached there any more, or refuses the program.
absl::StatusOr<base::UniqueFd> Replace(const AttachPoint& point, int program,
                                       const std::string& directory);

// Moves the pins from one directory to another; false: there are none.
bool MovePins(const AttachPoint& point, const std::string& from, const std::string& to);

// Takes away what is pinned there; who has a link's descriptor closes it as well. Nothing attached
// is no error.
void Detach(const AttachPoint& point, const std::string& directory);

// Whether an XDP link is attached in generic mode.
bool IsGeneric(uint32_t ifindex);

}  // namespace fairlead::dataplane::dr
