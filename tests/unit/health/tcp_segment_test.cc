#include "pkg/health/tcp_segment.h"

#include <netinet/in.h>

#include <vector>

#include "gtest/gtest.h"
#include "pkg/net/packet_bytes.h"

namespace fairlead::health {
namespace {

TEST(TcpSegmentTest, SynHasEveryByteInPlace) {
  for (const auto& [source_text, destination_text] :
       {std::pair{"10.0.0.1:40000", "10.0.0.3:9100"},
        std::pair{"[fd00::1]:40000", "[fd00::3]:9100"}}) {
    const net::Endpoint source = *net::Endpoint::Parse(source_text);
    const net::Endpoint destination = *net::Endpoint::Parse(destination_text);
    const auto syn = BuildSyn(source, destination, 0x01020304);
    std::vector<uint8_t> expected = {0x9c, 0x40, 0x23, 0x8c, 1, 2, 3, 4, 0, 0, 0,    0,
                                     0x60, 0x02, 0xfa, 0xf0, 0, 0, 0, 0, 2, 4, 0x05, 0xb4};
    if (!source.address.is_ipv4()) expected[23] = 0xa0;
    expected[16] = syn[16];
    expected[17] = syn[17];
    EXPECT_EQ(std::vector<uint8_t>(syn.begin(), syn.end()), expected);
    net::InternetChecksum checksum;
    checksum.AddPseudoHeader(source.address, destination.address, IPPROTO_TCP, kSynSize);
    checksum.Add(syn);
    EXPECT_EQ(checksum.Finish(), 0);
  }
}

TEST(TcpSegmentTest, ParsesWhatItBuilds) {
  const auto syn =
      BuildSyn(*net::Endpoint::Parse("10.0.0.1:40000"), *net::Endpoint::Parse("10.0.0.3:9100"), 7);
  const auto segment = ParseTcpSegment(syn);
  ASSERT_TRUE(segment.has_value());
  EXPECT_EQ(segment->source_port, 40000);
  EXPECT_EQ(segment->destination_port, 9100);
  EXPECT_TRUE(segment->syn);
  EXPECT_FALSE(segment->ack);
  EXPECT_FALSE(segment->rst);
}

TEST(TcpSegmentTest, ResetHasEveryByteInPlace) {
  for (const auto& [source_text, destination_text] :
       {std::pair{"10.0.0.1:40000", "10.0.0.3:9100"},
        std::pair{"[fd00::1]:40000", "[fd00::3]:9100"}}) {
    const net::Endpoint source = *net::Endpoint::Parse(source_text);
    const net::Endpoint destination = *net::Endpoint::Parse(destination_text);
    const auto reset = BuildReset(source, destination, 0x01020304);
    const std::vector<uint8_t> expected = {0x9c, 0x40, 0x23,      0x8c,      1, 2,    3,
                                           4,    0,    0,         0,         0, 0x50, 0x04,
                                           0,    0,    reset[16], reset[17], 0, 0};
    EXPECT_EQ(std::vector<uint8_t>(reset.begin(), reset.end()), expected);
    net::InternetChecksum checksum;
    checksum.AddPseudoHeader(source.address, destination.address, IPPROTO_TCP, kResetSize);
    checksum.Add(reset);
    EXPECT_EQ(checksum.Finish(), 0);
  }
}

TEST(TcpSegmentTest, ShortBytesAreNothing) {
  const std::vector<uint8_t> bytes(19);
  EXPECT_FALSE(ParseTcpSegment(bytes).has_value());
}

}  // namespace
}  // namespace fairlead::health
