#include "pkg/net/ip_address.h"

#include <gtest/gtest.h>

#include <set>

#include "absl/hash/hash_testing.h"

namespace fairlead::net {
namespace {

IpAddress Address(absl::string_view text) { return *IpAddress::Parse(text); }

TEST(IpAddressTest, ParsesAndPrintsBothFamilies) {
  for (const char* text : {"0.0.0.0", "10.10.10.150", "255.255.255.255", "::", "::1", "fd00::1",
                           "2001:db8:1:2:3:4:5:6"}) {
    EXPECT_EQ(Address(text).ToString(), text);
  }
}

TEST(IpAddressTest, PrintsIpv6InItsCanonicalForm) {
  EXPECT_EQ(Address("2001:0DB8:0:0:0:0:0:1").ToString(), "2001:db8::1");
  EXPECT_EQ(Address("2001:db8:0:1:1:1:1:1").ToString(), "2001:db8:0:1:1:1:1:1");
}

TEST(IpAddressTest, RejectsWhatIsNoAddressAndNamesIt) {
  for (const absl::string_view text :
       {"", " ", "10.0.0", "10.0.0.256", "10.0.0.1 ", " 10.0.0.1", "010.0.0.1", "0x0a.0.0.1",
        "10.0.0.1/24", "[::1]", "fe80::1%eth0", "1::2::3", "12345::", "localhost"}) {
    const auto address = IpAddress::Parse(text);
    ASSERT_FALSE(address.ok()) << text;
    EXPECT_NE(address.status().message().find(text), absl::string_view::npos);
  }
}

TEST(IpAddressTest, RejectsANulByteInsteadOfStoppingThere) {
  EXPECT_FALSE(IpAddress::Parse(absl::string_view("10.0.0.1\0x", 10)).ok());
  EXPECT_FALSE(IpAddress::Parse(absl::string_view("10.0.0.1\0", 9)).ok());
}

TEST(IpAddressTest, AMappedAddressIsTheIpv4Address) {
  const IpAddress address = Address("::ffff:10.1.2.3");
  EXPECT_TRUE(address.is_ipv4());
  EXPECT_EQ(address, Address("10.1.2.3"));
  EXPECT_EQ(address.ToString(), "10.1.2.3");
}

TEST(IpAddressTest, KnowsSpecialAddresses) {
  EXPECT_TRUE(Address("0.0.0.0").is_unspecified());
  EXPECT_TRUE(Address("::").is_unspecified());
  EXPECT_FALSE(Address("0.0.0.1").is_unspecified());
  EXPECT_TRUE(Address("127.255.0.1").is_loopback());
  EXPECT_TRUE(Address("::1").is_loopback());
  EXPECT_FALSE(Address("::2").is_loopback());
  EXPECT_FALSE(Address("1::1").is_loopback());
  EXPECT_TRUE(Address("224.0.0.1").is_multicast());
  EXPECT_TRUE(Address("239.255.255.255").is_multicast());
  EXPECT_FALSE(Address("240.0.0.1").is_multicast());
  EXPECT_TRUE(Address("ff02::1").is_multicast());
  EXPECT_TRUE(Address("169.254.1.1").is_link_local());
  EXPECT_TRUE(Address("fe80::1").is_link_local());
  EXPECT_TRUE(Address("febf::1").is_link_local());
  EXPECT_FALSE(Address("fec0::1").is_link_local());
}

TEST(IpAddressTest, MaskClearsTheHostBits) {
  const IpAddress ipv4 = Address("10.20.30.255");
  EXPECT_EQ(ipv4.Masked(32), ipv4);
  EXPECT_EQ(ipv4.Masked(31).ToString(), "10.20.30.254");
  EXPECT_EQ(ipv4.Masked(24).ToString(), "10.20.30.0");
  EXPECT_EQ(ipv4.Masked(12).ToString(), "10.16.0.0");
  EXPECT_EQ(ipv4.Masked(0).ToString(), "0.0.0.0");
  const IpAddress ipv6 = Address("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
  EXPECT_EQ(ipv6.Masked(128), ipv6);
  EXPECT_EQ(ipv6.Masked(64).ToString(), "2001:db8:ffff:ffff::");
  EXPECT_EQ(ipv6.Masked(33).ToString(), "2001:db8:8000::");
}

TEST(IpAddressTest, MaskBeyondTheWidthChangesNothing) {
  EXPECT_EQ(Address("10.0.0.1").Masked(128), Address("10.0.0.1"));
  EXPECT_EQ(Address("fd00::1").Masked(1000), Address("fd00::1"));
}

TEST(IpAddressTest, BytesAreInNetworkOrder) {
  const IpAddress address = Address("1.2.3.4");
  ASSERT_EQ(address.bytes().size(), 4u);
  EXPECT_EQ(address.bytes()[0], 1);
  EXPECT_EQ(address.bytes()[3], 4);
  EXPECT_EQ(IpAddress::FromBytes(address.bytes()), address);
  EXPECT_EQ(Address("fd00::1").bytes().size(), 16u);
}

TEST(IpAddressTest, OrdersFamiliesAndThenBytes) {
  const std::set<IpAddress> sorted = {Address("::1"), Address("10.0.0.2"), Address("10.0.0.1")};
  std::string order;
  for (const IpAddress& address : sorted) order += address.ToString() + " ";
  EXPECT_EQ(order, "10.0.0.1 10.0.0.2 ::1 ");
}

TEST(IpAddressTest, HashAgreesWithEquality) {
  EXPECT_TRUE(absl::VerifyTypeImplementsAbslHashCorrectly(
      {Address("10.0.0.1"), Address("::ffff:10.0.0.1"), Address("10.0.0.2"), Address("::a00:1"),
       Address("::")}));
}

}  // namespace
}  // namespace fairlead::net
