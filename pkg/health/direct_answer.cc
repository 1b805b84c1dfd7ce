#include "pkg/health/direct_answer.h"

#include <netinet/in.h>

#include <array>

#include "pkg/health/tcp_segment.h"
#include "pkg/net/ip_frame.h"
#include "pkg/net/packet_bytes.h"

namespace fairlead::health {
namespace {

constexpr size_t kEchoSize = 8;  // RFC 792, RFC 4443 §4.1: type, code, sum, identifier, sequence
constexpr uint8_t kEchoRequestIpv4 = 8;
constexpr uint8_t kEchoReplyIpv4 = 0;
constexpr uint8_t kEchoRequestIpv6 = 128;
constexpr uint8_t kEchoReplyIpv6 = 129;

uint8_t IcmpOf(const net::IpAddress& address) {
  return address.is_ipv4() ? uint8_t{IPPROTO_ICMP} : uint8_t{IPPROTO_ICMPV6};
}

std::vector<uint8_t> FrameOf(const DirectQuestion& question, uint8_t protocol,
                             absl::Span<const uint8_t> payload) {
  return net::BuildIpFrame({.destination_mac = question.mac,
                            .source_mac = question.source_mac,
                            .source = question.source.address,
                            .destination = question.vip.address,
                            .protocol = protocol,
                            .payload = payload});
}

bool ReadTcp(const net::IpFrame& frame, DirectAnswer* answer) {
  const std::optional<TcpSegment> segment = ParseTcpSegment(frame.payload);
  if (!segment || !segment->ack || segment->syn == segment->rst) return false;
  answer->kind = segment->rst ? DirectAnswer::Kind::kReset : DirectAnswer::Kind::kSynAck;
  answer->vip.port = segment->source_port;
  answer->own.port = segment->destination_port;
  answer->token = segment->acknowledged - 1;
  return true;
}

bool ReadEcho(const net::IpFrame& frame, DirectAnswer* answer) {
  if (frame.payload.size() < kEchoSize) return false;
  const uint8_t reply = frame.source.is_ipv4() ? kEchoReplyIpv4 : kEchoReplyIpv6;
  if (frame.payload[0] != reply || frame.payload[1] != 0) return false;
  answer->kind = DirectAnswer::Kind::kEchoReply;
  answer->token = net::Get32(&frame.payload[4]);
  return true;
}

}  // namespace

std::vector<uint8_t> BuildDirectSyn(const DirectQuestion& question) {
  return FrameOf(question, IPPROTO_TCP, BuildSyn(question.source, question.vip, question.token));
}

std::vector<uint8_t> BuildDirectEcho(const DirectQuestion& question) {
  const bool ipv4 = question.source.address.is_ipv4();
  std::array<uint8_t, kEchoSize> echo{};
  echo[0] = ipv4 ? kEchoRequestIpv4 : kEchoRequestIpv6;
  net::Put32(&echo[4], question.token);
  net::InternetChecksum checksum;
  if (!ipv4) {  // RFC 4443 §2.3
    checksum.AddPseudoHeader(question.source.address, question.vip.address, IPPROTO_ICMPV6,
                             kEchoSize);
  }
  checksum.Add(echo);
  net::Put16(&echo[2], checksum.Finish());
  return FrameOf(question, IcmpOf(question.vip.address), echo);
}

std::optional<DirectAnswer> ParseDirectAnswer(absl::Span<const uint8_t> frame) {
  const std::optional<net::IpFrame> packet = net::ParseIpFrame(frame);
  if (!packet) return std::nullopt;
  DirectAnswer answer;
  answer.mac = packet->source_mac;
  answer.own_mac = packet->destination_mac;
  answer.vip.address = packet->source;
  answer.own.address = packet->destination;
  const uint8_t icmp = IcmpOf(packet->source);
  if (packet->protocol == IPPROTO_TCP ? ReadTcp(*packet, &answer)
                                      : packet->protocol == icmp && ReadEcho(*packet, &answer)) {
    return answer;
  }
  return std::nullopt;
}

std::vector<uint8_t> BuildDirectReset(const DirectAnswer& syn_ack) {
  const auto reset = BuildReset(syn_ack.own, syn_ack.vip, syn_ack.token + 1);
  return FrameOf({.mac = syn_ack.mac,
                  .source_mac = syn_ack.own_mac,
                  .source = syn_ack.own,
                  .vip = syn_ack.vip},
                 IPPROTO_TCP, reset);
}

}  // namespace fairlead::health
