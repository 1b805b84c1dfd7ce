// Rules over one VIP, RealServer or Node; the health check has its own file.
#include <gtest/gtest.h>

#include "pkg/model/server_fit.h"
#include "tests/unit/model/model_testing.h"

namespace fairlead::model {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ValidateVipTest, AGoodVipHasNoFinding) { EXPECT_THAT(Lines(Validate(GoodVip())), IsEmpty()); }

TEST(ValidateVipTest, FindingsCarryObjectAndPlace) {
  Vip vip = GoodVip();
  vip.addresses.clear();
  const std::vector<Finding> findings = Validate(vip);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].object, "VIP default/dispatcher");
  EXPECT_EQ(findings[0].location, vip.location);
}

TEST(ValidateVipTest, NeedsANameAndANamespace) {
  Vip vip = GoodVip();
  vip.id = {ObjectKind::kVip, "Default", "Dispatcher"};
  vip.inline_servers = {MakeInline("a", "10.0.0.1")};
  vip.selector.clear();
  EXPECT_THAT(Lines(Validate(vip)), Contains(HasSubstr("metadata.name")));
  EXPECT_THAT(Lines(Validate(vip)), Contains(HasSubstr("metadata.namespace")));
}

TEST(ValidateVipTest, NeedsAnAddress) {
  Vip vip = GoodVip();
  vip.addresses.clear();
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.addresses", "1 to 8 addresses"));
}

TEST(ValidateVipTest, HasAtMostEightAddresses) {
  Vip vip = GoodVip();
  vip.addresses.clear();
  for (int i = 1; i <= 8; ++i) vip.addresses.push_back(Address(absl::StrCat("10.0.0.", i)));
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
  vip.addresses.push_back(Address("10.0.0.9"));
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.addresses", "9 addresses > 8"));
}

TEST(ValidateVipTest, AddressesAreDistinct) {
  Vip vip = GoodVip();
  vip.addresses = {Address("10.0.0.1"), Address("::ffff:10.0.0.1")};
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.addresses[1]", "10.0.0.1 is listed twice"));
}

TEST(ValidateVipTest, AddressesAreUnicast) {
  const std::pair<const char*, const char*> kCases[] = {
      {"0.0.0.0", "unspecified"},       {"::", "unspecified"},
      {"224.0.0.1", "multicast"},       {"ff02::1", "multicast"},
      {"255.255.255.255", "broadcast"}, {"fe80::1", "link-local"}};
  for (const auto& [address, reason] : kCases) {
    EXPECT_THAT(Lines(Validate(GoodVip("a", address))), IsError("spec.addresses[0]", reason));
  }
  for (const char* address : {"127.0.0.1", "169.254.1.1", "fd00::1", "::1", "240.0.0.1"}) {
    EXPECT_THAT(Lines(Validate(GoodVip("a", address))), IsEmpty()) << address;
  }
}

TEST(ValidateVipTest, NeedsPorts) {
  Vip vip = GoodVip();
  vip.ports = net::PortSet();
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.ports", "fairlead presets"));
}

TEST(ValidateVipTest, UnknownPresetIsAnError) {
  Vip vip = GoodVip();
  vip.presets = {"hp", "konica"};
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.presets[1]", "no preset \"konica\""));
}

TEST(ValidateVipTest, LaterFeaturesAreRefusedInWords) {
  const std::string not_yet = "not supported yet in this version: ";
  Vip vip = GoodVip();
  vip = GoodVip();
  vip.protocol = Protocol::kUdp;
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.protocol", not_yet + "protocol UDP"));
  vip.protocol = Protocol::kTcpAndUdp;
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.protocol", not_yet));
  vip = GoodVip("a", "10.0.0.1", "*");
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.ports", "needs mode: DR"));
  for (const auto type : {Advertise::Type::kRoute, Advertise::Type::kService}) {
    vip = GoodVip();
    vip.advertise.type = type;
    EXPECT_THAT(Lines(Validate(vip)), IsError("spec.advertise.type", not_yet));
  }
}

TEST(ValidateVipTest, TypeL2TakesAnInterfaceByItsNameOrNone) {
  Vip vip = GoodVip();
  vip.advertise.type = Advertise::Type::kL2;
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
  vip.advertise.interface = "bond0.100";
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
  vip.advertise.interface = "sixteen-letters-";
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.advertise.interface", "longer than"));
  vip.advertise.interface = "eth0:1";
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.advertise.interface", "no interface's name"));
}

