#include "pkg/arp/claim_frame.h"

#include <netinet/in.h>

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"
#include "pkg/net/ip_frame.h"
#include "pkg/net/packet_bytes.h"

namespace fairlead::arp {
namespace {

constexpr net::MacAddress kOwn = {2, 0, 0, 0, 0, 1};
constexpr net::MacAddress kOther = {2, 0, 0, 0, 0, 0x11};

net::IpAddress Address(const char* text) { return *net::IpAddress::Parse(text); }

TEST(ClaimFrameTest, ArpProbeHasEveryByteInPlaceAndNoSender) {
  const std::vector<uint8_t> expected = {
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,  0, 0, 0,  0, 1, 0x08, 0x06,  // Ethernet
      0,    1,    8,    0,    6,    4,    0,  1,                           // request
      2,    0,    0,    0,    0,    1,    0,  0, 0, 0,                     // from nobody
      0,    0,    0,    0,    0,    0,    10, 2, 0, 100};
  EXPECT_EQ(BuildArpProbe(kOwn, Address("10.2.0.100")), expected);
  EXPECT_FALSE(ParseClaim(expected).has_value());
}

TEST(ClaimFrameTest, SolicitationGoesToTheGroupOfTheTargetWithOurOwnAddress) {
  const std::vector<uint8_t> bytes =
      BuildSolicitation(kOwn, Address("fe80::1"), Address("fd02::12:3456"));
  const std::optional<net::IpFrame> frame = net::ParseIpFrame(bytes);
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->destination_mac, (net::MacAddress{0x33, 0x33, 0xff, 0x12, 0x34, 0x56}));
  EXPECT_EQ(frame->destination, Address("ff02::1:ff12:3456"));
  EXPECT_EQ(frame->source, Address("fe80::1"));
  EXPECT_EQ(frame->hop_limit, 255);
  ASSERT_EQ(frame->payload.size(), 32u);
  EXPECT_EQ(frame->payload[0], 135);
  EXPECT_EQ(net::IpAddress::FromBytes(frame->payload.subspan(8, 16)), Address("fd02::12:3456"));
  const std::vector<uint8_t> option = {1, 1, 2, 0, 0, 0, 0, 1};
  EXPECT_TRUE(std::equal(option.begin(), option.end(), frame->payload.begin() + 24));
  net::InternetChecksum checksum;
  checksum.AddPseudoHeader(frame->source, frame->destination, IPPROTO_ICMPV6, 32);
  checksum.Add(frame->payload);
  EXPECT_EQ(checksum.Finish(), 0);
  EXPECT_FALSE(ParseClaim(bytes).has_value());
}

TEST(ClaimFrameTest, GratuitousArpNamesTheAddressAsSenderAndTarget) {
  const std::vector<uint8_t> expected = {
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,  0, 0, 0,   0, 1, 0x08, 0x06,  // Ethernet
      0,    1,    8,    0,    6,    4,    0,  1,                            // request
      2,    0,    0,    0,    0,    1,    10, 2, 0, 100,                    // from the address
      0,    0,    0,    0,    0,    0,    10, 2, 0, 100};
  EXPECT_EQ(BuildAnnouncement(kOwn, Address("10.2.0.100"), /*router=*/false), expected);
  EXPECT_EQ(ParseClaim(expected), (Claim{Address("10.2.0.100"), kOwn}));
}

TEST(ClaimFrameTest, UnsolicitedAdvertisementGoesToAllNodesAndOverrides) {
  for (const bool router : {false, true}) {
    const std::vector<uint8_t> bytes = BuildAnnouncement(kOwn, Address("fd02::100"), router);
    const std::optional<net::IpFrame> frame = net::ParseIpFrame(bytes);
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->destination_mac, (net::MacAddress{0x33, 0x33, 0, 0, 0, 1}));
    EXPECT_EQ(frame->destination, Address("ff02::1"));
    EXPECT_EQ(frame->source, Address("fd02::100"));
    EXPECT_EQ(frame->payload[0], 136);
    EXPECT_EQ(frame->payload[4], router ? 0xa0 : 0x20);  // not solicited
    net::InternetChecksum checksum;
    checksum.AddPseudoHeader(frame->source, frame->destination, IPPROTO_ICMPV6, 32);
    checksum.Add(frame->payload);
    EXPECT_EQ(checksum.Finish(), 0);
    EXPECT_EQ(ParseClaim(bytes), (Claim{Address("fd02::100"), kOwn}));
  }
}

