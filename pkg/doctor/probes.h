// Probes: what no file of /proc or /sys tells, asked of the kernel and of the
// network. Changes nothing.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "pkg/arp/claim_frame.h"
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
  // Other hosts' claims of VIPs in direct routing and of their real servers' addresses; which of
  // them were asked for, and why others could not be ("" = all were).
  std::set<arp::Claim> claims;
  std::set<net::IpAddress> asked;
  std::string ask_refusal;
};

// A VIP in direct routing, whose real servers must not answer ARP for it.
struct DirectVip {
  std::vector<net::IpAddress> addresses;
  std::vector<net::IpAddress> servers;
};

// Takes some seconds when there are direct VIPs.
Probes ProbeHost(const std::vector<std::string>& interfaces,
                 const std::vector<net::IpAddress>& addresses,
                 const std::vector<DirectVip>& direct_vips);

}  // namespace fairlead::doctor
