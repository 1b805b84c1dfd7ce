#include "pkg/cluster/vip_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pkg/cluster/conditions.h"
#include "tests/unit/cluster/cluster_testing.h"

namespace fairlead::cluster {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// A VIP 10.0.0.1:80 with the servers a and b, and what daemons say of it.
class VipStatusTest : public testing::Test {
 protected:
  VipStatusTest() {
    vip_.id = {model::ObjectKind::kVip, "default", "web"};
    vip_.addresses = {Ip("10.0.0.1")};
    vip_.ports = *net::PortSet::Parse("80,443");
    for (const char* name : {"a", "b"}) {
      model::VipServer server;
      server.name = name;
      server.is_object = true;
      server.spec.address = Ip("10.0.1.1");
      servers_.push_back(server);
    }
  }

  static NodeReport Serving(const std::string& node, int ready = 2) {
    return {node, 1, true, "Applied", "", {{"10.0.0.1", "eth0"}}, ready, 2, {}};
  }

  json Status(const std::vector<NodeReport>& reports, absl::Time now = kTestNow) {
    VipFacts facts = {.object = object_->json,
                      .verdict = verdict_,
                      .vip = verdict_.accepted ? &vip_ : nullptr,
                      .grant = grant_.has_value() ? &*grant_ : nullptr,
                      .servers = verdict_.accepted ? servers_ : std::vector<model::VipServer>(),
                      .reports = reports,
                      .service_missing = service_missing_};
    return BuildVipStatus(facts, now);
  }

  static std::string Condition(const json& status, const std::string& type) {
    for (const json& condition : status["conditions"]) {
      if (condition["type"] != type) continue;
      return absl::StrCat(TextAt(condition, {"status"}), " ", TextAt(condition, {"reason"}), ": ",
                          TextAt(condition, {"message"}));
    }
    return "";
  }

