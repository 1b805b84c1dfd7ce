// Ask: who claims these addresses on the networks of these interfaces? By packet sockets
// (packet(7)), which need CAP_NET_RAW; the kernel's neighbour tables are neither read nor changed.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "pkg/arp/claim_frame.h"
#include "pkg/arp/interfaces.h"
#include "pkg/net/ip_address.h"

namespace fairlead::arp {

// An address to be asked for on an interface.
struct Question {
  uint32_t ifindex = 0;
  net::IpAddress address;
  friend bool operator==(const Question&, const Question&) = default;
  friend auto operator<=>(const Question&, const Question&) = default;
};

// The pace: at most 20 questions a second, each asked twice, half a second apart, for one frame may
// get lost; then answers have a second.
inline constexpr absl::Duration kBetweenQuestions = absl::Milliseconds(50);
inline constexpr absl::Duration kRepeatAfter = absl::Milliseconds(500);
inline constexpr absl::Duration kListenAfter = absl::Seconds(1);

struct Answers {
  // Those of addresses that were asked for, and not by a MAC of this host.
  std::set<Claim> claims;
  // The addresses that were asked for somewhere; of the others nothing is known.
  std::set<net::IpAddress> asked;
  // Why the others could not be: PermissionDenied without CAP_NET_RAW; the kernel's first refusal;
  // no IPv6 address to ask from. Interfaces that are down or gone are no error.
  absl::Status status;
};

// Blocks until all is asked and the time for answers is over, or `stop_fd` (-1 = none) is readable.
Answers Ask(const std::vector<Question>& questions, const Interfaces& interfaces, int stop_fd);

}  // namespace fairlead::arp
