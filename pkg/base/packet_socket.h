// Packet sockets: whole frames, in and out of one interface (packet(7)). Needs CAP_NET_RAW.
#pragma once

#include <linux/filter.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "pkg/base/unique_fd.h"

namespace fairlead::base {

// Non-blocking. Hears frames of the protocol (ETH_P_..., host order) that come in by the interface
// and that the classic BPF `filter` passes, whose offsets count from Ethernet's header; none before
// the filter is there. An empty filter passes all. Errors: PermissionDenied without CAP_NET_RAW;
// the kernel's, ENODEV for an interface that is gone.
absl::StatusOr<UniqueFd> OpenPacketSocket(uint32_t ifindex, uint16_t protocol,
                                          absl::Span<const sock_filter> filter);

}  // namespace fairlead::base
