#include <gtest/gtest.h>

#include "tests/unit/model/model_testing.h"

namespace fairlead::model {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// VIPs with a list, so that they have no warning.
DesiredState StateOf(std::vector<Vip> vips) {
  DesiredState state;
  for (Vip& vip : vips) {
    vip.inline_servers = {MakeInline("a", "10.9.9.9")};
    vip.selector.clear();
  }
  state.vips = std::move(vips);
  return state;
}

std::vector<std::string> NamesOf(const DesiredState& state) {
  std::vector<std::string> names;
  for (const Vip& vip : state.vips) names.push_back(vip.id.name);
  for (const RealServer& server : state.real_servers) names.push_back(server.id.name);
  return names;
}

TEST(ValidateTogetherTest, OtherAddressesOrPortsAreNoConflict) {
  DesiredState state = StateOf({GoodVip("a", "10.0.0.1", "80"), GoodVip("b", "10.0.0.2", "80"),
                                GoodVip("c", "10.0.0.1", "443")});
  ValidateTogether(state, {}, {});
  EXPECT_THAT(NamesOf(state), ElementsAre("a", "b", "c"));
  EXPECT_THAT(state.findings, IsEmpty());
}

TEST(ValidateTogetherTest, TheLaterOfTwoVipsWithOnePortIsRejected) {
  DesiredState state =
      StateOf({GoodVip("z", "10.0.0.1", "80,443"), GoodVip("a", "10.0.0.1", "443,8443")});
  ValidateTogether(state, {}, {});
  EXPECT_THAT(NamesOf(state), ElementsAre("z"));
  ASSERT_EQ(state.findings.size(), 1u);
  EXPECT_EQ(state.findings[0].object, "VIP default/a");
  EXPECT_EQ(state.findings[0].message,
            "port 443/TCP of 10.0.0.1 belongs to VIP default/z already, which keeps working; use "
            "another address or other ports");
}

TEST(ValidateTogetherTest, WhatIsInForceCountsAsEarlier) {
  DesiredState state =
      StateOf({GoodVip("new", "10.0.0.1", "80"), GoodVip("old", "10.0.0.1", "80")});
  ValidateTogether(state, {}, {state.vips[1].id});
  EXPECT_THAT(NamesOf(state), ElementsAre("old"));
}

TEST(ValidateTogetherTest, ARejectedVipTakesNoPortFromOthers) {
  DesiredState state = StateOf({GoodVip("a", "10.0.0.1", "80"), GoodVip("b", "10.0.0.1", "80-90"),
                                GoodVip("c", "10.0.0.1", "85")});
  ValidateTogether(state, {}, {});
  EXPECT_THAT(NamesOf(state), ElementsAre("a", "c"));
}

TEST(ValidateTogetherTest, NamespacesShareTheAddresses) {
  DesiredState state = StateOf({GoodVip("a", "10.0.0.1", "80"), GoodVip("a", "10.0.0.1", "80")});
  state.vips[1].id.name_space = "other";
  ValidateTogether(state, {}, {});
  ASSERT_EQ(state.vips.size(), 1u);
  EXPECT_EQ(state.vips[0].id.name_space, "default");
}

TEST(ValidateTogetherTest, OurOwnPortsAreTaken) {
  const auto own = *net::Endpoint::Parse("10.0.0.1:9080");
  DesiredState state =
      StateOf({GoodVip("a", "10.0.0.1", "9000-9100"), GoodVip("b", "10.0.0.2", "9000-9100")});
  ValidateTogether(state, own, {});
  EXPECT_THAT(NamesOf(state), ElementsAre("b"));
  EXPECT_THAT(state.findings[0].message, HasSubstr("port 9080 of 10.0.0.1 is Fairlead's own"));
}

TEST(ValidateTogetherTest, AWildcardListenerTakesThePortOnEveryAddress) {
  const auto names = [](const char* own) {
    DesiredState state =
        StateOf({GoodVip("v4", "10.0.0.1", "9080"), GoodVip("v6", "fd00::1", "9080")});
    ValidateTogether(state, *net::Endpoint::Parse(own), {});
    return NamesOf(state);
  };
  EXPECT_THAT(names("0.0.0.0:9080"), ElementsAre("v6"));
  EXPECT_THAT(names("[::]:9080"), IsEmpty());
  EXPECT_THAT(names("127.0.0.1:9080"), ElementsAre("v4", "v6"));
}

TEST(ValidateTogetherTest, TheNodesAdminPortIsOurOwn) {
  DesiredState state = StateOf({GoodVip("a", "10.0.0.1", "9080")});
  state.node.emplace().admin_http = *net::Endpoint::Parse("10.0.0.1:9080");
  ValidateTogether(state, {}, {});
  EXPECT_THAT(NamesOf(state), IsEmpty());
}

TEST(ValidateTogetherTest, TheNodesWebPageIsOurOwn) {
  DesiredState state =
      StateOf({GoodVip("a", "10.0.0.1", "9443"), GoodVip("b", "10.0.0.1", "8443")});
  state.node.emplace().admin_https = *net::Endpoint::Parse("0.0.0.0:9443");
  ValidateTogether(state, {}, {});
  EXPECT_THAT(NamesOf(state), ElementsAre("b"));
  EXPECT_THAT(state.findings[0].message, HasSubstr("its web page listens on 0.0.0.0:9443"));
}

TEST(ValidateTogetherTest, TheAdminPortIsOurOwnWithoutANode) {
  DesiredState state =
      StateOf({GoodVip("loopback", "127.0.0.1", "9080"), GoodVip("other", "10.0.0.1", "9080")});
  ValidateTogether(state, {}, {});
  EXPECT_THAT(NamesOf(state), ElementsAre("other"));
  EXPECT_THAT(state.findings[0].message, HasSubstr("its admin API listens on 127.0.0.1:9080"));
}

TEST(ValidateTogetherTest, TheCommandLinesAdminAddressWinsOverTheNodesAndThatOverTheDefault) {
  const auto names = [](bool node, bool flag) {
    DesiredState state =
        StateOf({GoodVip("default", "127.0.0.1", "9080"), GoodVip("node", "127.0.0.1", "9081"),
                 GoodVip("flag", "127.0.0.1", "9082")});
    if (node) state.node.emplace().admin_http = *net::Endpoint::Parse("127.0.0.1:9081");
    std::optional<net::Endpoint> admin_flag;
    if (flag) admin_flag = *net::Endpoint::Parse("127.0.0.1:9082");
    ValidateTogether(state, admin_flag, {});
    return NamesOf(state);
  };
  EXPECT_THAT(names(false, false), ElementsAre("node", "flag"));
  EXPECT_THAT(names(true, false), ElementsAre("default", "flag"));
  EXPECT_THAT(names(true, true), ElementsAre("default", "node"));
}

TEST(ValidateTogetherTest, TheLaterOfTwoServersWithOneHostNameInOneVipIsRejected) {
  DesiredState state;
  state.vips = {GoodVip("dispatcher")};
  state.real_servers = {GoodServer("a", "0.0.0.0"), GoodServer("b", "0.0.0.0"),
                        GoodServer("c", "0.0.0.0")};
  for (RealServer& server : state.real_servers) server.spec.host_name = "print1.example.com";
  state.real_servers[2].spec.host_name = "print2.example.com";
  ValidateTogether(state, {}, {});
  EXPECT_THAT(Lines(state.findings), IsError("spec.address", "print1.example.com is RealServer"));
  EXPECT_EQ(ServersOf(state, state.vips[0]).size(), 2u);
}

TEST(ValidateTogetherTest, TheLaterOfTwoServersWithOneEndpointInOneVipIsRejected) {
  DesiredState state;
  state.vips = {GoodVip("dispatcher")};
  state.real_servers = {GoodServer("a", "10.0.0.1"), GoodServer("b", "10.0.0.1")};
  ValidateTogether(state, {}, {});
  EXPECT_THAT(NamesOf(state), ElementsAre("dispatcher", "a"));
  EXPECT_EQ(state.findings[0].object, "RealServer default/b");
  EXPECT_THAT(state.findings[0].message, HasSubstr("10.0.0.1 is RealServer default/a of VIP"));
}

TEST(ValidateTogetherTest, OneEndpointInTwoVipsIsFine) {
  DesiredState state;
  state.vips = {GoodVip("x", "10.1.0.1"), GoodVip("y", "10.1.0.2")};
  state.real_servers = {GoodServer("a", "10.0.0.1", "x"), GoodServer("b", "10.0.0.1", "y")};
  ValidateTogether(state, {}, {});
  EXPECT_THAT(NamesOf(state), ElementsAre("x", "y", "a", "b"));
  EXPECT_THAT(state.findings, IsEmpty());
}

TEST(ValidateTogetherTest, WarnsOfAVipWithoutServers) {
  DesiredState state;
  state.vips = {GoodVip("dispatcher")};
  ValidateTogether(state, {}, {});
  EXPECT_THAT(Lines(state.findings),
              IsWarning("spec.realServers", "the label lb.fairlead.dev/vip: dispatcher"));
}

TEST(ValidateTogetherTest, WarnsOfAServerThatNoVipSelects) {
  DesiredState state;
  state.real_servers = {GoodServer("a", "10.0.0.1", "nobody")};
  ValidateTogether(state, {}, {});
  EXPECT_THAT(Lines(state.findings), IsWarning("metadata.labels", "no VIP of namespace default"));
  EXPECT_THAT(NamesOf(state), ElementsAre("a"));
}

TEST(ValidateTogetherTest, WarnsOfAServerThatItsVipCannotReach) {
  DesiredState state;
  state.vips = {GoodVip("dispatcher")};
  state.vips[0].source = {SourceAddress::Type::kAddress, Address("10.0.0.5")};
  state.real_servers = {GoodServer("a", "10.0.0.1"), GoodServer("b", "fd00::1")};
  ValidateTogether(state, {}, {});
  EXPECT_THAT(Lines(state.findings), IsWarning("spec.address", "VIP default/dispatcher cannot"));
}

TEST(ServersOfTest, JoinsListAndObjectsByName) {
  DesiredState state;
  Vip vip = GoodVip("dispatcher");
  vip.inline_servers = {MakeInline("c", "10.0.0.3"), MakeInline("a", "10.0.0.1")};
  state.real_servers = {GoodServer("b", "10.0.0.2"), GoodServer("x", "10.0.0.4", "other")};
  std::vector<std::string> names;
  for (const VipServer& server : ServersOf(state, vip)) names.push_back(server.name);
  EXPECT_THAT(names, ElementsAre("a", "b", "c"));
}

TEST(ServersOfTest, TheInlineEntryWinsByNameAndByEndpoint) {
  DesiredState state;
  Vip vip = GoodVip("dispatcher");
  vip.inline_servers = {MakeInline("a", "10.0.0.1")};
  state.vips = {vip};
  state.real_servers = {GoodServer("a", "10.0.0.2"), GoodServer("b", "10.0.0.1")};
  const std::vector<VipServer> servers = ServersOf(state, vip);
  ASSERT_EQ(servers.size(), 1u);
  EXPECT_FALSE(servers[0].is_object);
  EXPECT_EQ(servers[0].spec.address, Address("10.0.0.1"));
  ValidateTogether(state, {}, {});
  EXPECT_THAT(Lines(state.findings),
              UnorderedElementsAre(HasSubstr("inline entry a"), HasSubstr("inline entry a")));
}

TEST(ServersOfTest, EveryLabelOfTheSelectorMustMatchInTheSameNamespace) {
  DesiredState state;
  Vip vip = GoodVip("dispatcher");
  vip.selector = {{"app", "print"}, {"site", "berlin"}};
  RealServer both = GoodServer("both", "10.0.0.1");
  both.labels = {{"app", "print"}, {"site", "berlin"}, {"more", "x"}};
  RealServer one = GoodServer("one", "10.0.0.2");
  one.labels = {{"app", "print"}};
  RealServer elsewhere = both;
  elsewhere.id = {ObjectKind::kRealServer, "other", "elsewhere"};
  state.real_servers = {both, one, elsewhere};
  const std::vector<VipServer> servers = ServersOf(state, vip);
  ASSERT_EQ(servers.size(), 1u);
  EXPECT_EQ(servers[0].name, "both");
  EXPECT_TRUE(servers[0].is_object);
}

TEST(ServersOfTest, WithoutASelectorOnlyTheListCounts) {
  DesiredState state;
  Vip vip = GoodVip("dispatcher");
  vip.selector.clear();
  vip.inline_servers = {MakeInline("a", "10.0.0.1")};
  state.real_servers = {GoodServer("b", "10.0.0.2")};
  EXPECT_EQ(ServersOf(state, vip).size(), 1u);
}

TEST(ServerIndexTest, AgreesWithServersOf) {
  DesiredState state;
  for (int i = 0; i < 20; ++i) {
    state.vips.push_back(GoodVip(absl::StrCat("v-", i), absl::StrCat("10.0.0.", i + 1)));
  }
  for (int i = 0; i < 200; ++i) {
    state.real_servers.push_back(
        GoodServer(absl::StrCat("s-", i), absl::StrCat("10.2.0.", i), absl::StrCat("v-", i % 25)));
  }
  const ServerIndex index(state);
  for (const Vip& vip : state.vips) {
    EXPECT_EQ(index.ServersOf(vip), ServersOf(state, vip)) << vip.id.name;
    EXPECT_EQ(index.ServersOf(vip).size(), 8u);
  }
}

}  // namespace
}  // namespace fairlead::model
