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

// Of the IPv4 header, as it is in memory; without checksum and client's address.
uint32_t HeaderSum(const Bytes& frame) {
  uint32_t sum = 0;
  for (const size_t word : {0, 1, 2, 3, 4, 8, 9}) {
    uint16_t value;
    std::memcpy(&value, &frame[kEthernetBytes + 2 * word], sizeof(value));
    sum += value;
  }
  return sum;
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
  traffic.header_sum = is_ipv6 ? 0 : HeaderSum(frame);
  const std::vector<uint16_t> ports = PrintPorts().ToPorts();
  for (uint32_t i = 0; i < kBenchPorts; ++i) traffic.vip_ports[i] = htons(ports[i % ports.size()]);
  return traffic;
}

}  // namespace fairlead::bench
