#include "pkg/health/icmp_echo.h"

#include <algorithm>

#include "pkg/net/packet_bytes.h"

namespace fairlead::health {
namespace {

constexpr size_t kTokenAt = 8;
constexpr uint8_t kEchoRequestIpv4 = 8;
constexpr uint8_t kEchoReplyIpv4 = 0;
constexpr uint8_t kEchoRequestIpv6 = 128;
constexpr uint8_t kEchoReplyIpv6 = 129;

}  // namespace

EchoMessage BuildEchoRequest(net::IpFamily family, uint16_t identifier, const EchoToken& token) {
  EchoMessage message{};
  message[0] = family == net::IpFamily::kIpv4 ? kEchoRequestIpv4 : kEchoRequestIpv6;
  net::Put16(&message[4], identifier);
  net::Put16(&message[6], 1);
  std::copy(token.begin(), token.end(), message.begin() + kTokenAt);
  if (family == net::IpFamily::kIpv4) {
    net::InternetChecksum checksum;
    checksum.Add(message);
    net::Put16(&message[2], checksum.Finish());
  }
  return message;
}

bool IsEchoReply(net::IpFamily family, absl::Span<const uint8_t> message, const EchoToken& token) {
  const uint8_t reply = family == net::IpFamily::kIpv4 ? kEchoReplyIpv4 : kEchoReplyIpv6;
  return message.size() >= sizeof(EchoMessage) && message[0] == reply && message[1] == 0 &&
         std::equal(token.begin(), token.end(), message.begin() + kTokenAt);
}

}  // namespace fairlead::health
