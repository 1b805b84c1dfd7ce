#include "cmd/fairlead/status_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "cmd/fairlead/format.h"
#include "cmd/fairlead/table.h"

namespace fairlead::cmd {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

StatusTextOptions Options() {
  StatusTextOptions options;
  options.now = absl::FromUnixSeconds(1'800'000'000);  // 2027-01-15T08:00:00Z
  options.zone = absl::UTCTimeZone();
  return options;
}

json Server(const std::string& name, const std::string& state, const std::string& health) {
  return {{"name", name},
          {"address", "10.0.1.1"},
          {"weight", 100},
          {"weightEffective", 100.0},
          {"state", state},
          {"takes", state == "Online" && health == "Up" ? "All" : "None"},
          {"stateSince", "2027-01-15T07:59:00Z"},
          {"health", {{"state", health}, {"reason", "seen"}, {"since", "2027-01-15T07:58:48Z"}}},
          {"connections", 12}};
}

json Vip(const std::string& name, json servers) {
  return {{"namespace", "default"},
          {"name", name},
          {"enabled", true},
          {"ports", "80"},
          {"addresses", {{{"address", "10.0.0.1"}, {"interface", "eth0"}, {"onHost", true}}}},
          {"servers", std::move(servers)}};
}

TEST(StatusTextTest, SaysThatAllIsWell) {
  const json status = {
      {"version", "1.2.3"},
      {"phase", "Serving"},
      {"vips", json::array({Vip("web", json::array({Server("srv-1", "Online", "Up")}))})}};
  const std::string text = StatusText(status, Options());
  EXPECT_THAT(text, testing::StartsWith("Every VIP serves clients.\n"));
  EXPECT_THAT(text, HasSubstr("default/web"));
  EXPECT_THAT(text, HasSubstr("10.0.0.1@eth0"));
  EXPECT_THAT(text, HasSubstr("1m12s"));
  EXPECT_THAT(text, Not(HasSubstr("\033")));
}

TEST(StatusTextTest, ShowsHostNamesWithTheirAddresses) {
  json server = Server("srv-1", "Online", "Up");
  server["hostName"] = "print1.example.com";
  const json good = {{"vips", json::array({Vip("web", json::array({server}))})}};
  EXPECT_THAT(StatusText(good, Options()), HasSubstr("print1.example.com = 10.0.1.1"));
  server["address"] = "";
  server["port"] = 9100;
  server["nameProblem"] = "no such name";
  const json bad = {{"vips", json::array({Vip("web", json::array({server}))})}};
  EXPECT_THAT(StatusText(bad, Options()), HasSubstr("print1.example.com:9100  "));
}

TEST(StatusTextTest, NamesInterfacesThatAreSlowerOrUnproved) {
  const json status = {{"plane",
                        {{"xdpInterfaces",
                          {{{"name", "eth0"},
                            {"mode", "native"},
                            {"reason", ""},
                            {"verified", true},
                            {"verification", "verified: 10.0.1.1 answered"}},
                           {{"name", "eth1"},
                            {"mode", "tc"},
                            {"reason", "another XDP program"},
                            {"verified", true},
                            {"verification", "verified: 10.0.2.1 answered"}}}}}}};
  const std::string text = StatusText(status, Options());
  EXPECT_THAT(text, HasSubstr("direct routing: eth1 is in mode tc, verified: 10.0.2.1 answered; "
                              "another XDP program\n"));
  EXPECT_THAT(text, Not(HasSubstr("eth0")));
}

TEST(StatusTextTest, WhatIsNotKnownIsNoNumber) {
  json server = Server("srv-1", "Drain", "Up");
  EXPECT_THAT(StatusText({{"vips", json::array({Vip("web", json::array({server}))})}}, Options()),
              HasSubstr("12 left"));
  server["connections"] = nullptr;
  json vip = Vip("web", json::array({server, Server("srv-2", "Online", "Up")}));
  vip["connections"] = nullptr;
  vip["fallbackProblem"] = "10.0.0.9 is behind a router";
  const std::string text = StatusText({{"vips", json::array({vip})}}, Options());
  EXPECT_THAT(text, HasSubstr("connections not known"));
  EXPECT_THAT(text, HasSubstr(" - "));
  EXPECT_THAT(text, HasSubstr("fallback server: 10.0.0.9 is behind a router"));
}

TEST(StatusTextTest, ProblemsComeFirst) {
  const json status = {
      {"vips", json::array({Vip("alpha", json::array({Server("a-1", "Online", "Up")})),
                            Vip("omega", json::array({Server("o-1", "Online", "Down")}))})}};
  const std::string text = StatusText(status, Options());
  EXPECT_THAT(text, HasSubstr("1 of 2 VIPs cannot serve clients."));
  EXPECT_LT(text.find("default/omega"), text.find("default/alpha"));
  EXPECT_LT(text.find("o-1"), text.find("a-1"));
  EXPECT_THAT(text, HasSubstr("NO SERVER"));
  EXPECT_THAT(text, HasSubstr("DOWN"));
}

TEST(StatusTextTest, DrainSaysWhatIsLeftAndUntilWhen) {
  json server = Server("srv-1", "Drain", "Up");
  server["deadline"] = "2027-01-15T08:04:05Z";
  server["setHere"] = true;
  server["stateInManifest"] = "Online";
  const json status = {
      {"vips", json::array({Vip("web", {server, Server("srv-2", "Online", "Up")})})}};
  const std::string text = StatusText(status, Options());
  EXPECT_THAT(text, HasSubstr("12 left, deadline 08:04:05 (in 4m05s)"));
  EXPECT_THAT(text, HasSubstr("set here (manifest: Online)"));
}

TEST(StatusTextTest, ModeAutoShowsTheWayOfEachServerAndWhy) {
  json direct = Server("srv-1", "Online", "Up");
  direct["way"] = "DR";
  direct["wayReason"] = "";
  json proxied = Server("srv-2", "Online", "Up");
  proxied["way"] = "SNAT";
  proxied["wayReason"] = "no answer to ARP";
  json vip = Vip("web", {direct, proxied});
  json other = Vip("other", json::array({Server("srv-3", "Online", "Up")}));
  vip["mode"] = "Auto";
  const std::string text = StatusText({{"vips", {vip, other}}}, Options());
  EXPECT_THAT(text, testing::ContainsRegex(" WAY  +REASON\n"));
  EXPECT_THAT(text, testing::ContainsRegex(" srv-1 [^\n]* DR    seen\n"));
  EXPECT_THAT(text, testing::ContainsRegex(" srv-2 [^\n]* SNAT  seen; SNAT: no answer to ARP\n"));
  vip["mode"] = "SNAT";
  EXPECT_THAT(StatusText({{"vips", {vip, other}}}, Options()), Not(HasSubstr("WAY")));
}

TEST(StatusTextTest, SaysWhereAnnouncedAddressesAreAndWhyNot) {
  const auto text = [](const json& announcement) {
    json vip = Vip("web", json::array({Server("srv-1", "Online", "Up")}));
    vip["addresses"][0] = {
        {"address", "10.0.0.1"}, {"onHost", false}, {"announcement", announcement}};
    return StatusText({{"vips", json::array({vip})}}, Options());
  };
  EXPECT_THAT(text({{"state", "Refused"}, {"reason", "10.0.0.1 is in use by aa:bb"}}),
              testing::AllOf(testing::StartsWith("1 of 1 VIP cannot serve clients."),
                             HasSubstr("NO ADDRESS"), HasSubstr("in use by aa:bb")));
  EXPECT_THAT(text({{"state", "Standby"}, {"reason", "this host is Backup"}}),
              testing::AllOf(testing::StartsWith("Every VIP serves clients."), HasSubstr("Standby"),
                             HasSubstr("this host is Backup")));
  EXPECT_THAT(text({{"state", "Held"}, {"rival", "aa:bb"}, {"interface", "eth0"}}),
              testing::AllOf(HasSubstr("Two owners"), HasSubstr("claimed by aa:bb too, on eth0")));
  EXPECT_THAT(text({{"state", "Held"}, {"rival", ""}}), HasSubstr("Ok"));
}

TEST(StatusTextTest, SaysWhoOfThePairIsMaster) {
  json status = {{"vips", json::array()},
                 {"pair",
                  {{"state", "Master"},
                   {"reason", "10.0.0.2 gave up"},
                   {"since", "2027-01-15T07:58:48Z"},
                   {"priority", 150},
                   {"peer", "10.0.0.2"},
                   {"peerHeard", "2027-01-15T07:58:47Z"}}}};
  EXPECT_THAT(StatusText(status, Options()),
              HasSubstr("Pair: Master for 1m12s: 10.0.0.2 gave up; priority 150; peer 10.0.0.2, "
                        "heard 1m13s ago\n"));
  status["pair"]["impairment"] = "no real server";
  status["pair"]["peer"] = "";
  EXPECT_THAT(StatusText(status, Options()), HasSubstr("(no real server); no peer heard yet"));
  status.erase("pair");
  EXPECT_THAT(StatusText(status, Options()), Not(HasSubstr("Pair")));
}

TEST(StatusTextTest, FindingsComeLast) {
  const json status = {
      {"vips", json::array({Vip("web", json::array({Server("srv-1", "Online", "Up")}))})},
      {"warnings", {"few descriptors"}},
      {"staleObjects", {"VIP default/web"}},
      {"findings",
       {{{"severity", "error"},
         {"object", "VIP default/bad"},
         {"location", "bad.yaml:3:7"},
         {"field", "spec.ports"},
         {"message", "port 70000 > 65535"}}}}};
  const std::string text = StatusText(status, Options());
  EXPECT_THAT(text, HasSubstr("host: few descriptors\n"));
  EXPECT_THAT(text, HasSubstr("stale: VIP default/web"));
  EXPECT_THAT(text, testing::EndsWith("rejected: bad.yaml:3:7: VIP default/bad: spec.ports: port "
                                      "70000 > 65535\n"));
}

TEST(StatusTextTest, AnyJsonIsSurvived) {
  for (const char* text : {"{}", "[]", "null", R"({"vips": 1, "plane": []})",
                           R"({"vips": [1, null, {"servers": [1, {"health": 2}]}]})",
                           R"({"findings": [1], "warnings": [2], "staleObjects": {}})"}) {
    StatusTextOptions options = Options();
    options.detail = StatusDetail::kWide;
    EXPECT_FALSE(StatusText(json::parse(text), options).empty()) << text;
  }
}

TEST(TableTest, AlignsAndLeavesNoTrailingBlanks) {
  Table table({{"NAME"}, {"N", Table::Column::Align::kRight}, {"REASON"}});
  table.Add({{"a"}, {"100"}, {""}});
  table.Add({{"longer"}, {"1"}, {"why"}});
  EXPECT_EQ(table.ToText(false),
            "NAME      N  REASON\n"
            "a       100\n"
            "longer    1  why\n");
}

TEST(TableTest, ColoursAndNeutralisesControlCharacters) {
  EXPECT_EQ(Styled("x", Style::kGood, true), "\033[32mx\033[0m");
  EXPECT_EQ(Styled("x\033[31m\n", Style::kPlain, true), "x?[31m?");
}

TEST(FormatTest, NumbersAndTimesAreShort) {
  EXPECT_EQ(ShortDuration(absl::Seconds(-3)), "0s");
  EXPECT_EQ(ShortDuration(absl::Seconds(42)), "42s");
  EXPECT_EQ(ShortDuration(absl::Seconds(192)), "3m12s");
  EXPECT_EQ(ShortDuration(absl::Minutes(304)), "5h04m");
  EXPECT_EQ(ShortDuration(absl::Hours(79)), "3d07h");
  EXPECT_EQ(ShortCount(9999), "9999");
  EXPECT_EQ(ShortCount(12345), "12.3k");
  EXPECT_EQ(ShortBytes(512), "512 B");
  EXPECT_EQ(ShortBytes(1536), "1.5 KiB");
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  EXPECT_EQ(ShortTime(now + absl::Hours(1), now, absl::UTCTimeZone()), "09:00:00");
  EXPECT_EQ(ShortTime(now + absl::Hours(24), now, absl::UTCTimeZone()), "2027-01-16 08:00");
}

}  // namespace
}  // namespace fairlead::cmd
