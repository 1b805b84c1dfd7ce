// Classic BPF programs for packet sockets; offsets count from Ethernet's header.
#pragma once

#include <linux/filter.h>
#include <netinet/in.h>

#include <array>

namespace fairlead::net {

// Passes neighbour advertisements (RFC 4861 §4.4) without extension headers, and nothing else.
inline constexpr std::array<sock_filter, 6> kAdvertisementFilter = {{
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 6),  // next header
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 3),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 40),  // type
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 136, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, 0xffff),
    BPF_STMT(BPF_RET | BPF_K, 0),
}};

}  // namespace fairlead::net
