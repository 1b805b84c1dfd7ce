#include "pkg/ha/neighbour_link.h"

#include <linux/if_ether.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/packet_socket.h"
#include "pkg/net/packet_filter.h"

namespace fairlead::ha {
namespace {

constexpr int kFramesPerTurn = 256;

}  // namespace

absl::Status NeighbourLink::Listen(uint32_t ifindex, net::IpFamily family) {
  if (sockets_.contains({ifindex, family})) return absl::OkStatus();
  auto made = family == net::IpFamily::kIpv4
                  ? base::OpenPacketSocket(ifindex, ETH_P_ARP, {})
                  : base::OpenPacketSocket(ifindex, ETH_P_IPV6, net::kAdvertisementFilter);
  if (!made.ok()) return made.status();
  sockets_.emplace(std::make_pair(ifindex, family), *std::move(made));
  return absl::OkStatus();
}

void NeighbourLink::KeepOnly(const std::vector<uint32_t>& ifindexes) {
  std::erase_if(sockets_, [&](const auto& entry) {
    return std::find(ifindexes.begin(), ifindexes.end(), entry.first.first) == ifindexes.end();
  });
}

absl::Status NeighbourLink::Send(uint32_t ifindex, net::IpFamily family,
                                 absl::Span<const uint8_t> frame) {
  if (absl::Status status = Listen(ifindex, family); !status.ok()) return status;
  const auto socket = sockets_.find({ifindex, family});
  if (::send(socket->second.get(), frame.data(), frame.size(), MSG_NOSIGNAL) >= 0) {
    return absl::OkStatus();
  }
  const absl::Status status = base::LastErrnoStatus(absl::StrCat("frame on interface ", ifindex));
  sockets_.erase(socket);
  return status;
}

std::vector<int> NeighbourLink::fds() const {
  std::vector<int> fds;
  for (const auto& [place, fd] : sockets_) fds.push_back(fd.get());
  return fds;
}

void NeighbourLink::Read(const std::function<void(uint32_t ifindex, const arp::Claim&)>& handle) {
  uint8_t frame[256];
  for (const auto& [place, fd] : sockets_) {
    for (int i = 0; i < kFramesPerTurn; ++i) {
      const ssize_t size = ::recv(fd.get(), frame, sizeof(frame), 0);
      if (size < 0) break;  // EAGAIN; or ENETDOWN, which is told once
      const std::optional<arp::Claim> claim =
          arp::ParseClaim(absl::MakeConstSpan(frame, static_cast<size_t>(size)));
      if (claim.has_value()) handle(place.first, *claim);
    }
  }
}

}  // namespace fairlead::ha
