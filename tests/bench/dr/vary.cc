#include "tests/bench/dr/vary.h"

#include <arpa/inet.h>

#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "tests/bench/dr/product.h"

namespace fairlead::bench {
namespace {

using dataplane::dr::Bytes;
using dataplane::dr::Flow;

constexpr size_t kEthernetBytes = 14;

Flow FlowTo(const std::string& vip) {
  const char* client = absl::StrContains(vip, ':') ? "fd00:20::1" : "10.128.0.0";
  return dataplane::dr::MakeFlow(client, 0x8000, vip, PrintPorts().first());
}

}  // namespace

Bytes TcpTo(const char* vip, uint8_t flags) { return dataplane::dr::TcpFrame(FlowTo(vip), flags); }

Bytes UdpTo(const char* vip) { return dataplane::dr::UdpFrame(FlowTo(vip)); }

BenchTraffic VaryFlows(const Bytes& frame, uint32_t flows, uint32_t first_client) {
  BenchTraffic traffic{};
  std::memcpy(traffic.macs, frame.data(), sizeof(traffic.macs));
  const bool is_ipv6 = frame[kEthernetBytes] >> 4 == 6;
  traffic.client_offset = kEthernetBytes + (is_ipv6 ? 20 : 12);
  traffic.ports_offset = kEthernetBytes + (is_ipv6 ? 40 : 20);
  traffic.first_client = first_client;
  traffic.flows_mask = flows - 1;
  const std::vector<uint16_t> ports = PrintPorts().ToPorts();
  for (uint32_t i = 0; i < kBenchPorts; ++i) traffic.vip_ports[i] = htons(ports[i % ports.size()]);
  return traffic;
}

}  // namespace fairlead::bench
