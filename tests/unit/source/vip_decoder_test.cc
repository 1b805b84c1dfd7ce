// The fields of `spec`, one by one.
#include <gtest/gtest.h>

#include "tests/unit/source/source_testing.h"

namespace fairlead::source {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kGood[] = "  addresses: [10.10.10.150]\n  ports: \"80,443\"\n";

DecodeResult DecodeSpec(absl::string_view spec) {
  return DecodeManifests(VipText("dispatcher", spec), "t.yaml");
}

// kGood with more fields; it must be good.
model::Vip Good(absl::string_view more) {
  const DecodeResult result = DecodeSpec(absl::StrCat(kGood, more));
  EXPECT_THAT(LinesOf(result.findings), IsEmpty());
  return result.vips.size() == 1 ? result.vips[0] : model::Vip();
}

// kGood with more fields; it must be bad.
std::vector<std::string> Bad(absl::string_view more) {
  const DecodeResult result = DecodeSpec(absl::StrCat(kGood, more));
  EXPECT_TRUE(result.vips.empty()) << more;
  EXPECT_EQ(result.rejected.size(), 1u);
  return LinesOf(result.findings);
}

TEST(VipDecoderTest, DefaultsAreThoseOfTheManual) {
  const model::Vip vip = Good("");
  EXPECT_EQ(vip.protocol, model::Protocol::kTcp);
  EXPECT_EQ(vip.mode, model::Mode::kSnat);
  EXPECT_EQ(vip.scheduler, model::Scheduler::kWeightedLeastConnections);
  EXPECT_EQ(vip.persistence, model::Persistence());
  EXPECT_EQ(vip.health_check.type, model::HealthCheck::Type::kTcp);
  EXPECT_EQ(vip.health_check.port, 80);
  EXPECT_EQ(vip.health_check.interval, absl::Seconds(2));
  EXPECT_EQ(vip.timeouts, model::Timeouts());
  EXPECT_EQ(vip.connections_max, 0u);
  EXPECT_TRUE(vip.enabled);
  EXPECT_EQ(vip.selector.at("lb.fairlead.dev/vip"), "dispatcher");
}

TEST(VipDecoderTest, EveryPortNeedsAPortToCheckAndUdpAWarning) {
  const auto lines = [](absl::string_view spec) { return LinesOf(DecodeSpec(spec).findings); };
  const std::string all = "  addresses: [10.10.10.150]\n  ports: \"*\"\n  mode: DR\n";
  EXPECT_THAT(lines(all), ElementsAre(HasSubstr("spec.healthCheck.port: the VIP has every port")));
  EXPECT_THAT(lines(all + "  healthCheck: {port: 1}\n"), IsEmpty());
  EXPECT_THAT(lines(all + "  healthCheck: {type: ICMP}\n"), IsEmpty());
  EXPECT_THAT(lines(all + "  presets: [konica-minolta]\n"), IsEmpty());  // it names 5122
  EXPECT_THAT(lines("  addresses: [10.10.10.150]\n  ports: 53\n  mode: DR\n  protocol: UDP\n"),
              ElementsAre(HasSubstr("warning: VIP default/dispatcher: spec.healthCheck.port")));
}

TEST(VipDecoderTest, ReadsEveryField) {
  const model::Vip vip = Good(R"(  protocol: TCP
  mode: SNAT
  scheduler: Maglev
  persistence: {type: SourceIP, timeoutSeconds: 60.5, ipv4PrefixLength: 24, ipv6PrefixLength: 64}
  healthCheck:
    type: HTTPS
    port: 8443
    intervalSeconds: 0.5
    timeoutSeconds: 0.25
    unhealthyThreshold: 5
    healthyThreshold: 1
    http: {path: /health, host: print.example.com, expectedStatuses: "200-299, 301"}
  realServers:
    selector: {matchLabels: {app: print}}
    list:
      - {name: srv-1, address: 10.0.0.1, port: 8080, weight: 50, minConnections: 1, maxConnections: 9, state: Drain}
      - {address: "fd00::1", port: null}
  fallback: {action: Server, address: 10.0.0.9, port: 81}
  clientAddress: ProxyProtocolV2
  source: {type: Auto}
  timeouts: {connectSeconds: 1.5, idleSeconds: 60, drainSeconds: 0}
  maxConnections: 1000
  slowStartSeconds: 30
  state: Disabled
  advertise: {type: None}
)");
  EXPECT_EQ(vip.scheduler, model::Scheduler::kMaglev);
  EXPECT_EQ(vip.persistence.type, model::Persistence::Type::kSourceIp);
  EXPECT_EQ(vip.persistence.timeout, absl::Milliseconds(60500));
  EXPECT_EQ(vip.persistence.ipv4_prefix_length, 24);
  EXPECT_EQ(vip.persistence.ipv6_prefix_length, 64);
  const model::HealthCheck& check = vip.health_check;
  EXPECT_EQ(check.type, model::HealthCheck::Type::kHttps);
  EXPECT_EQ(check.port, 8443);
  EXPECT_TRUE(check.port_from_manifest);
  EXPECT_EQ(check.interval, absl::Milliseconds(500));
  EXPECT_EQ(check.timeout, absl::Milliseconds(250));
  EXPECT_EQ(check.unhealthy_threshold, 5);
  EXPECT_EQ(check.healthy_threshold, 1);
  EXPECT_EQ(check.http_path, "/health");
  EXPECT_EQ(check.http_host, "print.example.com");
  EXPECT_EQ(check.expected_statuses, (std::vector<model::StatusRange>{{200, 299}, {301, 301}}));
  EXPECT_EQ(vip.selector, (std::map<std::string, std::string>{{"app", "print"}}));
  ASSERT_EQ(vip.inline_servers.size(), 2u);
  const model::InlineServer& server = vip.inline_servers[0];
  EXPECT_EQ(server.name, "srv-1");
  EXPECT_EQ(server.spec.port, 8080);
  EXPECT_EQ(server.spec.weight, 50u);
  EXPECT_EQ(server.spec.connections_min, 1u);
  EXPECT_EQ(server.spec.connections_max, 9u);
  EXPECT_EQ(server.spec.state, model::AdminState::kDrain);
  EXPECT_EQ(vip.inline_servers[1].name, "fd00::1");
  EXPECT_FALSE(vip.inline_servers[1].spec.port.has_value());
  EXPECT_EQ(vip.fallback.action, model::Fallback::Action::kServer);
  EXPECT_EQ(vip.fallback.server.ToString(), "10.0.0.9:81");
  EXPECT_EQ(vip.client_address, model::ClientAddress::kProxyProtocolV2);
  EXPECT_EQ(vip.timeouts.connect, absl::Milliseconds(1500));
  EXPECT_EQ(vip.timeouts.drain, absl::ZeroDuration());
  EXPECT_EQ(vip.connections_max, 1000u);
  EXPECT_EQ(vip.slow_start, absl::Seconds(30));
  EXPECT_FALSE(vip.enabled);
}

TEST(VipDecoderTest, TheGuidesVipIsThreeLines) {
  const DecodeResult result = DecodeSpec(
      "  addresses: [10.10.10.150]\n  presets: [konica-minolta]\n"
      "  realServers: {list: [{address: 10.10.10.151}, {address: 10.10.10.152}]}\n");
  ASSERT_THAT(LinesOf(result.findings), IsEmpty());
  EXPECT_EQ(result.vips[0].ports.ToString(), "80,443,5014-5019,5021,5022,50001,50003");
  EXPECT_EQ(result.vips[0].health_check.port, 5122);
  EXPECT_FALSE(result.vips[0].health_check.port_from_manifest);
  EXPECT_TRUE(result.vips[0].selector.empty());
}

std::string PortsOf(absl::string_view ports) {
  const DecodeResult result =
      DecodeSpec(absl::StrCat("  addresses: [10.0.0.1]\n  ports: ", ports, "\n"));
  return result.vips.empty() ? "" : result.vips[0].ports.ToString();
}

TEST(VipDecoderTest, PortsAreAStringOrAList) {
  EXPECT_EQ(PortsOf("\"80,443\""), "80,443");
  EXPECT_EQ(PortsOf("80,443"), "80,443");
  EXPECT_EQ(PortsOf("9101"), "9101");
  EXPECT_EQ(PortsOf("[80, \"5014-5019\", 81]"), "80,81,5014-5019");
  EXPECT_EQ(PortsOf("[\"80\"]"), "80");
}

TEST(VipDecoderTest, EveryBadPortIsNamed) {
  const DecodeResult result =
      DecodeSpec("  addresses: [10.0.0.1]\n  ports: \"0,70000,9-8,,x,80\"\n");
  EXPECT_THAT(
      LinesOf(result.findings),
      ElementsAre(HasSubstr("\"0\""), HasSubstr("\"70000\" > 65535"),
                  HasSubstr("reversed; write 8-9"), HasSubstr("empty item"), HasSubstr("\"x\"")));
  const DecodeResult list =
      DecodeSpec("  addresses: [10.0.0.1]\n  ports: [80, 0, [1], 1.5, null]\n");
  EXPECT_THAT(LinesOf(list.findings),
              ElementsAre(HasSubstr("spec.ports[1]"), HasSubstr("spec.ports[2]"),
                          HasSubstr("spec.ports[3]"), HasSubstr("spec.ports[4]")));
}

TEST(VipDecoderTest, PortsAndPresetsAreOneUnion) {
  const DecodeResult result =
      DecodeSpec("  addresses: [10.0.0.1]\n  ports: \"5020,5023\"\n  presets: [lexmark, hp]\n");
  ASSERT_THAT(LinesOf(result.findings), IsEmpty());
  EXPECT_EQ(result.vips[0].ports.ToString(), "443,5020-5023,5025,7627,57627");
  EXPECT_THAT(result.vips[0].presets, ElementsAre("lexmark", "hp"));
}

TEST(VipDecoderTest, UnknownPresetsHaveASuggestion) {
  EXPECT_THAT(Bad("  presets: [konica]\n"),
              ElementsAre(HasSubstr("no preset \"konica\"; did you mean \"konica-minolta\"?")));
  EXPECT_THAT(Bad("  presets: hp\n"), ElementsAre(HasSubstr("must be a list")));
}

TEST(VipDecoderTest, WrongTypesAreNamed) {
  EXPECT_THAT(DecodeSpec("  addresses: 10.0.0.1\n  ports: 80\n").findings.size(), 1u);
  EXPECT_THAT(Bad("  maxConnections: many\n"), ElementsAre(HasSubstr("is not a whole number")));
  EXPECT_THAT(Bad("  maxConnections: 1.5\n"), ElementsAre(HasSubstr("is not a whole number")));
  EXPECT_THAT(Bad("  maxConnections: \"5\"\n"), ElementsAre(HasSubstr("without quotes")));
  EXPECT_THAT(Bad("  maxConnections: 010\n"), ElementsAre(HasSubstr("drop the leading zeros")));
  EXPECT_THAT(Bad("  maxConnections: 99999999999999999999\n"),
              ElementsAre(HasSubstr("too large a number")));
  EXPECT_THAT(Bad("  maxConnections: [1]\n"), ElementsAre(HasSubstr("not a list")));
  EXPECT_THAT(Bad("  timeouts: 5\n"), ElementsAre(HasSubstr("is not a mapping")));
  EXPECT_THAT(Bad("  timeouts: {idleSeconds: \"60\"}\n"), ElementsAre(HasSubstr("without quotes")));
  EXPECT_THAT(Bad("  timeouts: {idleSeconds: 1h}\n"), ElementsAre(HasSubstr("number of seconds")));
  EXPECT_THAT(Bad("  timeouts: {idleSeconds: .inf}\n"), ElementsAre(HasSubstr("spec.timeouts")));
  EXPECT_THAT(Bad("  timeouts: {idleSeconds: .nan}\n"), ElementsAre(HasSubstr("spec.timeouts")));
  EXPECT_THAT(Bad("  timeouts: {idleSeconds: 1e999}\n"), ElementsAre(HasSubstr("spec.timeouts")));
  EXPECT_THAT(Bad("  healthCheck: {halfOpen: yes}\n"),
              ElementsAre(HasSubstr("write true or false")));
  EXPECT_THAT(Bad("  realServers: {list: {a: b}}\n"), ElementsAre(HasSubstr("a list of servers")));
  EXPECT_THAT(Bad("  realServers: {list: [x]}\n"),
              Contains(HasSubstr("list[0]: \"x\" is not a map")));
}

TEST(VipDecoderTest, UnknownWordsHaveASuggestion) {
  EXPECT_THAT(Bad("  scheduler: roundrobin\n"), ElementsAre(HasSubstr("must be one of Weighted")));
  EXPECT_THAT(Bad("  state: enabled\n"), ElementsAre(HasSubstr("did you mean \"Enabled\"?")));
  EXPECT_THAT(Bad("  fallback: {action: Rest}\n"), ElementsAre(HasSubstr("\"Reset\"?")));
  EXPECT_THAT(Bad("  clientAddress: true\n"), ElementsAre(HasSubstr("quote it")));
}

TEST(VipDecoderTest, TheDefaultSchedulerDependsOnTheMode) {
  const auto scheduler = [](const std::string& mode) {
    return Good("  mode: " + mode + "\n").scheduler;
  };
  EXPECT_EQ(scheduler("SNAT"), model::Scheduler::kWeightedLeastConnections);
  EXPECT_EQ(scheduler("DR"), model::Scheduler::kMaglev);
  EXPECT_EQ(scheduler("Auto"), model::Scheduler::kMaglev);
}

TEST(VipDecoderTest, LaterFeaturesAreRefusedInWords) {
  const auto refused = [](absl::string_view field) {
    return ElementsAre(
        AllOf(HasSubstr(absl::StrCat(field, ": not supported yet in this version"))));
  };
  EXPECT_THAT(Bad("  protocol: UDP\n"), refused("spec.protocol"));
  EXPECT_THAT(Bad("  protocol: TCPAndUDP\n"), refused("spec.protocol"));
  EXPECT_THAT(Bad("  advertise: {type: Route}\n"), refused("spec.advertise.type"));
  EXPECT_THAT(LinesOf(DecodeSpec("  addresses: [10.0.0.1]\n  ports: \"*\"\n").findings),
              ElementsAre(HasSubstr("needs mode: DR")));
}

DecodeResult DecodeInCluster(absl::string_view spec) {
  return DecodeManifests(VipText("dispatcher", spec), "t.yaml", nullptr, Origin::kCluster);
}

TEST(VipDecoderTest, APoolGivesAddressesInAClusterAlone) {
  const std::string spec = "  ports: 80\n  addressPoolRef: {name: office}\n";
  const DecodeResult result = DecodeInCluster(spec);
  EXPECT_THAT(LinesOf(result.findings), IsEmpty());
  ASSERT_EQ(result.vips.size(), 1u);
  EXPECT_EQ(result.vips[0].address_pool, "office");
  EXPECT_TRUE(result.vips[0].waits_for_address());
  EXPECT_THAT(LinesOf(DecodeSpec(spec).findings),
              ElementsAre(HasSubstr("spec.addressPoolRef: addresses of a pool are given out in "
                                    "Kubernetes alone")));
  EXPECT_THAT(LinesOf(DecodeInCluster(spec + "  addresses: [10.0.0.1]\n").findings),
              ElementsAre(HasSubstr("spec.addresses: a VIP has either addresses or")));
  EXPECT_THAT(LinesOf(DecodeInCluster("  ports: 80\n  addressPoolRef: {}\n").findings),
              Contains(HasSubstr("spec.addressPoolRef.name: name the AddressPool")));
}

TEST(VipDecoderTest, AServiceGivesServersInAClusterAlone) {
  const auto service = [](absl::string_view text) {
    return absl::StrCat(kGood, "  realServers: {service: ", text, "}\n");
  };
  const DecodeResult result = DecodeInCluster(service("{name: print-servers, port: lpd}"));
  EXPECT_THAT(LinesOf(result.findings), IsEmpty());
  ASSERT_EQ(result.vips.size(), 1u);
  EXPECT_EQ(result.vips[0].service, (model::ServiceRef{"print-servers", "lpd", 0}));
  EXPECT_THAT(result.vips[0].selector, IsEmpty());
  const DecodeResult number = DecodeInCluster(service("{name: a, port: 515}"));
  ASSERT_EQ(number.vips.size(), 1u);
  EXPECT_EQ(number.vips[0].service, (model::ServiceRef{"a", "", 515}));

  EXPECT_THAT(LinesOf(DecodeSpec(service("{name: a}")).findings),
              ElementsAre(HasSubstr("spec.realServers.service: the endpoints of a Service are "
                                    "known in Kubernetes alone")));
  const auto refused = [&](absl::string_view text) {
    return LinesOf(DecodeInCluster(service(text)).findings);
  };
  EXPECT_THAT(refused("{port: 80}"), ElementsAre(HasSubstr("service.name: name the Service")));
  EXPECT_THAT(refused("{name: 1a}"), ElementsAre(HasSubstr("is not the name of a Service")));
  EXPECT_THAT(refused("{name: a, port: 0}"), ElementsAre(HasSubstr("must be 1..65535")));
  EXPECT_THAT(refused("{name: a, port: \"80\"}"), ElementsAre(HasSubstr("without quotes")));
}

TEST(VipDecoderTest, AddressesWithAPrefixLengthAreExplained) {
  EXPECT_THAT(Bad("  source: {type: Address, address: 10.0.0.1/24}\n"),
              ElementsAre(HasSubstr("has a prefix length; write 10.0.0.1")));
}

TEST(VipDecoderTest, HealthChecksOfEveryPort) {
  const model::Vip vip = Good("  healthCheck: {port: Each}\n");
  EXPECT_TRUE(vip.health_check.each_port);
  EXPECT_EQ(vip.health_check.port, 0);
  EXPECT_THAT(Bad("  healthCheck: {type: ICMP, port: Each}\n"), ElementsAre(HasSubstr("no port")));
  EXPECT_THAT(Bad("  healthCheck: {port: each}\n"), ElementsAre(HasSubstr("healthCheck.port")));
  EXPECT_THAT(Bad("  healthCheck: {port: 0}\n"), ElementsAre(HasSubstr("must be 1..65535")));
}

TEST(VipDecoderTest, SendExpectKeepsItsEscapes) {
  const model::Vip vip = Good(
      "  healthCheck: {type: SendExpect, sendExpect: {send: \"PING\\r\\n\", expect: \"PONG\"}}\n");
  EXPECT_EQ(vip.health_check.send, "PING\r\n");
  EXPECT_EQ(vip.health_check.expect, "PONG");
}

TEST(VipDecoderTest, UnansweredHandshakesAreOnlyCountedByDefault) {
  const std::string mode = "  mode: DR\n";
  EXPECT_EQ(Good(mode).health_check.unanswered_handshakes.threshold, 0);
  const model::Vip vip = Good(mode +
                              "  healthCheck: {unansweredHandshakes: {threshold: 7, percent: 95, "
                              "windowSeconds: 20.5, holdSeconds: 60}}\n");
  const model::UnansweredHandshakes& unanswered = vip.health_check.unanswered_handshakes;
  EXPECT_EQ(unanswered.threshold, 7);
  EXPECT_EQ(unanswered.percent, 95);
  EXPECT_EQ(unanswered.window, absl::Milliseconds(20500));
  EXPECT_EQ(unanswered.hold, absl::Minutes(1));
  EXPECT_THAT(Bad("  healthCheck: {unansweredHandshakes: {threshold: 7}}\n"),
              ElementsAre(HasSubstr("use mode: DR or Auto")));
  EXPECT_THAT(Bad(mode + "  healthCheck: {unansweredHandshakes: 7}\n"),
              ElementsAre(HasSubstr("spec.healthCheck.unansweredHandshakes")));
}

TEST(VipDecoderTest, BlocksOfAnotherTypeAreRefused) {
  EXPECT_THAT(Bad("  healthCheck: {http: {path: /}}\n"),
              ElementsAre(HasSubstr("http is for type HTTP or HTTPS, not TCP")));
  EXPECT_THAT(Bad("  healthCheck: {type: HTTP, sendExpect: {expect: x}}\n"),
              ElementsAre(HasSubstr("sendExpect is for type SendExpect, not HTTP")));
}

TEST(VipDecoderTest, StatusesAreCodesOrRanges) {
  const model::Vip vip = Good("  healthCheck: {type: HTTP, http: {expectedStatuses: 204}}\n");
  EXPECT_EQ(vip.health_check.expected_statuses, (std::vector<model::StatusRange>{{204, 204}}));
  for (const char* statuses : {"2xx", "200-", "\"\"", "2000", "99-100", "300-200", "[200]"}) {
    EXPECT_THAT(Bad(absl::StrCat("  healthCheck: {type: HTTP, http: {expectedStatuses: ", statuses,
                                 "}}\n")),
                ElementsAre(HasSubstr("expectedStatuses")))
        << statuses;
  }
}

TEST(VipDecoderTest, ASelectorNeedsLabels) {
  for (const char* selector : {"{}", "{matchLabels: {}}", "{matchLabels: null}"}) {
    EXPECT_THAT(Bad(absl::StrCat("  realServers: {selector: ", selector, "}\n")),
                ElementsAre(HasSubstr("would take every server")))
        << selector;
  }
  EXPECT_THAT(Bad("  realServers: {selector: {matchLabels: {a: b}, matchExpressions: []}}\n"),
              ElementsAre(HasSubstr("matchExpressions; use matchLabels")));
}

TEST(VipDecoderTest, FallbackFieldsBelongToTheServerAction) {
  EXPECT_THAT(Bad("  fallback: {action: Server}\n"), ElementsAre(HasSubstr("needs the address")));
  EXPECT_THAT(Bad("  fallback: {action: Drop, port: 80}\n"),
              ElementsAre(HasSubstr("port is for action Server only")));
  EXPECT_THAT(Bad("  fallback: {address: 10.0.0.9}\n"),
              ElementsAre(HasSubstr("address is for action Server only")));
  EXPECT_EQ(Good("  fallback: {action: Server, address: 10.0.0.9}\n").fallback.server.port, 0);
}

TEST(VipDecoderTest, SourceAddressBelongsToItsType) {
  EXPECT_EQ(Good("  source: {type: Address, address: 10.0.0.5}\n").source.address.ToString(),
            "10.0.0.5");
  EXPECT_THAT(Bad("  source: {type: Address}\n"), ElementsAre(HasSubstr("needs the address")));
  EXPECT_THAT(Bad("  source: {type: VIP, address: 10.0.0.5}\n"),
              ElementsAre(HasSubstr("for type Address only")));
}

TEST(VipDecoderTest, ServersWithoutAnAddressAreNamed) {
  EXPECT_THAT(Bad("  realServers: {list: [{name: a}, {name: b}]}\n"),
              ElementsAre(HasSubstr("list[0].address: a real server needs its address"),
                          HasSubstr("list[1].address: a real server needs its address")));
}

TEST(VipDecoderTest, NullIsAsIfAbsent) {
  const model::Vip vip = Good("  healthCheck: null\n  mode: ~\n  realServers: {list: null}\n");
  EXPECT_EQ(vip.mode, model::Mode::kSnat);
}

TEST(RealServerDecoderTest, ReadsEveryField) {
  const DecodeResult result = DecodeManifests(
      "apiVersion: lb.fairlead.dev/v1alpha1\nkind: RealServer\n"
      "metadata: {name: srv-1, namespace: print, labels: {lb.fairlead.dev/vip: dispatcher}}\n"
      "spec: {address: 10.0.0.1, port: 8080, weight: 0, minConnections: 2, maxConnections: 4, "
      "state: Halt}\n",
      "t.yaml");
  ASSERT_THAT(LinesOf(result.findings), IsEmpty());
  const model::RealServer& server = result.real_servers.at(0);
  EXPECT_EQ(server.id.ToString(), "RealServer print/srv-1");
  EXPECT_EQ(server.labels.at("lb.fairlead.dev/vip"), "dispatcher");
  EXPECT_EQ(server.spec.port, 8080);
  EXPECT_EQ(server.spec.weight, 0u);
  EXPECT_EQ(server.spec.connections_min, 2u);
  EXPECT_EQ(server.spec.connections_max, 4u);
  EXPECT_EQ(server.spec.state, model::AdminState::kHalt);
}

TEST(RealServerDecoderTest, AnAddressMayBeAHostName) {
  const auto decode = [](const std::string& address) {
    return DecodeManifests(Header("RealServer", "a") + "spec: {address: " + address + "}\n",
                           "t.yaml");
  };
  const DecodeResult good = decode("Print1.Example.com");
  ASSERT_THAT(LinesOf(good.findings), IsEmpty());
  EXPECT_EQ(good.real_servers.at(0).spec.host_name, "print1.example.com");
  EXPECT_THAT(LinesOf(decode("print_1").findings),
              ElementsAre(HasSubstr("neither an IP address nor a host name")));
  EXPECT_THAT(LinesOf(decode("10.0.0.256").findings), ElementsAre(HasSubstr("10.0.0.256")));
  EXPECT_THAT(LinesOf(decode("\"10.0.0.1/24\"").findings), ElementsAre(HasSubstr("prefix length")));
}

TEST(VipDecoderTest, AnInlineServerIsNamedAfterItsHostName) {
  const model::Vip vip = Good("  realServers: {list: [{address: print1.example.com}]}\n");
  EXPECT_EQ(vip.inline_servers.at(0).name, "print1.example.com");
  EXPECT_EQ(vip.inline_servers.at(0).spec.host_name, "print1.example.com");
}

TEST(VipDecoderTest, OnlyRealServersHaveHostNames) {
  EXPECT_THAT(Bad("  fallback: {action: Server, address: print1.example.com}\n"),
              ElementsAre(HasSubstr("is a host name, which only real servers can have here")));
}

TEST(RealServerDecoderTest, NeedsASpec) {
  EXPECT_THAT(LinesOf(DecodeManifests(Header("RealServer", "a"), "t.yaml").findings),
              ElementsAre(HasSubstr("spec.address: a real server needs its address")));
}

TEST(NodeDecoderTest, ReadsAdminAndStateDirectory) {
  const DecodeResult result = DecodeManifests(Header("Node", "lb1") +
                                                  "spec: {admin: {http: \"[::1]:9080\", https: "
                                                  "\"10.0.0.1:443\"}, stateDirectory: /srv/f}\n",
                                              "t.yaml");
  ASSERT_THAT(LinesOf(result.findings), IsEmpty());
  EXPECT_EQ(result.nodes.at(0).admin_http->ToString(), "[::1]:9080");
  EXPECT_EQ(result.nodes.at(0).admin_https->ToString(), "10.0.0.1:443");
  EXPECT_EQ(result.nodes.at(0).state_directory, "/srv/f");
}

TEST(NodeDecoderTest, ReadsThePair) {
  const auto decode = [](const char* pair) {
    return DecodeManifests(
        absl::StrCat(Header("Node", "lb1"), "spec: {interface: eth0, pair: ", pair, "}\n"), "t");
  };
  DecodeResult result = decode("{peer: 10.0.0.2}");
  ASSERT_THAT(LinesOf(result.findings), IsEmpty());
  model::Pair pair = result.nodes.at(0).pair.value();
  EXPECT_EQ(pair.peer->ToString(), "10.0.0.2");
  EXPECT_EQ(pair.priority, 100);
  EXPECT_EQ(pair.advertisement_interval, absl::Milliseconds(100));
  result = decode(
      "{transport: Multicast, virtualRouterId: 7, priority: 254, preempt: true, "
      "advertisementIntervalMs: 1000, ipv4Checksum: Plain}");
  ASSERT_THAT(LinesOf(result.findings), IsEmpty());
  pair = result.nodes.at(0).pair.value();
  EXPECT_EQ(pair.transport, model::Pair::Transport::kMulticast);
  EXPECT_FALSE(pair.peer.has_value());
  EXPECT_EQ(pair.virtual_router_id, 7);
  EXPECT_EQ(pair.priority, 254);
  EXPECT_TRUE(pair.preempt);
  EXPECT_EQ(pair.advertisement_interval, absl::Seconds(1));
  EXPECT_EQ(pair.checksum, model::Pair::Checksum::kPlain);
  EXPECT_THAT(LinesOf(decode("{peer: 10.0.0.2, priority: 255}").findings),
              ElementsAre(HasSubstr("spec.pair.priority: 255 must be 2..254")));
  EXPECT_THAT(LinesOf(decode("{peer: lb2}").findings),
              ElementsAre(HasSubstr("spec.pair.peer: \"lb2\" is a host name")));
  EXPECT_THAT(LinesOf(decode("{peer: 10.0.0.2, vrid: 3}").findings),
              ElementsAre(HasSubstr("spec.pair.vrid: unknown field")));
}

TEST(NodeDecoderTest, ListenersAreAddressAndPort) {
  EXPECT_THAT(LinesOf(DecodeManifests(
                          Header("Node", "a") + "spec: {admin: {http: \"localhost:80\"}}\n", "t")
                          .findings),
              ElementsAre(HasSubstr("ADDRESS:PORT")));
}

}  // namespace
}  // namespace fairlead::source
