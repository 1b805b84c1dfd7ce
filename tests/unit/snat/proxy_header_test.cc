#include "pkg/dataplane/snat/proxy_header.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"

namespace fairlead::dataplane::snat {
namespace {

net::Endpoint At(absl::string_view text) { return *net::Endpoint::Parse(text); }

TEST(ProxyHeaderTest, WritesVersion1OfBothFamilies) {
  EXPECT_EQ(MakeProxyHeader(model::ClientAddress::kProxyProtocolV1, At("192.168.0.1:56324"),
                            At("192.168.0.11:443")),
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n");
  EXPECT_EQ(MakeProxyHeader(model::ClientAddress::kProxyProtocolV1, At("[fd00::1]:1"),
                            At("[fd00::2]:65535")),
            "PROXY TCP6 fd00::1 fd00::2 1 65535\r\n");
}

TEST(ProxyHeaderTest, WritesEveryByteOfVersion2) {
  EXPECT_EQ(absl::BytesToHexString(MakeProxyHeader(model::ClientAddress::kProxyProtocolV2,
                                                   At("1.2.3.4:258"), At("5.6.7.8:80"))),
            "0d0a0d0a000d0a515549540a"  // signature
            "2111000c"                  // version 2 PROXY, TCP over IPv4, 12 bytes
            "0102030405060708"
            "01020050");
  const std::string ipv6 = MakeProxyHeader(model::ClientAddress::kProxyProtocolV2,
                                           At("[fd00::1]:258"), At("[fd00::2]:80"));
  EXPECT_EQ(ipv6.size(), 52);
  EXPECT_EQ(absl::BytesToHexString(ipv6.substr(12, 4)), "21210024");
}

TEST(ProxyHeaderTest, SaysThatAMixedPairIsNotKnown) {
  EXPECT_EQ(
      MakeProxyHeader(model::ClientAddress::kProxyProtocolV1, At("1.2.3.4:1"), At("[fd00::2]:80")),
      "PROXY UNKNOWN\r\n");
  EXPECT_EQ(absl::BytesToHexString(MakeProxyHeader(model::ClientAddress::kProxyProtocolV2,
                                                   At("1.2.3.4:1"), At("[fd00::2]:80"))),
            "0d0a0d0a000d0a515549540a21000000");
}

}  // namespace
}  // namespace fairlead::dataplane::snat