TEST(ValidateVipTest, AnAdvertiseInterfaceNeedsTypeL2) {
  Vip vip = GoodVip();
  vip.advertise.interface = "eth0";
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.advertise.interface", "type L2 only"));
}

TEST(ValidateVipTest, SelectorLabelsAreLabels) {
  Vip vip = GoodVip();
  vip.selector = {{"bad key", "x"}, {"good", "bad value"}};
  EXPECT_EQ(Lines(Validate(vip)).size(), 2u);
}

TEST(ValidateVipTest, ANameTooLongForTheDefaultLabelNeedsASelector) {
  Vip vip = GoodVip(std::string(64, 'x'));
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.realServers", "write a selector or a list"));
  vip.selector = {{"app", "print"}};
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
}

TEST(ValidateVipTest, FallbackServerMustBeUsable) {
  Vip vip = GoodVip();
  vip.fallback.action = Fallback::Action::kDrop;
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
  vip.fallback.action = Fallback::Action::kServer;
  vip.fallback.server = {Address("10.0.0.9"), 0};
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
  vip.fallback.server.address = Address("224.0.0.1");
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.fallback.address", "multicast"));
}

TEST(ValidateVipTest, FallbackToTheVipItselfIsALoop) {
  Vip vip = GoodVip();
  vip.fallback = {Fallback::Action::kServer, {Address("10.10.10.150"), 443}};
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.fallback.address", "loop"));
  vip.fallback.server.port = 8443;  // not a port of the VIP
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
}

TEST(ValidateVipTest, TransparentLeavesNoChoiceOfTheSource) {
  Vip vip = GoodVip();
  vip.client_address = ClientAddress::kTransparent;
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
  vip.source = {SourceAddress::Type::kAddress, Address("10.0.0.5")};
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.source.type", "Transparent"));
  vip.source = {SourceAddress::Type::kVip, {}};
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.source.type", "Transparent"));
}

TEST(ValidateVipTest, TransparentVipsHaveOneFamily) {
  Vip vip = GoodVip();
  vip.addresses.push_back(Address("fd00::1"));
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
  vip.client_address = ClientAddress::kTransparent;
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.clientAddress", "one VIP for the IPv4"));
}

TEST(ValidateVipTest, SourceAddressMustBeUnicast) {
  Vip vip = GoodVip();
  vip.source = {SourceAddress::Type::kAddress, Address("0.0.0.0")};
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.source.address", "unspecified"));
}

TEST(ValidateVipTest, ServersMustMatchTheFamilyOfTheSource) {
  Vip vip = GoodVip();
  vip.inline_servers = {MakeInline("a", "fd00::2")};
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());  // SNAT joins the families
  vip.source = {SourceAddress::Type::kAddress, Address("10.0.0.5")};
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.realServers.list[0].address", "10.0.0.5"));
  vip.source = {SourceAddress::Type::kVip, {}};
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.realServers.list[0].address", "source type VIP"));
  vip.source = {};
  vip.client_address = ClientAddress::kTransparent;
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.realServers.list[0].address", "Transparent"));
}

TEST(ValidateVipTest, InlineServersHaveNamesOfTheirOwn) {
  Vip vip = GoodVip();
  vip.inline_servers = {MakeInline("a", "10.0.0.1"), MakeInline("a", "10.0.0.2")};
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.realServers.list[1].name", "\"a\" is in the"));
  vip.inline_servers = {MakeInline("Srv_1", "10.0.0.1")};
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.realServers.list[0].name", "\"srv-1\""));
  vip.inline_servers = {MakeInline("fd00::1", "fd00::1")};  // named after its address
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
}

TEST(ValidateVipTest, InlineServersHaveEndpointsOfTheirOwn) {
  Vip vip = GoodVip();
  vip.inline_servers = {MakeInline("a", "10.0.0.1"), MakeInline("b", "10.0.0.1")};
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.realServers.list[1].address", "list twice"));
  vip.inline_servers[1].spec.port = 8080;
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
}

TEST(ValidateVipTest, AServerIsNotTheVipItself) {
  Vip vip = GoodVip();
  vip.inline_servers = {MakeInline("a", "10.10.10.150")};
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.realServers.list[0].address", "loop"));
  vip.inline_servers[0].spec.port = 8080;
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
}

