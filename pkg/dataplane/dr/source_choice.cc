#include "pkg/dataplane/dr/source_choice.h"

#include <tuple>

namespace fairlead::dataplane::dr {
namespace {

// Larger is better.
using Rank = std::tuple<int, bool, bool>;

Rank RankOf(const HostAddress& candidate, const net::IpAddress& server) {
  const bool holds_server =
      candidate.address.Masked(candidate.prefix_length) == server.Masked(candidate.prefix_length);
  const int full_length = server.is_ipv4() ? 32 : 128;
  return {holds_server ? candidate.prefix_length : -1, !candidate.deprecated,
          candidate.prefix_length < full_length};
}

}  // namespace

std::optional<net::IpAddress> ChooseSource(const HostAddresses& addresses, uint32_t ifindex,
                                           const net::IpAddress& server,
                                           const std::set<net::IpAddress>& vips) {
  const HostAddress* best = nullptr;
  for (const HostAddress& candidate : addresses) {
    if (candidate.ifindex != ifindex || !candidate.usable ||
        candidate.address.family() != server.family() || vips.count(candidate.address) != 0 ||
        candidate.address.is_link_local() != server.is_link_local()) {
      continue;
    }
    if (best == nullptr || RankOf(candidate, server) > RankOf(*best, server)) best = &candidate;
  }
  if (best == nullptr) return std::nullopt;
  return best->address;
}

}  // namespace fairlead::dataplane::dr
