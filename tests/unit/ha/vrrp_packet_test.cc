#include "pkg/ha/vrrp_packet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace fairlead::ha {
namespace {

using ::testing::HasSubstr;

net::IpAddress Address(const char* text) { return *net::IpAddress::Parse(text); }

const VrrpAdvert kAdvert = {.virtual_router_id = 51,
                            .priority = 150,
                            .interval = absl::Milliseconds(100),
                            .addresses = {Address("10.0.0.9")}};

TEST(VrrpPacketTest, HasEveryByteInPlace) {
  // The checksums by hand: 3133 9601 000a 0a00 0009 sum to d147; the pseudo header of 10.0.0.1 to
  // 224.0.0.18, 112, 12 bytes adds ea8f.
  const std::vector<uint8_t> plain =
      BuildAdvert(kAdvert, Address("10.0.0.1"), Address("224.0.0.18"), VrrpChecksum::kPlain);
  EXPECT_EQ(plain, (std::vector<uint8_t>{0x31, 51, 150, 1, 0, 10, 0x2e, 0xb8, 10, 0, 0, 9}));
  const std::vector<uint8_t> with =
      BuildAdvert(kAdvert, Address("10.0.0.1"), Address("224.0.0.18"), VrrpChecksum::kPseudoHeader);
  EXPECT_EQ(with, (std::vector<uint8_t>{0x31, 51, 150, 1, 0, 10, 0x44, 0x28, 10, 0, 0, 9}));
}

TEST(VrrpPacketTest, ReadsBothChecksumsOfIpv4AndOneOfIpv6) {
  for (const VrrpChecksum form : {VrrpChecksum::kPlain, VrrpChecksum::kPseudoHeader}) {
    const auto source = Address("10.0.0.1");
    const auto group = VrrpGroup(net::IpFamily::kIpv4);
    const auto read = ParseAdvert(BuildAdvert(kAdvert, source, group, form), source, group, 255);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, kAdvert);
  }
  VrrpAdvert advert = kAdvert;
  advert.addresses = {Address("fe80::9"), Address("10.0.0.9"), Address("fd00::9")};
  const auto source = Address("fe80::1");
  const auto group = VrrpGroup(net::IpFamily::kIpv6);
  EXPECT_EQ(group.ToString(), "ff02::12");
  const auto bytes = BuildAdvert(advert, source, group, VrrpChecksum::kPlain);
  EXPECT_EQ(bytes.size(), 8u + 2 * 16);  // those of the family alone
  const auto read = ParseAdvert(bytes, source, group, 255);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->addresses, (std::vector{Address("fe80::9"), Address("fd00::9")}));
  // The checksum covers who speaks to whom.
  EXPECT_FALSE(ParseAdvert(bytes, Address("fe80::2"), group, 255).ok());
}

TEST(VrrpPacketTest, IntervalsAreCentisecondsOfTwelveBits) {
  const auto source = Address("10.0.0.1");
  const auto group = VrrpGroup(net::IpFamily::kIpv4);
  for (const int64_t ms : {10, 100, 1000, 40950}) {
    VrrpAdvert advert = kAdvert;
    advert.interval = absl::Milliseconds(ms);
    EXPECT_EQ(
        ParseAdvert(BuildAdvert(advert, source, group, VrrpChecksum::kPlain), source, group, 255)
            ->interval,
        advert.interval);
  }
}

TEST(VrrpPacketTest, SaysWhatIsWrong) {
  const auto source = Address("10.0.0.1");
  const auto group = VrrpGroup(net::IpFamily::kIpv4);
  const auto told = [&](const std::function<void(std::vector<uint8_t>&)>& change, int hops = 255) {
    std::vector<uint8_t> bytes = BuildAdvert(kAdvert, source, group, VrrpChecksum::kPlain);
    change(bytes);
    return std::string(ParseAdvert(bytes, source, group, hops).status().message());
  };
  EXPECT_THAT(told([](auto&) {}, 254), HasSubstr("through a router"));
  EXPECT_THAT(told([](auto& b) { b.resize(7); }), HasSubstr("too few"));
  EXPECT_THAT(told([](auto& b) { b[0] = 0x21; }), HasSubstr("version 2, type 1; it must be"));
  EXPECT_THAT(told([](auto& b) { b[3] = 2; }), HasSubstr("names 2 addresses and is too short"));
  EXPECT_THAT(told([](auto& b) { b[2] = 1; }), HasSubstr("checksum is wrong"));
  EXPECT_THAT(told([](auto& b) { b.pop_back(); }), HasSubstr("too short"));
  EXPECT_EQ(told([](auto&) {}), "");
}

TEST(VrrpPacketTest, NamesAsManyAddressesAsEveryPacketHasRoomFor) {
  VrrpAdvert advert = kAdvert;
  for (int i = 0; i < 300; ++i) advert.addresses.push_back(Address("fd00::1"));
  const auto bytes = BuildAdvert(advert, Address("fe80::1"), VrrpGroup(net::IpFamily::kIpv6),
                                 VrrpChecksum::kPseudoHeader);
  EXPECT_LE(bytes.size() + 40, 1280u);
  EXPECT_EQ(bytes[3], kAdvertAddressesMax);
}

}  // namespace
}  // namespace fairlead::ha