TEST(ValidateVipTest, HasAtMost1024InlineServers) {
  Vip vip = GoodVip();
  for (int i = 0; i < 1025; ++i) {
    vip.inline_servers.push_back(
        MakeInline(absl::StrCat("s-", i), absl::StrCat("10.1.", i / 250, ".", i % 250)));
  }
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.realServers.list", "1025 servers > 1024"));
}

TEST(ValidateVipTest, NumbersHaveBounds) {
  const auto check = [](auto change, const std::string& field) {
    Vip vip = GoodVip();
    change(vip);
    EXPECT_THAT(Lines(Validate(vip)), IsError(field, "must be "));
  };
  check([](Vip& v) { v.persistence.timeout = absl::ZeroDuration(); },
        "spec.persistence.timeoutSeconds");
  check([](Vip& v) { v.persistence.timeout = absl::Hours(24 * 8); },
        "spec.persistence.timeoutSeconds");
  check([](Vip& v) { v.persistence.ipv4_prefix_length = 33; }, "spec.persistence.ipv4PrefixLength");
  check([](Vip& v) { v.persistence.ipv4_prefix_length = -1; }, "spec.persistence.ipv4PrefixLength");
  check([](Vip& v) { v.persistence.ipv6_prefix_length = 129; },
        "spec.persistence.ipv6PrefixLength");
  check([](Vip& v) { v.timeouts.connect = absl::ZeroDuration(); }, "spec.timeouts.connectSeconds");
  check([](Vip& v) { v.timeouts.connect = absl::Seconds(61); }, "spec.timeouts.connectSeconds");
  check([](Vip& v) { v.timeouts.idle = absl::InfiniteDuration(); }, "spec.timeouts.idleSeconds");
  check([](Vip& v) { v.timeouts.idle = absl::ZeroDuration(); }, "spec.timeouts.idleSeconds");
  check([](Vip& v) { v.timeouts.drain = absl::Seconds(-1); }, "spec.timeouts.drainSeconds");
  check([](Vip& v) { v.connections_max = 10'000'001; }, "spec.maxConnections");
  check([](Vip& v) { v.slow_start = absl::Hours(2); }, "spec.slowStartSeconds");
}

TEST(ValidateRealServerTest, AGoodServerHasNoFinding) {
  EXPECT_THAT(Lines(Validate(GoodServer())), IsEmpty());
}

TEST(ValidateRealServerTest, ChecksNameLabelsAndAddress) {
  RealServer server = GoodServer("Srv");
  EXPECT_THAT(Lines(Validate(server)), IsError("metadata.name", "\"srv\""));
  server = GoodServer();
  server.labels["bad key"] = "x";
  EXPECT_THAT(Lines(Validate(server)), IsError("metadata.labels.bad key", "not a label key"));
  EXPECT_THAT(Lines(Validate(GoodServer("a", "0.0.0.0"))), IsError("spec.address", "unspecified"));
  EXPECT_THAT(Lines(Validate(GoodServer("a", "ff02::1"))), IsError("spec.address", "multicast"));
}

TEST(ValidateRealServerTest, NumbersHaveBounds) {
  RealServer server = GoodServer();
  server.spec.weight = 65536;
  EXPECT_THAT(Lines(Validate(server)), IsError("spec.weight", "must be 0..65535"));
  server = GoodServer();
  server.spec.port = 0;
  EXPECT_THAT(Lines(Validate(server)), IsError("spec.port", "must be 1..65535"));
  server = GoodServer();
  server.spec.connections_max = 10'000'001;
  EXPECT_THAT(Lines(Validate(server)), IsError("spec.maxConnections", "must be 0..10000000"));
  server = GoodServer();
  server.spec.weight = 0;
  EXPECT_THAT(Lines(Validate(server)), IsEmpty());
}

TEST(ValidateRealServerTest, AHostNameStandsForTheAddress) {
  RealServer server = GoodServer("a", "0.0.0.0");
  server.spec.host_name = "print1.example.com";
  EXPECT_THAT(Lines(Validate(server)), IsEmpty());
  server.spec.host_name = "print_1";
  EXPECT_THAT(Lines(Validate(server)), IsError("spec.address", "neither an IP address nor"));
}

TEST(ValidateVipTest, HostNamesOfInlineServersDiffer) {
  Vip vip = GoodVip();
  vip.inline_servers = {MakeInline("a", "0.0.0.0"), MakeInline("b", "0.0.0.0")};
  vip.inline_servers[0].spec.host_name = "print1.example.com";
  vip.inline_servers[1].spec.host_name = "print2.example.com";
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
  vip.inline_servers[1].spec.host_name = "print1.example.com";
  EXPECT_THAT(Lines(Validate(vip)), IsError("spec.realServers.list[1].address",
                                            "print1.example.com is in the list twice"));
  vip.inline_servers[1].spec.port = 9100;
  EXPECT_THAT(Lines(Validate(vip)), IsEmpty());
}

