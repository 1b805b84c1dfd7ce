// Frames to the print VIP, and how one becomes many flows.
#pragma once

#include <cstdint>

#include "tests/bench/dr/traffic.h"
#include "tests/packet/frames.h"

namespace fairlead::bench {

inline constexpr uint32_t kFirstClient = 0x0a800000;  // 10.128.0.0

dataplane::dr::Bytes TcpTo(const char* vip, uint8_t flags);
dataplane::dr::Bytes UdpTo(const char* vip);

// `frame` is one of the above; `flows` a power of two, 0 = 2^32. The destination ports are those of
// the print VIP, in turn.
BenchTraffic VaryFlows(const dataplane::dr::Bytes& frame, uint32_t flows,
                       uint32_t first_client = kFirstClient);

}  // namespace fairlead::bench
