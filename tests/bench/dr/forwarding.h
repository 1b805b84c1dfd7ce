// Packets per second over a veth pair, all of it on the CPU of this thread: the kernel makes live
// frames (BPF_F_TEST_XDP_LIVE_FRAMES, Linux 5.18), which cost little, and redirects them into the
// generator's end; what comes back from the balancer's end is counted and dropped there by XDP.
//
//   generate ->  [generator === balancer]  program under test, or the kernel's own forwarding
//   sink     <-  [generator === balancer]
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace fairlead::bench {

enum class Forwarder {
  kKernel,    // whatever the namespace is set up to do, behind a program that passes all
  kSwapMacs,  // native XDP
  kFairlead,  // native XDP
  kFairleadGeneric,
};

struct ForwardingOptions {
  std::string generator;  // names of interfaces in the namespace of this thread
  std::string balancer;
  Forwarder forwarder = Forwarder::kFairlead;
  uint32_t packets = 1'000'000;
};

// JSON: {"sent": N, "received": N, "seconds": S}. TCP packets of 64 k established flows to the
// print VIP of product.h. Errors: the kernel refuses a program, or an interface does not take it.
absl::StatusOr<std::string> MeasureForwarding(const ForwardingOptions& options);

}  // namespace fairlead::bench
