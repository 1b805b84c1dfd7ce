#include "pkg/net/ip_frame.h"

#include <netinet/in.h>

#include <vector>

#include "gtest/gtest.h"
#include "pkg/net/packet_bytes.h"

namespace fairlead::net {
namespace {

constexpr uint8_t kPayload[] = {0xde, 0xad, 0xbe, 0xef};

IpFrame Frame(const char* source, const char* destination) {
  return {.destination_mac = {1, 2, 3, 4, 5, 6},
          .source_mac = {7, 8, 9, 10, 11, 12},
          .source = *IpAddress::Parse(source),
          .destination = *IpAddress::Parse(destination),
          .protocol = IPPROTO_TCP,
          .hop_limit = 64,
          .payload = kPayload};
}

TEST(IpFrameTest, Ipv4HasEveryByteInPlace) {
  const std::vector<uint8_t> bytes = BuildIpFrame(Frame("10.0.0.1", "10.0.0.3"));
  const std::vector<uint8_t> expected = {
      1,    2,    3,    4,   5, 6, 7,    8, 9,  10, 11,        12,        0x08, 0x00,  // Ethernet
      0x45, 0,    0,    24,  0, 0, 0x40, 0, 64, 6,  bytes[24], bytes[25], 10,   0,
      0,    1,    10,   0,   0, 3,  // IP
      0xde, 0xad, 0xbe, 0xef};
  EXPECT_EQ(bytes, expected);
  InternetChecksum checksum;
  checksum.Add(absl::MakeConstSpan(bytes).subspan(14, 20));
  EXPECT_EQ(checksum.Finish(), 0);
}

TEST(IpFrameTest, Ipv6HasEveryByteInPlace) {
  const std::vector<uint8_t> bytes = BuildIpFrame(Frame("fd00::1", "fd00::3"));
  std::vector<uint8_t> expected = {1,  2,    3,    4,    5, 6, 7, 8, 9, 10, 11,
                                   12, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 4, 6,  64};
  for (const char* text : {"fd00::1", "fd00::3"}) {
    const IpAddress address = *IpAddress::Parse(text);
    expected.insert(expected.end(), address.bytes().begin(), address.bytes().end());
  }
  expected.insert(expected.end(), std::begin(kPayload), std::end(kPayload));
  EXPECT_EQ(bytes, expected);
}

TEST(IpFrameTest, ParsesWhatItBuilds) {
  for (const IpFrame& built : {Frame("10.0.0.1", "10.0.0.3"), Frame("fd00::1", "fd00::3")}) {
    std::vector<uint8_t> bytes = BuildIpFrame(built);
    bytes.resize(bytes.size() + 22);  // padding to the least size of an Ethernet frame
    const std::optional<IpFrame> parsed = ParseIpFrame(bytes);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->destination_mac, built.destination_mac);
    EXPECT_EQ(parsed->source_mac, built.source_mac);
    EXPECT_EQ(parsed->source, built.source);
    EXPECT_EQ(parsed->destination, built.destination);
    EXPECT_EQ(parsed->protocol, IPPROTO_TCP);
    EXPECT_EQ(parsed->hop_limit, 64);
    EXPECT_EQ(std::vector<uint8_t>(parsed->payload.begin(), parsed->payload.end()),
              std::vector<uint8_t>(std::begin(kPayload), std::end(kPayload)));
  }
}

TEST(IpFrameTest, SkipsIpv4Options) {
  std::vector<uint8_t> bytes = BuildIpFrame(Frame("10.0.0.1", "10.0.0.3"));
  bytes.insert(bytes.begin() + 34, {1, 1, 1, 1});
  bytes[14] = 0x46;
  bytes[17] = 28;
  EXPECT_EQ(ParseIpFrame(bytes)->payload[0], 0xde);
}

TEST(IpFrameTest, RefusesFragmentsAndWhatIsCut) {
  for (const IpFrame& built : {Frame("10.0.0.1", "10.0.0.3"), Frame("fd00::1", "fd00::3")}) {
    const std::vector<uint8_t> whole = BuildIpFrame(built);
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_FALSE(ParseIpFrame(absl::MakeConstSpan(whole).subspan(0, size))) << size;
    }
  }
  std::vector<uint8_t> fragment = BuildIpFrame(Frame("10.0.0.1", "10.0.0.3"));
  fragment[20] = 0x20;  // more fragments
  EXPECT_FALSE(ParseIpFrame(fragment));
  fragment[20] = 0;
  fragment[21] = 1;  // offset
  EXPECT_FALSE(ParseIpFrame(fragment));
}

TEST(IpFrameTest, RefusesIpv4MappedAddressesOnTheWire) {
  std::vector<uint8_t> bytes = BuildIpFrame(Frame("fd00::1", "fd00::3"));
  const uint8_t mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1};
  std::copy(std::begin(mapped), std::end(mapped), bytes.begin() + 22);
  EXPECT_FALSE(ParseIpFrame(bytes));
}

}  // namespace
}  // namespace fairlead::net
