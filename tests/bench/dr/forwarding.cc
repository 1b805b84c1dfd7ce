#include "tests/bench/dr/forwarding.h"

#include <bpf/bpf.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "tests/bench/dr/product.h"
#include "tests/bench/dr/programs.h"
#include "tests/bench/dr/vary.h"

namespace fairlead::bench {
namespace {

using dataplane::dr::Bytes;
using dataplane::dr::Mac;

constexpr uint32_t kFlows = 64 * 1024;
constexpr uint32_t kBatch = 64;  // frames between two runs of the receiving side: NAPI's budget
constexpr int kWaitsMax = 100;   // of a millisecond, for frames still under way

struct Interface {
  uint32_t ifindex = 0;
  Mac mac{};
};

absl::StatusOr<Interface> Find(const std::string& name) {
  Interface found;
  found.ifindex = if_nametoindex(name.c_str());
  if (found.ifindex == 0) return base::LastErrnoStatus(absl::StrCat("find interface ", name));
  const base::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  name.copy(request.ifr_name, sizeof(request.ifr_name) - 1);
  if (::ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0) {
    return base::LastErrnoStatus(absl::StrCat("read the MAC of ", name));
  }
  std::memcpy(found.mac.data(), request.ifr_hwaddr.sa_data, found.mac.size());
  return found;
}

absl::StatusOr<base::UniqueFd> Attach(int program, const Interface& interface, uint32_t flags) {
  LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);
  base::UniqueFd link(
      bpf_link_create(program, static_cast<int>(interface.ifindex), BPF_XDP, &options));
  if (!link.valid()) return base::LastErrnoStatus("attach an XDP program");
  return link;
}

// Generic receive offload: it costs a forwarder of single packets more than it gives. Attaching an
// XDP program to a veth turns it on.
absl::Status TurnGroOff(const std::string& interface) {
  const base::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ethtool_value value = {ETHTOOL_SGRO, 0};
  ifreq request{};
  interface.copy(request.ifr_name, sizeof(request.ifr_name) - 1);
  request.ifr_data = reinterpret_cast<char*>(&value);
  if (::ioctl(socket.get(), SIOCETHTOOL, &request) != 0) {
    return base::LastErrnoStatus(absl::StrCat("turn GRO off on ", interface));
  }
  return absl::OkStatus();
}

double Seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

absl::Status Generate(const Programs& programs, const Bytes& frame, uint32_t packets) {
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(),
              .data_size_in = static_cast<uint32_t>(frame.size()),
              .repeat = static_cast<int>(packets), .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
              .batch_size = kBatch);
  if (bpf_prog_test_run_opts(programs.generate(), &options) != 0) {
    return base::LastErrnoStatus("generate live frames");
  }
  return absl::OkStatus();
}

// Sends the packets and waits for the last of them.
absl::StatusOr<std::string> Send(const Programs& programs, const Bytes& frame, uint32_t packets) {
  const absl::StatusOr<uint64_t> before = programs.Sunk();
  if (!before.ok()) return before.status();
  const double start = Seconds();
  if (absl::Status status = Generate(programs, frame, packets); !status.ok()) return status;
  const double seconds = Seconds() - start;
  uint64_t received = 0;
  for (int i = 0; i < kWaitsMax && received < packets; ++i) {
    const absl::StatusOr<uint64_t> after = programs.Sunk();
    if (!after.ok()) return after.status();
    received = *after - *before;
    if (received < packets) ::usleep(1000);
  }
  return absl::StrCat("{\"sent\": ", packets, ", \"received\": ", received,
                      ", \"seconds\": ", seconds, "}");
}

absl::StatusOr<base::UniqueFd> AttachForwarder(Forwarder forwarder, const Programs& programs,
                                               const Product& product, const Interface& balancer) {
  switch (forwarder) {
    case Forwarder::kKernel:
      return Attach(programs.pass(), balancer, XDP_FLAGS_DRV_MODE);
    case Forwarder::kSwapMacs:
      return Attach(programs.swap_macs(), balancer, XDP_FLAGS_DRV_MODE);
    case Forwarder::kFairlead:
      return Attach(product.program(), balancer, XDP_FLAGS_DRV_MODE);
    case Forwarder::kFairleadGeneric:
      return Attach(product.program(), balancer, XDP_FLAGS_SKB_MODE);
  }
  return absl::InternalError("no such forwarder");
}

}  // namespace

absl::StatusOr<std::string> MeasureForwarding(const ForwardingOptions& options) {
  const auto generator = Find(options.generator);
  const auto balancer = Find(options.balancer);
  if (!generator.ok()) return generator.status();
  if (!balancer.ok()) return balancer.status();
  auto programs = Programs::Create();
  if (!programs.ok()) return programs.status();
  auto product = Product::Create(balancer->ifindex, balancer->mac);
  if (!product.ok()) return product.status();
  const auto sink = Attach((*programs)->sink(), *generator, XDP_FLAGS_DRV_MODE);
  if (!sink.ok()) return sink.status();
  const auto tested = AttachForwarder(options.forwarder, **programs, **product, *balancer);
  if (!tested.ok()) return tested.status();
  if (options.forwarder == Forwarder::kKernel) {
    if (auto status = TurnGroOff(options.balancer); !status.ok()) return status;
  }
  if (auto status = (*programs)->SetWire(generator->ifindex); !status.ok()) return status;
  Bytes frame = TcpTo(kVip4, dataplane::dr::kAck);
  std::copy(balancer->mac.begin(), balancer->mac.end(), frame.begin());
  std::copy(generator->mac.begin(), generator->mac.end(), frame.begin() + 6);
  (*programs)->traffic() = VaryFlows(frame, kFlows);
  const auto warmed_up = Send(**programs, frame, kFlows);
  if (!warmed_up.ok()) return warmed_up.status();
  return Send(**programs, frame, options.packets);
}

}  // namespace fairlead::bench
