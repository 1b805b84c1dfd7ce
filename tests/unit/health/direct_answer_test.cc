#include "pkg/health/direct_answer.h"

#include <netinet/in.h>

#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "pkg/health/tcp_segment.h"
#include "pkg/net/ip_frame.h"
#include "pkg/net/packet_bytes.h"

namespace fairlead::health {
namespace {

constexpr net::MacAddress kServer = {2, 0, 0, 0, 0, 0x11};
constexpr net::MacAddress kOurs = {2, 0, 0, 0, 0, 1};
constexpr uint32_t kToken = 0xabcd1234;

DirectQuestion Question(bool ipv4, bool echo = false) {
  const uint16_t source_port = echo ? 0 : 40000;
  const uint16_t vip_port = echo ? 0 : 80;
  return {.mac = kServer,
          .source_mac = kOurs,
          .source = {*net::IpAddress::Parse(ipv4 ? "10.2.0.1" : "fd02::1"), source_port},
          .vip = {*net::IpAddress::Parse(ipv4 ? "10.2.0.100" : "fd02::100"), vip_port},
          .token = kToken};
}

// What the real server sends back.
std::vector<uint8_t> Reply(const DirectQuestion& question, uint8_t protocol,
                           const std::vector<uint8_t>& payload) {
  return net::BuildIpFrame({.destination_mac = question.source_mac,
                            .source_mac = question.mac,
                            .source = question.vip.address,
                            .destination = question.source.address,
                            .protocol = protocol,
                            .payload = payload});
}

std::vector<uint8_t> Segment(const DirectQuestion& question, uint8_t flags) {
  std::vector<uint8_t> segment(20);
  net::Put16(&segment[0], question.vip.port);
  net::Put16(&segment[2], question.source.port);
  net::Put32(&segment[8], question.token + 1);
  segment[12] = 5 << 4;
  segment[13] = flags;
  return segment;
}

uint16_t TransportChecksum(const net::IpFrame& frame) {
  net::InternetChecksum checksum;
  checksum.AddPseudoHeader(frame.source, frame.destination, frame.protocol,
                           static_cast<uint16_t>(frame.payload.size()));
  checksum.Add(frame.payload);
  return checksum.Finish();
}

TEST(DirectAnswerTest, SynGoesToTheServersMacAndTheVip) {
  for (const bool ipv4 : {true, false}) {
    const DirectQuestion question = Question(ipv4);
    const std::vector<uint8_t> bytes = BuildDirectSyn(question);
    const std::optional<net::IpFrame> frame = net::ParseIpFrame(bytes);
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->destination_mac, kServer);
    EXPECT_EQ(frame->source_mac, kOurs);
    EXPECT_EQ(frame->source, question.source.address);
    EXPECT_EQ(frame->destination, question.vip.address);
    EXPECT_EQ(TransportChecksum(*frame), 0);
    const std::optional<TcpSegment> segment = ParseTcpSegment(frame->payload);
    EXPECT_EQ(segment->source_port, 40000);
    EXPECT_EQ(segment->destination_port, 80);
    EXPECT_TRUE(segment->syn && !segment->ack && !segment->rst);
    EXPECT_EQ(net::Get32(&frame->payload[4]), kToken);
  }
}

TEST(DirectAnswerTest, EchoHasTheTokenAndItsChecksum) {
  const std::vector<uint8_t> ipv4 = BuildDirectEcho(Question(true, true));
  const std::optional<net::IpFrame> frame4 = net::ParseIpFrame(ipv4);
  EXPECT_EQ(frame4->protocol, IPPROTO_ICMP);
  EXPECT_EQ(frame4->payload[0], 8);
  EXPECT_EQ(net::Get32(&frame4->payload[4]), kToken);
  net::InternetChecksum checksum;
  checksum.Add(frame4->payload);
  EXPECT_EQ(checksum.Finish(), 0);
  const std::vector<uint8_t> ipv6 = BuildDirectEcho(Question(false, true));
  const std::optional<net::IpFrame> frame6 = net::ParseIpFrame(ipv6);
  EXPECT_EQ(frame6->protocol, IPPROTO_ICMPV6);
  EXPECT_EQ(frame6->payload[0], 128);
  EXPECT_EQ(TransportChecksum(*frame6), 0);
}

TEST(DirectAnswerTest, ReadsSynAcksAndResets) {
  for (const bool ipv4 : {true, false}) {
    for (const auto& [flags, kind] : {std::pair{0x12, DirectAnswer::Kind::kSynAck},
                                      std::pair{0x14, DirectAnswer::Kind::kReset}}) {
      const DirectQuestion question = Question(ipv4);
      const auto answer = ParseDirectAnswer(
          Reply(question, IPPROTO_TCP, Segment(question, static_cast<uint8_t>(flags))));
      ASSERT_TRUE(answer.has_value());
      EXPECT_EQ(answer->kind, kind);
      EXPECT_EQ(answer->mac, kServer);
      EXPECT_EQ(answer->own_mac, kOurs);
      EXPECT_EQ(answer->vip, question.vip);
      EXPECT_EQ(answer->own, question.source);
      EXPECT_EQ(answer->token, kToken);
    }
  }
}

TEST(DirectAnswerTest, OtherSegmentsAndRequestsAreNoAnswers) {
  const DirectQuestion question = Question(true);
  for (const uint8_t flags : {0x02, 0x10, 0x04, 0x16, 0x00}) {
    EXPECT_FALSE(ParseDirectAnswer(Reply(question, IPPROTO_TCP, Segment(question, flags))));
  }
  EXPECT_FALSE(ParseDirectAnswer(Reply(question, IPPROTO_UDP, Segment(question, 0x12))));
  EXPECT_FALSE(ParseDirectAnswer(BuildDirectEcho(Question(true, true))));
  EXPECT_FALSE(ParseDirectAnswer(BuildDirectEcho(Question(false, true))));
}

TEST(DirectAnswerTest, ReadsEchoReplies) {
  for (const bool ipv4 : {true, false}) {
    const DirectQuestion question = Question(ipv4, true);
    std::vector<uint8_t> echo(8);
    echo[0] = ipv4 ? 0 : 129;
    net::Put32(&echo[4], kToken);
    const uint8_t icmp = ipv4 ? uint8_t{IPPROTO_ICMP} : uint8_t{IPPROTO_ICMPV6};
    const auto answer = ParseDirectAnswer(Reply(question, icmp, echo));
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->kind, DirectAnswer::Kind::kEchoReply);
    EXPECT_EQ(answer->token, kToken);
    EXPECT_EQ(answer->vip, question.vip);
    echo[1] = 1;
    EXPECT_FALSE(ParseDirectAnswer(Reply(question, icmp, echo)));
    echo.resize(7);
    EXPECT_FALSE(ParseDirectAnswer(Reply(question, icmp, echo)));
  }
}

TEST(DirectAnswerTest, ResetGoesToWhoeverOfferedTheConnection) {
  const DirectQuestion question = Question(true);
  DirectAnswer syn_ack = *ParseDirectAnswer(Reply(question, IPPROTO_TCP, Segment(question, 0x12)));
  syn_ack.mac[5] = 0x13;
  const std::vector<uint8_t> bytes = BuildDirectReset(syn_ack);
  const std::optional<net::IpFrame> frame = net::ParseIpFrame(bytes);
  EXPECT_EQ(frame->destination_mac, syn_ack.mac);
  EXPECT_EQ(frame->source_mac, kOurs);
  EXPECT_EQ(frame->source, question.source.address);
  EXPECT_EQ(frame->destination, question.vip.address);
  EXPECT_EQ(TransportChecksum(*frame), 0);
  EXPECT_TRUE(ParseTcpSegment(frame->payload)->rst);
  EXPECT_EQ(net::Get32(&frame->payload[4]), kToken + 1);
}

}  // namespace
}  // namespace fairlead::health
