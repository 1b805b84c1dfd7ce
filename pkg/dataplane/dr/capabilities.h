// Capabilities: what of the kernel's rights mode DR needs, and which of it this process lacks
// (capabilities(7)). Never root as such.
#pragma once

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace fairlead::dataplane::dr {

struct Capability {
  int number;        // CAP_BPF
  const char* name;  // "BPF", as Docker writes it
};

// Those without which nothing is loaded. CAP_PERFMON: without it the verifier refuses to add a
// header's length to a pointer into the packet, and puts a barrier behind what the program writes
// on its stack (kernel/bpf/verifier.c: bypass_spec_v1, bypass_spec_v4).
absl::Span<const Capability> NeededCapabilities();

// Ok when this thread has all of them in effect. Error: FailedPrecondition, which names those that
// are missing and how a container or a unit is given them.
absl::Status CheckCapabilities();

}  // namespace fairlead::dataplane::dr
