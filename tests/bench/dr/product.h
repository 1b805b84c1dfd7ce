// Product: the measured program with its maps, filled as the daemon fills them (LoadProgram,
// KernelMapStore, MapWriter): the VIP "print" with the port list of the guide's example and 300
// real servers, TCP and UDP, IPv4 and IPv6, among 16 other VIPs with 16 real servers each.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/base/unique_fd.h"
#include "pkg/dataplane/dr/kernel_map_store.h"
#include "pkg/dataplane/dr/map_writer.h"
#include "pkg/dataplane/dr/program_object.h"
#include "tests/packet/frames.h"
#include "tests/packet/own_bpffs.h"

namespace fairlead::bench {

inline constexpr char kVip4[] = "10.10.10.150";
inline constexpr char kVip6[] = "fd00:10::150";

// Ports of the print VIP.
const net::PortSet& PrintPorts();

class Product {
 public:
  // `own_mac` is the MAC of `ifindex`, by which packets come and go. Errors: the kernel refuses the
  // program, or a VIP was not taken.
  static absl::StatusOr<std::unique_ptr<Product>> Create(uint32_t ifindex,
                                                         const dataplane::dr::Mac& own_mac);

  // Every slot of the print VIP's rings changes hands, by a change of weights: it is dirty from now
  // on.
  absl::Status ChangeEveryOwner();

  int program() const { return program_.get(); }
  // Packets forwarded so far, and how many of them found their server in the flow table.
  struct Forwarded {
    uint64_t packets = 0;
    uint64_t recorded = 0;
  };
  absl::StatusOr<Forwarded> CountForwarded() const;
  // Kernel memory of all maps, rings included. Source: /proc/self/fdinfo, "memlock".
  absl::StatusOr<uint64_t> MapBytes() const;

 private:
  Product() = default;
  absl::Status Apply();

  base::UniqueFd program_;
  std::unique_ptr<dataplane::dr::OwnBpffs> bpffs_;  // for the rings
  std::unique_ptr<dataplane::dr::KernelMapStore> store_;
  std::unique_ptr<dataplane::dr::MapWriter> writer_;
  std::vector<dataplane::dr::ServiceEntry> entries_;
};

}  // namespace fairlead::bench
