// PacketSocket: sends whole frames out of one interface, and hears whether an answer to ARP or ND
// reached the host's own stack (packet(7)). Any thread, one at a time.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pkg/base/unique_fd.h"
#include "pkg/net/ip_address.h"

namespace fairlead::dataplane::dr {

class PacketSocket {
 public:
  PacketSocket() = default;
  // Hears answers of `family` alone. Error: PermissionDenied without CAP_NET_RAW.
  static absl::StatusOr<PacketSocket> Open(uint32_t ifindex, net::IpFamily family);

  absl::Status Send(absl::string_view frame);
  // Whether answers came since the last call: frames that no program took before. Reads them.
  bool HeardAnswer();

 private:
  base::UniqueFd fd_;
};

}  // namespace fairlead::dataplane::dr
