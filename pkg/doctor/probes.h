// Probes: what no file of /proc or /sys tells, asked of the kernel. Changes nothing.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pkg/net/ip_address.h"

namespace fairlead::doctor {

struct InterfaceProbe {
  std::string driver;  // "veth", "ixgbe"; "" when it does not say
  bool lro = false;    // large receive offload is on
};

struct Probes {
  std::string io_uring_refusal;  // why a ring could not be set up, and the fix; "" = it could
  int bpf_error = 0;             // errno of making a small BPF map; 0 = it could be made
  std::map<std::string, InterfaceProbe> interfaces;
  // Where each address that was asked for is: an interface, or "local route". Absent: not here.
  std::map<net::IpAddress, std::string> places;
};

Probes ProbeHost(const std::vector<std::string>& interfaces,
                 const std::vector<net::IpAddress>& addresses);

}  // namespace fairlead::doctor
