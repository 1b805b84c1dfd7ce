// The tc filter that holds the program where the kernel has no TCX links (before Linux 6.6): in the
// clsact qdisc's ingress, under a handle and priority of ours (tc-bpf(8)). No state.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fairlead::dataplane::dr {

// Whether the qdisc was made; false: the interface has one.
absl::StatusOr<bool> MakeClsact(uint32_t ifindex);

// Puts the program there, in the place of ours if there is one.
absl::Status AttachTcFilter(uint32_t ifindex, int program);

// Takes our filter away, and with `qdisc_is_ours` the qdisc, unless others have filters in it.
void DetachTcFilter(uint32_t ifindex, bool qdisc_is_ours);

}  // namespace fairlead::dataplane::dr
