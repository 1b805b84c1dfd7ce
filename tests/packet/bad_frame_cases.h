// Frames made by hand, from the good to the malformed: Ethernet and VLAN tags, IPv4 and IPv6 with
// all that may stand before the ports, fragments, ICMP errors.
#pragma once

#include <string>
#include <vector>

#include "tests/packet/frames.h"

namespace fairlead::dataplane::dr {

struct FrameCase {
  std::string name;
  Bytes frame;
  bool is_forwarded;
};

// To the VIPs of ProgramTest. Fragments build on those before them in the list.
std::vector<FrameCase> AllFrameCases();

}  // namespace fairlead::dataplane::dr
