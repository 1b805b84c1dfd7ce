// NeighbourLink: sends ARP and neighbour discovery frames on interfaces, and hears who claims which
// address there. By packet sockets (packet(7)), which need CAP_NET_RAW. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "pkg/arp/claim_frame.h"
#include "pkg/base/unique_fd.h"
#include "pkg/net/ip_address.h"

namespace fairlead::ha {

class NeighbourLink {
 public:
  // Opens what it takes to hear claims of the family on the interface; again: nothing to do.
  // Errors: PermissionDenied without CAP_NET_RAW; the kernel's.
  absl::Status Listen(uint32_t ifindex, net::IpFamily family);
  // Closes the sockets of all other interfaces.
  void KeepOnly(const std::vector<uint32_t>& ifindexes);
  // Listens too. Errors: as above; ENETDOWN, ENXIO, ...: the socket is closed, to be made anew.
  absl::Status Send(uint32_t ifindex, net::IpFamily family, absl::Span<const uint8_t> frame);

  // To be polled for reading.
  std::vector<int> fds() const;
  // Calls `handle` with each claim that waits; a bounded number, so that a flood cannot hold it.
  void Read(const std::function<void(uint32_t ifindex, const arp::Claim&)>& handle);

 private:
  std::map<std::pair<uint32_t, net::IpFamily>, base::UniqueFd> sockets_;
};

}  // namespace fairlead::ha
