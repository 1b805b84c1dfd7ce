// Who listens on which TCP port, from /proc/net/tcp and tcp6.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pkg/doctor/host_tree.h"
#include "pkg/net/endpoint.h"

namespace fairlead::doctor {

struct Listener {
  net::Endpoint endpoint;  // an unspecified address: every address of the family
  bool is_ipv6 = false;    // of a wildcard: tcp6 (IPv4 too, unless the socket is IPv6 only)
  uint64_t inode = 0;
};

// Sockets in the state LISTEN. proc(5): the address as hexadecimal words of this host's byte order.
std::vector<Listener> ListeningPorts(const HostTree& tree);

// "nginx (pid 12)": the process that holds the socket; "" when it cannot be seen (another user's,
// or another PID namespace's).
std::string OwnerOf(const HostTree& tree, uint64_t inode);

}  // namespace fairlead::doctor
