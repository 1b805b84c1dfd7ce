#include "pkg/serverkit/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::serverkit {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string VipError(absl::string_view text) {
  const auto vip = ParseVip(text);
  return vip.ok() ? "" : std::string(vip.status().message());
}

Request PrintServer() {
  Request request;
  request.os = OperatingSystem::kWindows;
  request.vips = {*net::IpAddress::Parse("10.10.10.150")};
  request.role = Role::kPrint;
  request.host_name = "Dispatcher";
  return request;
}

TEST(RequestTest, AVipIsAnAddressThatAServerCanOwn) {
  EXPECT_EQ(VipError("10.10.10.150"), "");
  EXPECT_EQ(VipError("fd00::150"), "");
  EXPECT_THAT(VipError("10.10.10.150/24"), HasSubstr("without a prefix"));
  EXPECT_THAT(VipError("print1"), StartsWith("--vip \"print1\" is not an IP address"));
  EXPECT_THAT(VipError("10.0.0.1'; reboot #"), HasSubstr("is not an IP address"));
  EXPECT_THAT(VipError("fe80::1%eth0"), HasSubstr("is not an IP address"));
  EXPECT_EQ(VipError("127.0.0.1"), "--vip 127.0.0.1 is a loopback address; no VIP can be there");
  EXPECT_THAT(VipError("0.0.0.0"), HasSubstr("unspecified"));
  EXPECT_THAT(VipError("224.0.0.18"), HasSubstr("multicast"));
  EXPECT_THAT(VipError("fe80::1"), HasSubstr("link-local"));
  EXPECT_THAT(VipError("255.255.255.255"), HasSubstr("broadcast"));
}

TEST(RequestTest, ASharedNameIsANetBiosName) {
  EXPECT_EQ(SharedNameProblem("Dispatcher"), "");
  EXPECT_EQ(SharedNameProblem("print-1"), "");
  EXPECT_EQ(SharedNameProblem("a23456789012345"), "");
  EXPECT_THAT(SharedNameProblem("a234567890123456"), HasSubstr("has 16 characters"));
  EXPECT_THAT(SharedNameProblem("dispatcher.corp"), HasSubstr("has a dot"));
  for (const char* bad :
       {"", "-a", "a-", "a b", "a_b", "1234", "a';", "a\n", "$(a)", "\xE2\x80\x98"}) {
    EXPECT_THAT(SharedNameProblem(bad), HasSubstr("is not a host name")) << bad;
  }
}

TEST(RequestTest, AnInterfaceIsANameOfItsSystem) {
  const auto is_linux = [](absl::string_view name) {
    return InterfaceProblem(OperatingSystem::kLinux, name).empty();
  };
  const auto is_windows = [](absl::string_view name) {
    return InterfaceProblem(OperatingSystem::kWindows, name).empty();
  };
  EXPECT_TRUE(is_linux("eth0.100"));
  EXPECT_TRUE(is_linux("br-lan_1"));
  for (const char* bad : {"", "a234567890123456", "-n", ".", "..", "eth0 ", "a/b", "a$b", "a'b"}) {
    EXPECT_FALSE(is_linux(bad)) << bad;
  }
  EXPECT_TRUE(is_windows("Ethernet 2"));
  EXPECT_TRUE(is_windows("the LAN's (10 G)"));
  for (const char* bad : {"", "-x", "a\nb", "a\xE2\x80\x99", "a\x1b"}) {
    EXPECT_FALSE(is_windows(bad)) << bad;
  }
}

TEST(RequestTest, WhatDoesNotGoTogetherIsRefused) {
  const auto error = [](const Request& request) { return std::string(Check(request).message()); };
  EXPECT_EQ(error(PrintServer()), "");
  Request request = PrintServer();
  request.vips.clear();
  EXPECT_THAT(error(request), StartsWith("name the VIP"));
  request.action = Action::kRevert;
  request.host_name.clear();
  EXPECT_EQ(error(request), "");
  request = PrintServer();
  request.vips.push_back(request.vips.front());
  EXPECT_EQ(error(request), "the same --vip is given twice");
  request = PrintServer();
  request.host_name.clear();
  EXPECT_THAT(error(request), StartsWith("--role print needs --hostname"));
  request = PrintServer();
  request.role = Role::kAny;
  EXPECT_EQ(error(request), "--hostname is for --role print");
  request = PrintServer();
  request.os = OperatingSystem::kLinux;
  EXPECT_THAT(error(request), StartsWith("--role print is for --os windows"));
  request = PrintServer();
  request.interface = "a\nb";
  EXPECT_THAT(error(request), StartsWith("--interface "));
  request = PrintServer();
  for (uint8_t i = 0; i < kVipsMax; ++i) {
    request.vips.push_back(net::IpAddress::FromBytes({10, 1, 0, i}));
  }
  EXPECT_THAT(error(request), StartsWith("there are 65 VIPs"));
}

}  // namespace
}  // namespace fairlead::serverkit
