// Frames of anybody on the network into the parser of ARP and neighbour advertisements.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "pkg/arp/claim_frame.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto claim = fairlead::arp::ParseClaim(absl::MakeConstSpan(data, size));
  if (!claim) return 0;
  // Who claims nothing in particular claims nothing.
  if (claim->address.is_ipv4() && claim->address.is_unspecified()) std::abort();
  if (!claim->address.is_ipv4() && claim->address.is_multicast()) std::abort();
  return 0;
}