TEST(ServerMisfitTest, AHostNameNeedsModeSnat) {
  Vip vip = GoodVip();
  ServerSpec spec;
  spec.host_name = "print1.example.com";
  EXPECT_EQ(ServerMisfit(vip, spec), "");
  vip.mode = Mode::kDr;
  EXPECT_THAT(ServerMisfit(vip, spec),
              HasSubstr("direct routing needs the address of print1.example.com"));
}

TEST(ValidateRealServerTest, TheMinimumIsBelowTheMaximum) {
  RealServer server = GoodServer();
  server.spec.connections_min = 10;
  server.spec.connections_max = 5;
  EXPECT_THAT(Lines(Validate(server)), IsError("spec.minConnections", "10 > maxConnections 5"));
  server.spec.connections_max = 10;
  EXPECT_THAT(Lines(Validate(server)), IsEmpty());
}

TEST(ValidateRealServerTest, WarnsOfAMinimumWithoutAMaximum) {
  RealServer server = GoodServer();
  server.spec.connections_min = 10;
  EXPECT_THAT(Lines(Validate(server)), IsWarning("spec.minConnections", "unlimited"));
}

Node GoodNode() {
  Node node;
  node.id = {ObjectKind::kNode, "", "lb1"};
  return node;
}

TEST(ValidateNodeTest, APairFitsItsTransport) {
  Node node = GoodNode();
  node.pair.emplace();
  EXPECT_THAT(Lines(Validate(node)), IsError("spec.pair.peer", "needs the address"));
  node.pair->peer = *net::IpAddress::Parse("10.0.0.2");
  EXPECT_THAT(Lines(Validate(node)), IsEmpty());
  node.pair->advertisement_interval = absl::Milliseconds(105);
  EXPECT_THAT(Lines(Validate(node)),
              IsError("spec.pair.advertisementIntervalMs", "multiple of 10"));
  node.pair->advertisement_interval = absl::Milliseconds(10);
  node.pair->transport = Pair::Transport::kMulticast;
  node.interface = "eth0";
  EXPECT_THAT(Lines(Validate(node)), IsError("spec.pair.peer", "Unicast only"));
  node.pair->peer.reset();
  EXPECT_THAT(Lines(Validate(node)), IsEmpty());
  node.interface.clear();
  EXPECT_THAT(Lines(Validate(node)), IsError("spec.interface", "needs the interface"));
  node = GoodNode();
  node.pair.emplace().peer = *net::IpAddress::Parse("127.0.0.1");
  EXPECT_THAT(Lines(Validate(node)), IsError("spec.pair.peer", "this host itself"));
}

TEST(ValidateNodeTest, AGoodNodeHasNoFinding) {
  Node node = GoodNode();
  EXPECT_THAT(Lines(Validate(node)), IsEmpty());
  node.admin_http = *net::Endpoint::Parse("0.0.0.0:9080");
  node.state_directory = "/srv/fairlead";
  EXPECT_THAT(Lines(Validate(node)), IsEmpty());
}

TEST(ValidateNodeTest, AnInterfaceIsOfALaterVersion) {
  Node node = GoodNode();
  node.interface = "eth 0";
  EXPECT_THAT(Lines(Validate(node)), IsError("spec.interface", "no interface's name"));
}

TEST(ValidateNodeTest, TheAdminEndpointCanBeListenedOn) {
  Node node = GoodNode();
  node.admin_http = *net::Endpoint::Parse("127.0.0.1:0");
  EXPECT_THAT(Lines(Validate(node)), IsError("spec.admin.http", "must be 1..65535"));
  node.admin_http = *net::Endpoint::Parse("224.0.0.1:80");
  EXPECT_THAT(Lines(Validate(node)), IsError("spec.admin.http", "multicast"));
}

TEST(ValidateNodeTest, TheStateDirectoryIsAnAbsolutePath) {
  for (const char* path : {"", "var/lib", "/var\nlib"}) {
    Node node = GoodNode();
    node.state_directory = path;
    EXPECT_THAT(Lines(Validate(node)), IsError("spec.stateDirectory", "absolute path"));
  }
}

}  // namespace
}  // namespace fairlead::model