TEST(ClaimFrameTest, TheProbeOfAnIpv6AddressHasNoSourceAndNoOption) {
  EXPECT_EQ(BuildDuplicateProbe(kOwn, Address("10.2.0.100")),
            BuildArpProbe(kOwn, Address("10.2.0.100")));
  const std::vector<uint8_t> bytes = BuildDuplicateProbe(kOwn, Address("fd02::12:3456"));
  const std::optional<net::IpFrame> frame = net::ParseIpFrame(bytes);
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->source, Address("::"));
  EXPECT_EQ(frame->destination, Address("ff02::1:ff12:3456"));
  EXPECT_EQ(frame->payload.size(), 24u);
  net::InternetChecksum checksum;
  checksum.AddPseudoHeader(frame->source, frame->destination, IPPROTO_ICMPV6, 24);
  checksum.Add(frame->payload);
  EXPECT_EQ(checksum.Finish(), 0);
}

std::vector<uint8_t> Arp(uint8_t operation) {
  std::vector<uint8_t> frame = BuildArpProbe(kOther, Address("10.2.0.1"));
  frame[21] = operation;
  const uint8_t sender[] = {10, 2, 0, 100};
  std::copy(std::begin(sender), std::end(sender), frame.begin() + 28);
  return frame;
}

TEST(ClaimFrameTest, SendersOfArpClaimTheirAddress) {
  for (const uint8_t operation : {1, 2}) {
    EXPECT_EQ(ParseClaim(Arp(operation)), (Claim{Address("10.2.0.100"), kOther}));
  }
  EXPECT_FALSE(ParseClaim(Arp(3)));  // RARP
  std::vector<uint8_t> frame = Arp(2);
  for (size_t at = 14; at < 20; ++at) {
    std::vector<uint8_t> other = frame;
    ++other[at];  // other hardware, another protocol, other lengths
    EXPECT_FALSE(ParseClaim(other)) << at;
  }
  frame.pop_back();
  EXPECT_FALSE(ParseClaim(frame));
}

std::vector<uint8_t> Advertisement(const std::vector<uint8_t>& options, uint8_t hop_limit = 255,
                                   uint8_t type = 136) {
  std::vector<uint8_t> message(24);
  message[0] = type;
  const net::IpAddress target = Address("fd02::100");
  std::copy(target.bytes().begin(), target.bytes().end(), message.begin() + 8);
  message.insert(message.end(), options.begin(), options.end());
  return net::BuildIpFrame({.destination_mac = kOwn,
                            .source_mac = {2, 0, 0, 0, 0, 0x22},
                            .source = Address("fe80::11"),
                            .destination = Address("fe80::1"),
                            .protocol = IPPROTO_ICMPV6,
                            .hop_limit = hop_limit,
                            .payload = message});
}

TEST(ClaimFrameTest, AdvertisementsClaimTheirTargetForTheMacTheyName) {
  const std::vector<uint8_t> nonce = {14, 1, 0, 0, 0, 0, 0, 0};
  std::vector<uint8_t> options = nonce;
  for (const uint8_t byte : {2, 1, 2, 0, 0, 0, 0, 0x11}) options.push_back(byte);
  EXPECT_EQ(ParseClaim(Advertisement(options)), (Claim{Address("fd02::100"), kOther}));
  EXPECT_EQ(ParseClaim(Advertisement(nonce)),
            (Claim{Address("fd02::100"), net::MacAddress{2, 0, 0, 0, 0, 0x22}}));
}

TEST(ClaimFrameTest, RefusesAdvertisementsThatRfc4861Refuses) {
  EXPECT_TRUE(ParseClaim(Advertisement({})));
  EXPECT_FALSE(ParseClaim(Advertisement({}, /*hop_limit=*/254)));
  EXPECT_FALSE(ParseClaim(Advertisement({}, 255, /*type=*/135)));
  EXPECT_FALSE(ParseClaim(Advertisement({2, 0, 0, 0, 0, 0, 0, 0})));  // length 0
  EXPECT_FALSE(ParseClaim(Advertisement({2, 2, 0, 0, 0, 0, 0, 0})));  // longer than the packet
}

}  // namespace
}  // namespace fairlead::arp
