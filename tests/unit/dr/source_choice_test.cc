#include "pkg/dataplane/dr/source_choice.h"

#include <string>

#include "gtest/gtest.h"

namespace fairlead::dataplane::dr {
namespace {

net::IpAddress Address(const char* text) { return *net::IpAddress::Parse(text); }

HostAddress On(uint32_t ifindex, const char* text, int prefix_length, bool deprecated = false) {
  return {.ifindex = ifindex,
          .address = Address(text),
          .prefix_length = prefix_length,
          .deprecated = deprecated,
          .usable = true};
}

std::string Choose(const HostAddresses& addresses, const char* server,
                   const std::set<net::IpAddress>& vips = {}) {
  const auto chosen = ChooseSource(addresses, 2, Address(server), vips);
  return chosen.has_value() ? chosen->ToString() : "";
}

TEST(SourceChoiceTest, TakesTheAddressWhoseNetworkHoldsTheServer) {
  const HostAddresses addresses = {On(2, "192.0.2.1", 24), On(2, "10.2.0.1", 24),
                                   On(3, "10.2.0.9", 24), On(2, "10.0.0.1", 8)};
  EXPECT_EQ(Choose(addresses, "10.2.0.11"), "10.2.0.1");
  EXPECT_EQ(Choose(addresses, "172.16.0.1"), "192.0.2.1");
}

TEST(SourceChoiceTest, NeverTakesAVip) {
  const HostAddresses addresses = {On(2, "10.2.0.100", 24), On(2, "10.2.0.1", 24)};
  EXPECT_EQ(Choose(addresses, "10.2.0.11", {Address("10.2.0.100")}), "10.2.0.1");
  EXPECT_EQ(Choose({addresses[0]}, "10.2.0.11", {Address("10.2.0.100")}), "");
}

TEST(SourceChoiceTest, HostRoutesAndDeprecatedOnesComeLast) {
  EXPECT_EQ(Choose({On(2, "10.9.0.100", 32), On(2, "10.8.0.1", 24)}, "10.2.0.11"), "10.8.0.1");
  EXPECT_EQ(Choose({On(2, "10.9.0.100", 32)}, "10.2.0.11"), "10.9.0.100");
  EXPECT_EQ(Choose({On(2, "fd02::5", 64, /*deprecated=*/true), On(2, "fd02::1", 64)}, "fd02::11"),
            "fd02::1");
}

TEST(SourceChoiceTest, TakesNeitherTentativeNorLinkLocalAddresses) {
  HostAddresses addresses = {On(2, "fe80::1", 64), On(2, "fd02::1", 64)};
  EXPECT_EQ(Choose(addresses, "fd02::11"), "fd02::1");
  addresses[1].usable = false;
  EXPECT_EQ(Choose(addresses, "fd02::11"), "");
  EXPECT_EQ(Choose({On(2, "10.2.0.1", 24)}, "fd02::11"), "");
}

}  // namespace
}  // namespace fairlead::dataplane::dr
