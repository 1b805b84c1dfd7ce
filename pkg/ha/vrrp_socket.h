// VrrpSocket: sends and receives VRRP packets, IP protocol 112 with a time to live of 255 (raw(7)).
// Needs CAP_NET_RAW. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "pkg/base/unique_fd.h"
#include "pkg/net/ip_address.h"

namespace fairlead::ha {

// Where advertisements go.
struct VrrpTransport {
  // Unicast: only packets from the peer to this host's own address are heard. Absent: multicast on
  // `interface`, of `family`; unicast packets are not heard then.
  std::optional<net::IpAddress> peer;
  std::string interface;  // unicast: "" = wherever the peer is reached
  net::IpFamily family = net::IpFamily::kIpv4;
};

struct VrrpPacket {
  std::vector<uint8_t> payload;
  net::IpAddress source;
  net::IpAddress destination;
  int hop_limit = 0;
};

class VrrpSocket {
 public:
  // Errors: PermissionDenied without CAP_NET_RAW; no such interface, no way to the peer, no address
  // to send from: it may be tried again.
  static absl::StatusOr<VrrpSocket> Open(const VrrpTransport& transport);

  // This host's address on the way: the source of what is sent.
  const net::IpAddress& local() const { return local_; }
  // Where packets go: the peer, or the group.
  const net::IpAddress& destination() const { return destination_; }
  // The interface that has the local address.
  const std::string& interface() const { return interface_; }
  int fd() const { return fd_.get(); }

  absl::Status Send(absl::Span<const uint8_t> payload);
  // The next packet; nothing when none waits. What is not for this transport is left out.
  std::optional<VrrpPacket> Receive();

 private:
  VrrpSocket() = default;
  absl::Status SetUp(const VrrpTransport& transport, uint32_t ifindex);
  std::optional<VrrpPacket> ReceiveOne(bool* empty);

  base::UniqueFd fd_;
  bool unicast_ = false;
  net::IpAddress local_;
  net::IpAddress destination_;
  std::string interface_;
  uint32_t ifindex_ = 0;
};

}  // namespace fairlead::ha
