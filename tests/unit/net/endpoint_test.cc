#include "pkg/net/endpoint.h"

#include <gtest/gtest.h>

namespace fairlead::net {
namespace {

TEST(EndpointTest, ParsesAndPrintsBothFamilies) {
  for (const char* text : {"10.0.0.1:80", "0.0.0.0:0", "[::]:443", "[fd00::1]:65535"}) {
    const auto endpoint = Endpoint::Parse(text);
    ASSERT_TRUE(endpoint.ok()) << endpoint.status();
    EXPECT_EQ(endpoint->ToString(), text);
  }
}

TEST(EndpointTest, RejectsWhatIsNoEndpointAndNamesIt) {
  for (const absl::string_view text :
       {"", "10.0.0.1", "10.0.0.1:", ":80", "10.0.0.1:65536", "10.0.0.1:-1", "10.0.0.1:x",
        "10.0.0.1:99999999999", "::1:80", "[10.0.0.1]:80", "[::1]", "[]:80", "host:80"}) {
    const auto endpoint = Endpoint::Parse(text);
    ASSERT_FALSE(endpoint.ok()) << text;
    EXPECT_NE(endpoint.status().message().find(text), absl::string_view::npos);
  }
}

TEST(EndpointTest, PortsAreDigitsOnly) {
  for (const char* text : {"10.0.0.1:+80", "10.0.0.1: 80", "10.0.0.1:80 ", "10.0.0.1:0x50"}) {
    EXPECT_FALSE(Endpoint::Parse(text).ok()) << text;
  }
}

TEST(EndpointTest, MappedAddressesInBracketsAreTheIpv4Endpoint) {
  const auto endpoint = Endpoint::Parse("[::ffff:10.0.0.1]:80");
  ASSERT_TRUE(endpoint.ok()) << endpoint.status();
  EXPECT_EQ(endpoint->ToString(), "10.0.0.1:80");
}

TEST(SocketAddressTest, CarriesBothFamiliesThereAndBack) {
  for (const char* text : {"10.0.0.1:80", "[fd00::1]:50003"}) {
    const Endpoint endpoint = *Endpoint::Parse(text);
    const SocketAddress address(endpoint);
    EXPECT_EQ(*address.ToEndpoint(), endpoint);
  }
}

TEST(SocketAddressTest, HasTheLengthAndOrderThatTheKernelWants) {
  const SocketAddress ipv4(*Endpoint::Parse("10.0.0.1:80"));
  EXPECT_EQ(ipv4.family(), AF_INET);
  EXPECT_EQ(ipv4.length, sizeof(sockaddr_in));
  EXPECT_EQ(ipv4.ipv4.sin_port, htons(80));
  EXPECT_EQ(ipv4.ipv4.sin_addr.s_addr, htonl(0x0a000001));
  const SocketAddress ipv6(*Endpoint::Parse("[::1]:80"));
  EXPECT_EQ(ipv6.family(), AF_INET6);
  EXPECT_EQ(ipv6.length, sizeof(sockaddr_in6));
}

TEST(SocketAddressTest, RefusesOtherFamilies) {
  SocketAddress address;
  address.generic.sa_family = AF_UNIX;
  EXPECT_FALSE(address.ToEndpoint().ok());
}

}  // namespace
}  // namespace fairlead::net
