#include "cmd/fairlead/web_setup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cmd/fairlead/run_options.h"

namespace fairlead::cmd {
namespace {

using testing::HasSubstr;

constexpr FlagSpec kFlags[] = {kWebFlag, kWebCertificateFlag, kWebSetupCodeFlag};

absl::StatusOr<WebOptions> Decode(const std::vector<std::string>& arguments) {
  const auto flags = Flags::Parse(kFlags, arguments);
  if (!flags.ok()) return flags.status();
  return DecodeWebOptions(*flags);
}

model::Node NodeWithPage() {
  model::Node node;
  node.admin_https = *net::Endpoint::Parse("10.0.0.1:443");
  return node;
}

TEST(WebSetupTest, TheFlagWinsOverTheNodeWhichWinsOverTheDefault) {
  const WebOptions none = *Decode({});
  EXPECT_EQ(SettleWeb(none, std::nullopt).bind->ToString(), "0.0.0.0:9443");
  EXPECT_FALSE(SettleWeb(none, std::nullopt).asked_for);
  EXPECT_EQ(SettleWeb(none, NodeWithPage()).bind->ToString(), "10.0.0.1:443");
  EXPECT_TRUE(SettleWeb(none, NodeWithPage()).asked_for);
  const WebOptions flag = *Decode({"--web", "[::1]:8443"});
  EXPECT_EQ(SettleWeb(flag, NodeWithPage()).bind->ToString(), "[::1]:8443");
  EXPECT_TRUE(SettleWeb(flag, NodeWithPage()).asked_for);
}

TEST(WebSetupTest, NoneIsNone) {
  EXPECT_EQ(SettleWeb(*Decode({"--web", "none"}), NodeWithPage()).bind, std::nullopt);
}

TEST(WebSetupTest, TheDefaultPageLeavesAVipItsPort) {
  model::Vip vip;
  vip.id.name_space = "default";
  vip.id.name = "portal";
  vip.ports = *net::PortSet::Parse("80,9440-9450");
  const WebPlace place = GiveWayToVips(SettleWeb(*Decode({}), std::nullopt), {vip});
  EXPECT_EQ(place.bind, std::nullopt);
  EXPECT_THAT(place.refusal, HasSubstr("port 9443 is VIP default/portal's"));
  vip.ports = *net::PortSet::Parse("80");
  EXPECT_TRUE(GiveWayToVips(SettleWeb(*Decode({}), std::nullopt), {vip}).bind.has_value());
  vip.ports = *net::PortSet::Parse("9443");
  const WebOptions asked = *Decode({"--web", "0.0.0.0:9443"});
  EXPECT_TRUE(GiveWayToVips(SettleWeb(asked, std::nullopt), {vip}).bind.has_value());
}

TEST(WebSetupTest, InAClusterItIsOffUnlessAskedFor) {
  RunOptions options;
  options.cluster.emplace();
  EXPECT_EQ(SettleNode(options, std::nullopt).web.bind, std::nullopt);
  options.web = *Decode({"--web", "0.0.0.0:9443"});
  EXPECT_TRUE(SettleNode(options, std::nullopt).web.bind.has_value());
}

TEST(WebSetupTest, OtherAddressesAreRefusedByName) {
  for (const char* text : {"", "9443", "localhost:9443", "0.0.0.0:0", "no"}) {
    EXPECT_THAT(Decode({"--web", text}).status().message(), HasSubstr("--web")) << text;
  }
}

}  // namespace
}  // namespace fairlead::cmd
