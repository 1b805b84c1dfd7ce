// ArpWatch: asks again and again, on a thread of its own, who else claims the VIPs of this host.
//
//   SetVips --> [ every minute: Ask, where the VIPs and their real servers are ] -->
//   on_round(round)
//
// In direct routing a real server has the VIP too and must keep silent about it. One that answers
// ARP or neighbour discovery takes clients past the balancer, at random and until their caches end:
// the "ARP problem".
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/arp/ask.h"
#include "pkg/base/clock.h"
#include "pkg/net/ip_address.h"

namespace fairlead::arp {

struct WatchedVip {
  net::IpAddress address;
  std::set<uint32_t> ifindexes;  // of its real servers; those that have the address are added
  friend bool operator==(const WatchedVip&, const WatchedVip&) = default;
};

struct Round {
  std::set<net::IpAddress> asked;  // of the others nothing is known
  std::set<Claim> claims;          // by other hosts, of addresses that were asked for
  std::string problem{};           // why some could not be asked for; "" = none
};

// What there is to ask now: each address that an interface of this host has, on each interface that
// has it or reaches a real server. A VIP that is not here is somebody else's, and may be claimed.
std::vector<Question> QuestionsOf(const std::vector<WatchedVip>& vips,
                                  const Interfaces& interfaces);

class ArpWatch {
 public:
  // The first round comes so soon after SetVips with something new: the servers have just been
  // found, and their first checks are through.
  static constexpr absl::Duration kFirst = absl::Seconds(2);
  static constexpr absl::Duration kEvery = absl::Minutes(1);
  // While somebody claims a VIP, so that its end is soon seen.
  static constexpr absl::Duration kEveryWhileClaimed = absl::Seconds(10);

  // `on_round` runs on the watch's thread; it must not block or call the watch. `clock` outlives
  // the watch. Error: the descriptor or the thread could not be made.
  static absl::StatusOr<std::unique_ptr<ArpWatch>> Create(
      const base::Clock& clock, std::function<void(const Round&)> on_round);
  // No call of `on_round` after it returns.
  virtual ~ArpWatch() = default;

  // Thread-safe. Replaces what is watched; without VIPs nothing is asked.
  virtual void SetVips(std::vector<WatchedVip> vips) = 0;
};

}  // namespace fairlead::arp
