#include "pkg/dataplane/dr/probe_request.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

#include <cstring>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace fairlead::dataplane::dr {
namespace {

constexpr uint16_t kArpRequest = 1;
constexpr uint8_t kNeighbourSolicitation = 135;
constexpr uint16_t kSolicitationBytes = 24;

void Put16(uint16_t value, std::string* frame) {
  frame->push_back(static_cast<char>(value >> 8));
  frame->push_back(static_cast<char>(value & 0xff));
}

void Put(absl::Span<const uint8_t> bytes, std::string* frame) {
  frame->append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

// RFC 1071, over the pseudo-header (RFC 8200 §8.1) and the message.
uint16_t Checksum(const ProbeTarget& target, absl::string_view message) {
  uint32_t sum = kSolicitationBytes + IPPROTO_ICMPV6;
  const auto add = [&sum](const uint8_t* bytes, size_t count) {
    for (size_t i = 0; i < count; i += 2)
      sum += static_cast<uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  };
  add(target.source.bytes().data(), 16);
  add(target.neighbour.bytes().data(), 16);
  add(reinterpret_cast<const uint8_t*>(message.data()), message.size());
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

void PutArp(const ProbeTarget& target, std::string* frame) {
  Put16(1, frame);  // Ethernet
  Put16(ETH_P_IP, frame);
  Put16(6 << 8 | 4, frame);  // address lengths
  Put16(kArpRequest, frame);
  Put(target.source_mac, frame);
  Put(target.source.bytes(), frame);
  Put(MacAddress{}, frame);
  Put(target.neighbour.bytes(), frame);
}

void PutSolicitation(const ProbeTarget& target, std::string* frame) {
  Put16(6 << 12, frame);
  Put16(0, frame);
  Put16(kSolicitationBytes, frame);
  frame->push_back(static_cast<char>(IPPROTO_ICMPV6));
  frame->push_back(static_cast<char>(255));  // RFC 4861 §7.1.1: else it is not answered
  Put(target.source.bytes(), frame);
  Put(target.neighbour.bytes(), frame);
  std::string message(8, '\0');
  message[0] = static_cast<char>(kNeighbourSolicitation);
  Put(target.neighbour.bytes(), &message);
  const uint16_t checksum = Checksum(target, message);
  message[2] = static_cast<char>(checksum >> 8);
  message[3] = static_cast<char>(checksum & 0xff);
  frame->append(message);
}

}  // namespace

std::string ProbeRequest(const ProbeTarget& target) {
  std::string frame;
  Put(target.neighbour_mac, &frame);
  Put(target.source_mac, &frame);
  if (target.neighbour.is_ipv4()) {
    Put16(ETH_P_ARP, &frame);
    PutArp(target, &frame);
  } else {
    Put16(ETH_P_IPV6, &frame);
    PutSolicitation(target, &frame);
  }
  return frame;
}

bpf::DrProbe MakeProbe(const ProbeTarget& target) {
  bpf::DrProbe probe{};
  probe.is_ipv6 = target.neighbour.is_ipv4() ? 0 : 1;
  std::memcpy(probe.neighbour, target.neighbour.bytes().data(), target.neighbour.bytes().size());
  std::memcpy(probe.neighbour_mac, target.neighbour_mac.data(), target.neighbour_mac.size());
  const std::string request = ProbeRequest(target);
  static_assert(sizeof(probe.request) == 78);
  std::memcpy(probe.request, request.data(), request.size());
  return probe;
}

}  // namespace fairlead::dataplane::dr
