// One lookup of a host name with the system's resolver.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/net/ip_address.h"

namespace fairlead::resolver {

// getaddrinfo(3): /etc/hosts, DNS, search domains, whatever nsswitch.conf(5) says. Blocks, for half
// a minute when no name server answers. The addresses are sorted (IPv4 first), each once, and never
// none; those of a family that this host has no address of are left out (AI_ADDRCONFIG). Errors:
// NotFound (no such name, no address), Unavailable (no answer, no descriptor), with what to check.
absl::StatusOr<std::vector<net::IpAddress>> LookUpHost(const std::string& name);

}  // namespace fairlead::resolver