  kube::KubeObjectPtr object_ = MakeObject("VIP", "web", "{}");
  model::Vip vip_;
  Verdict verdict_ = {true, "Accepted", "valid"};
  std::optional<PoolGrant> grant_;
  std::vector<model::VipServer> servers_;
  bool service_missing_ = false;
};

TEST_F(VipStatusTest, ServedByOneDaemon) {
  const json status = Status({Serving("n1")});
  EXPECT_EQ(status["observedGeneration"], 1);
  EXPECT_EQ(status["addresses"],
            json::parse(R"([{"address":"10.0.0.1","node":"n1","interface":"eth0"}])"));
  EXPECT_EQ(status["ports"], "80,443");
  EXPECT_EQ(status["scheduler"], "WeightedLeastConnections");
  EXPECT_EQ(status["summary"], "2/2");
  EXPECT_EQ(status["servers"][0], json::parse(absl::StrCat(
                                      R"({"name":"a","address":"10.0.1.1","state":"Online",
                                          "health":"Up","since":")",
                                      kTestNowText, R"("})")));
  EXPECT_EQ(Condition(status, "Accepted"), "True Accepted: valid");
  EXPECT_THAT(Condition(status, "ResolvedRefs"), HasSubstr("True ResolvedRefs"));
  EXPECT_EQ(Condition(status, "Programmed"), "True Programmed: in force on n1");
  EXPECT_EQ(Condition(status, "Ready"), "True Serving: clients are served on n1");
  EXPECT_FALSE(status.contains("addressPool"));
}

TEST_F(VipStatusTest, WithoutADaemonItIsInForceNowhere) {
  const json status = Status({});
  EXPECT_THAT(Condition(status, "Programmed"), HasSubstr("False NoDaemon"));
  EXPECT_THAT(Condition(status, "Ready"), HasSubstr("False NotProgrammed"));
  EXPECT_EQ(status["summary"], "0/2");
  EXPECT_EQ(status["servers"][0]["health"], "Unknown");
  EXPECT_EQ(status["addresses"], json::parse(R"([{"address":"10.0.0.1"}])"));
}

TEST_F(VipStatusTest, AnOlderGenerationIsPending) {
  NodeReport old = Serving("n1");
  old.observed_generation = 0;
  const json status = Status({old});
  EXPECT_THAT(Condition(status, "Programmed"), HasSubstr("False Pending: on n1"));
  EXPECT_THAT(Condition(status, "Ready"), HasSubstr("True Serving")) << "clients are served";
}

TEST_F(VipStatusTest, OneOfTwoDaemonsIsEnoughAndTheOtherIsNamed) {
  NodeReport refusing = {"n2", 1, false, "NotServed", "direct routing is not possible here",
                         {},   0, 0,     {}};
  const json status = Status({Serving("n1"), refusing});
  EXPECT_EQ(Condition(status, "Programmed"),
            "True PartlyProgrammed: in force on n1; on n2: direct routing is not possible here");
  const json alone = Status({refusing});
  EXPECT_THAT(Condition(alone, "Programmed"), HasSubstr("False NotServed: on n2"));
}

TEST_F(VipStatusTest, NoServerTakesNewClients) {
  NodeReport down = Serving("n1", 0);
  down.not_ready = {{"a", "Online", "Down", "connect refused"}, {"b", "Drain", "Up", "draining"}};
  const json status = Status({down});
  EXPECT_EQ(Condition(status, "Ready"),
            "False NoServers: no real server takes new clients: on n1: connect refused");
  EXPECT_EQ(status["summary"], "0/2");
  EXPECT_EQ(status["servers"][0]["health"], "Down");
  EXPECT_EQ(status["servers"][0]["reason"], "connect refused");
  EXPECT_EQ(status["servers"][1]["state"], "Drain");
  EXPECT_EQ(status["servers"][1]["health"], "Up");
}

TEST_F(VipStatusTest, AServerThatOneDaemonSeesDownIsUpAndTheDaemonNamed) {
  NodeReport partly = Serving("n2", 1);
  partly.not_ready = {{"a", "Online", "Down", "connect refused"}};
  const json status = Status({Serving("n1"), partly});
  EXPECT_EQ(status["summary"], "1/2") << "of the daemon with the fewest";
  EXPECT_EQ(status["servers"][0]["health"], "Up");
  EXPECT_EQ(status["servers"][0]["reason"], "on n2: connect refused");
}

TEST_F(VipStatusTest, PodsOfAServiceAreListedWhenADaemonNamesThem) {
  NodeReport report = Serving("n1", 1);
  report.not_ready = {{"pod-7", "Online", "Down", "timeout"}};
  servers_.clear();
  const json status = Status({report});
  EXPECT_EQ(status["summary"], "1/2");
  EXPECT_EQ(status["servers"][0]["name"], "pod-7");
}

TEST_F(VipStatusTest, SinceMovesWhenHealthDoes) {
  auto object = std::make_shared<kube::KubeObject>(*object_);
  object->json["status"] = Status({Serving("n1")});
  object_ = object;
  NodeReport down = Serving("n1", 1);
  down.not_ready = {{"b", "Online", "Down", "connect refused"}};
  const absl::Time later = kTestNow + absl::Minutes(1);
  const json status = Status({down}, later);
  EXPECT_EQ(status["servers"][0]["since"], kTestNowText);
  EXPECT_EQ(status["servers"][1]["since"], ApiTime(later));
}

TEST_F(VipStatusTest, OfARejectedGenerationTheLastGoodOneIsTold) {
  auto object = std::make_shared<kube::KubeObject>(*object_);
  object->json["status"] = Status({Serving("n1")});
  object->json["metadata"]["generation"] = 2;
  object_ = object;
  verdict_ = {false, "Invalid", "spec.ports: port 70000 > 65535"};
  NodeReport old = Serving("n1");
  old.observed_generation = 2;
  old.programmed = false;
  old.reason = "LastGoodVersion";
  old.message = "the version before stays in force";
  const json status = Status({old});
  EXPECT_EQ(Condition(status, "Accepted"), "False Invalid: spec.ports: port 70000 > 65535");
  EXPECT_THAT(Condition(status, "Programmed"), HasSubstr("False LastGoodVersion"));
  EXPECT_THAT(Condition(status, "Ready"), HasSubstr("True Serving"));
  EXPECT_EQ(status["ports"], "80,443");
  EXPECT_EQ(status["addresses"][0]["address"], "10.0.0.1");
  EXPECT_EQ(status["observedGeneration"], 2);
}

TEST_F(VipStatusTest, TheGivenAddressIsRecordedWithItsPool) {
  grant_ = PoolGrant{PoolVerdict::kGiven, Ip("10.0.0.1"), "office", true, "10.0.0.1 of office"};
  const json status = Status({});
  EXPECT_EQ(status["addressPool"], "office");
  EXPECT_EQ(status["addresses"], json::parse(R"([{"address":"10.0.0.1"}])"));
  verdict_ = {false, "Invalid", "bad"};
  EXPECT_EQ(Status({})["addresses"], json::parse(R"([{"address":"10.0.0.1"}])"))
      << "it is the record of what is given out";
}

TEST_F(VipStatusTest, MissingReferencesAreNamed) {
  grant_ = PoolGrant{PoolVerdict::kExhausted, std::nullopt, "", false, "no address left"};
  const json exhausted = Status({});
  EXPECT_EQ(Condition(exhausted, "ResolvedRefs"), "False PoolExhausted: no address left");
  EXPECT_FALSE(exhausted.contains("addressPool"));
  grant_.reset();
  service_missing_ = true;
  EXPECT_THAT(Condition(Status({}), "ResolvedRefs"), HasSubstr("False ServiceNotFound"));
}

TEST_F(VipStatusTest, ADisabledVipSaysSo) {
  auto object = std::make_shared<kube::KubeObject>(*object_);
  object->json["spec"]["state"] = "Disabled";
  object_ = object;
  EXPECT_THAT(Condition(Status({Serving("n1")}), "Ready"), HasSubstr("False Disabled"));
}

TEST(NodeReportsTest, TakesTheDaemonsThatLive) {
  const json vip = json::parse(R"({"status":{"nodes":[
    {"node":"n2","observedGeneration":3,"programmed":true,"reason":"Applied","serversReady":1,
     "serversTotal":2,"addresses":[{"address":"10.0.0.1","interface":"eth0"}],
     "serversNotReady":[{"name":"a","state":"Online","health":"Down","reason":"refused"}]},
    {"node":"dead"},{"node":"n1"},7]}})");
  const auto reports = ReportsOf(vip, {"n1", "n2"});
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[0].node, "n1");
  EXPECT_EQ(reports[1], (NodeReport{"n2",
                                    3,
                                    true,
                                    "Applied",
                                    "",
                                    {{"10.0.0.1", "eth0"}},
                                    1,
                                    2,
                                    {{"a", "Online", "Down", "refused"}}}));
}

}  // namespace
}  // namespace fairlead::cluster
