#include "pkg/net/ip_range.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::net {
namespace {

using ::testing::HasSubstr;

std::string Parsed(absl::string_view text) {
  const absl::StatusOr<IpRange> range = IpRange::Parse(text);
  return range.ok() ? range->ToString() : std::string(range.status().message());
}

TEST(IpRangeTest, ReadsRangesPrefixesAndSingleAddresses) {
  EXPECT_EQ(Parsed("10.0.0.1-10.0.0.9"), "10.0.0.1-10.0.0.9");
  EXPECT_EQ(Parsed("10.0.0.200-10.0.1.3"), "10.0.0.200-10.0.1.3");
  EXPECT_EQ(Parsed("10.0.0.7"), "10.0.0.7");
  EXPECT_EQ(Parsed("10.0.0.7-10.0.0.7"), "10.0.0.7");
  EXPECT_EQ(Parsed("10.0.0.0/24"), "10.0.0.0-10.0.0.255");
  EXPECT_EQ(Parsed("10.0.0.128/29"), "10.0.0.128-10.0.0.135");
  EXPECT_EQ(Parsed("10.0.0.7/32"), "10.0.0.7");
  EXPECT_EQ(Parsed("fd00:10::/120"), "fd00:10::-fd00:10::ff");
  EXPECT_EQ(Parsed("fd00::9-fd00::a"), "fd00::9-fd00::a");
  EXPECT_EQ(Parsed("::/0"), "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

TEST(IpRangeTest, RejectsAReversedRangeAndSaysTheRightOne) {
  EXPECT_THAT(Parsed("10.0.0.10-10.0.0.9"), HasSubstr("is reversed; write 10.0.0.9-10.0.0.10"));
  EXPECT_THAT(Parsed("fd00::b-fd00::a"), HasSubstr("is reversed"));
}

TEST(IpRangeTest, RejectsTwoFamilies) {
  EXPECT_THAT(Parsed("10.0.0.1-fd00::1"), HasSubstr("begins in IPv4 and ends in IPv6"));
}

TEST(IpRangeTest, RejectsBitsBeyondThePrefix) {
  EXPECT_THAT(Parsed("10.0.0.150/24"), HasSubstr("write 10.0.0.0/24 for all of it"));
}

TEST(IpRangeTest, RejectsWhatIsNoLength) {
  for (const char* text : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/a",
                           "10.0.0.0/24/25", "10.0.0.0/0000000008"}) {
    EXPECT_THAT(Parsed(text), HasSubstr("has no prefix length of 0 to 32")) << text;
  }
  EXPECT_THAT(Parsed("fd00::/129"), HasSubstr("has no prefix length of 0 to 128"));
}

TEST(IpRangeTest, RejectsWhatIsNoAddress) {
  for (const char* text : {"", "-", "a-b", "10.0.0.1-", "-10.0.0.1", "10.0.0.1 - 10.0.0.9", "/24",
                           "10.0.0.1-9", "10.0.0.1-10.0.0.5-10.0.0.9"}) {
    EXPECT_THAT(Parsed(text), HasSubstr("is not an IPv4 or IPv6 address")) << text;
  }
}

}  // namespace
}  // namespace fairlead::net
