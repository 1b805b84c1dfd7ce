#include "pkg/net/packet_bytes.h"

#include <vector>

#include "gtest/gtest.h"

namespace fairlead::net {
namespace {

TEST(InternetChecksumTest, MatchesTheExampleOfRfc1071) {
  const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  InternetChecksum checksum;
  checksum.Add(bytes);
  EXPECT_EQ(checksum.Finish(), static_cast<uint16_t>(~0xddf2));
}

TEST(InternetChecksumTest, PadsAnOddByte) {
  const uint8_t bytes[] = {0x12};
  InternetChecksum checksum;
  checksum.Add(bytes);
  EXPECT_EQ(checksum.Finish(), static_cast<uint16_t>(~0x1200));
}

TEST(WithoutIpv4HeaderTest, RefusesHeadersThatDoNotFit) {
  EXPECT_TRUE(WithoutIpv4Header(std::vector<uint8_t>(19)).empty());
  std::vector<uint8_t> packet(24);
  packet[0] = 0x4f;  // a header of 60 bytes in a packet of 24
  EXPECT_TRUE(WithoutIpv4Header(packet).empty());
  packet[0] = 0x44;  // a header of 16 bytes
  EXPECT_TRUE(WithoutIpv4Header(packet).empty());
  packet[0] = 0x45;
  EXPECT_EQ(WithoutIpv4Header(packet).size(), 4u);
}

}  // namespace
}  // namespace fairlead::net
