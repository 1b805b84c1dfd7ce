// Each interface: driver, MTU, which XDP mode can be expected, LRO, reverse path filter.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "pkg/doctor/doctor.h"

namespace fairlead::doctor {
namespace {

// Drivers with ndo_bpf in Linux 6.12 (drivers/net), under the names that ethtool gives. A real
// attach is the only proof; doctor attaches nothing.
bool HasNativeXdp(const std::string& driver) {
  static constexpr const char* kDrivers[] = {
      "atlantic",      "bnxt_en",   "bonding", "ena",       "fec",        "fsl_dpa",
      "fsl_dpaa2_eth", "fsl_enetc", "gve",     "hv_netvsc", "i40e",       "ice",
      "igb",           "igc",       "ixgbe",   "ixgbevf",   "mana",       "mlx4_en",
      "mlx5_core",     "mvneta",    "mvpp2",   "nfp",       "qede",       "sfc",
      "st_gmac",       "stmmac",    "tun",     "veth",      "virtio_net", "vmxnet3"};
  return std::find(std::begin(kDrivers), std::end(kDrivers), driver) != std::end(kDrivers);
}

Finding CheckInterface(const HostTree& tree, const std::string& name, const InterfaceProbe& probe) {
  // A page less headroom and the tail of a socket buffer; ENA takes 3498, bnxt_en 3502, veth 3500.
  constexpr int64_t kSingleBufferMtuMax = 3498;
  const int64_t mtu = tree.ReadNumber(absl::StrCat("/sys/class/net/", name, "/mtu")).value_or(0);
  const bool native = HasNativeXdp(probe.driver);
  Finding finding{
      State::kOk, absl::StrCat("interface ", name),
      absl::StrCat(probe.driver.empty() ? "driver unknown" : probe.driver, ", MTU ", mtu, ", XDP ",
                   !native                     ? "generic only"
                   : mtu > kSingleBufferMtuMax ? "native if the driver takes frags"
                                               : "native by its driver",
                   probe.lro ? ", LRO on" : ""),
      ""};
  if (probe.lro) {
    finding.state = State::kWarning;
    absl::StrAppend(&finding.seen,
                    ": drivers refuse native XDP, and merged packets cannot be "
                    "forwarded");
    finding.fix = absl::StrCat("ethtool -K ", name, " lro off");
  }
  return finding;
}

}  // namespace

void CheckInterfaces(const HostTree& tree, const Probes& probes, Findings& findings) {
  for (const std::string& name : tree.Interfaces()) {
    const auto probe = probes.interfaces.find(name);
    findings.push_back(CheckInterface(
        tree, name, probe == probes.interfaces.end() ? InterfaceProbe() : probe->second));
    // Strict mode of RFC 3704 §2.2: a packet is dropped unless its answer would leave where it
    // came.
    if (tree.InForce(name, "rp_filter") == 1) {
      findings.push_back(
          {State::kWarning, absl::StrCat("reverse path filter of ", name),
           "strict: packets that come in another way than their answers leave are dropped. That "
           "breaks clientAddress Transparent with several routes, and checks along the path of "
           "direct routing",
           absl::StrCat("sysctl -w net/ipv4/conf/", name, "/rp_filter=2")});
    }
  }
}

}  // namespace fairlead::doctor
