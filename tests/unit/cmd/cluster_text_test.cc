#include "cmd/fairlead/cluster_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cmd/fairlead/kubectl.h"

namespace fairlead::cmd {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);  // 2027-01-15T08:00:00Z

ClusterTextOptions Options() {
  ClusterTextOptions options;
  options.now = kNow;
  return options;
}

json Condition(const char* type, bool is_true, const char* reason, const char* message) {
  return {{"type", type},
          {"status", is_true ? "True" : "False"},
          {"reason", reason},
          {"message", message},
          {"lastTransitionTime", "2027-01-15T07:58:00Z"}};
}

json Vip(const std::string& name) {
  json vip = json::parse(R"({
    "spec": {"addresses": ["10.0.0.1"], "mode": "SNAT"},
    "status": {
      "observedGeneration": 3, "ports": "80,443", "summary": "2/2",
      "addresses": [{"address": "10.0.0.1", "node": "a", "interface": "eth0"},
                    {"address": "10.0.0.1", "node": "b"}],
      "servers": [{"name": "srv1", "address": "10.0.0.11", "state": "Online", "health": "Up",
                   "since": "2027-01-15T07:00:00Z"},
                  {"name": "srv2", "address": "10.0.0.12", "state": "Online", "health": "Up"}],
      "nodes": [{"node": "a", "observedGeneration": 3, "programmed": true, "reason": "Applied",
                 "engine": "io_uring", "serversReady": 2, "serversTotal": 2,
                 "addresses": [{"address": "10.0.0.1", "interface": "eth0"}]},
                {"node": "b", "observedGeneration": 3, "programmed": true, "reason": "Applied",
                 "engine": "epoll", "serversReady": 2, "serversTotal": 2}]}})");
  vip["metadata"] = {{"namespace", "default"}, {"name", name}, {"generation", 3}};
  vip["status"]["conditions"] = {Condition("Accepted", true, "Accepted", ""),
                                 Condition("ResolvedRefs", true, "ResolvedRefs", ""),
                                 Condition("Programmed", true, "Programmed", "in force on a; b"),
                                 Condition("Ready", true, "Serving", "clients are served on a; b")};
  return vip;
}

json RealServer(const std::string& name, const char* state, const std::string& vips) {
  json server = {{"metadata", {{"namespace", "default"}, {"name", name}, {"generation", 2}}},
                 {"spec", {{"address", "10.0.0.11"}, {"state", state}}}};
  server["status"] = {{"observedGeneration", 2},
                      {"vips", json::parse(vips)},
                      {"conditions",
                       {Condition("Accepted", true, "Accepted", ""),
                        Condition("Ready", true, "Serving", "takes new clients")}}};
  return server;
}

TEST(ClusterStatusTest, TellsWhatIsReady) {
  EXPECT_EQ(ClusterStatusText({{Vip("web")}, {}}, Options()),
            "1 VIP, all ready.\n\n"
            "STATE  VIP          ADDRESS   PORTS   MODE  SERVERS  DAEMONS  REASON\n"
            "Ready  default/web  10.0.0.1  80,443  SNAT      2/2      2/2\n\n"
            "STATE  SERVER  VIP          ADDRESS    SINCE  REASON\n"
            "Up     srv1    default/web  10.0.0.11  1h00m\n"
            "Up     srv2    default/web  10.0.0.12\n");
  EXPECT_EQ(ClusterStatusText({}, Options()), "There is no VIP.\n");
}

TEST(ClusterStatusTest, ProblemsComeFirstWithTheirReason) {
  json bad = Vip("zzz");
  bad["status"]["conditions"][1] =
      Condition("ResolvedRefs", false, "PoolExhausted", "every address is in use");
  bad["status"]["conditions"][3] = Condition("Ready", false, "NotProgrammed", "nowhere");
  json degraded = Vip("web");
  degraded["status"]["servers"][1]["health"] = "Down";
  degraded["status"]["servers"][1]["reason"] = "connect refused";
  const std::string text = ClusterStatusText({{Vip("aaa"), degraded, bad}, {}}, Options());
  EXPECT_THAT(text, StartsWith("2 of 3 VIPs ready; 1 of 6 real servers takes no new clients"));
  EXPECT_THAT(text,
              testing::ContainsRegex("PoolExhausted +default/zzz .* every address is in use"));
  EXPECT_LT(text.find("default/zzz"), text.find("default/web"));
  EXPECT_LT(text.find("default/web"), text.find("default/aaa"));
  EXPECT_THAT(text, testing::ContainsRegex("DOWN +srv2 +default/web .* connect refused"));
}

TEST(ClusterStatusTest, SaysThatAStatusIsMissingOrOld) {
  json fresh = Vip("web");
  fresh.erase("status");
  const std::string text = ClusterStatusText({{fresh}, {}}, Options());
  EXPECT_THAT(text, AllOf(StartsWith("0 of 1 VIP ready"), HasSubstr("no status yet"),
                          HasSubstr("10.0.0.1")));
  json old = Vip("web");
  old["metadata"]["generation"] = 4;
  EXPECT_THAT(ClusterStatusText({{old}, {}}, Options()),
              HasSubstr("the status is of an older version of the object"));
}

TEST(ClusterStatusTest, ShowsServersThatNoVipUses) {
  json unused = RealServer("spare", "Online", "[]");
  unused["status"]["conditions"][1] = Condition("Ready", false, "Unused", "no VIP uses the server");
  const json used = RealServer("srv1", "Online", "[]");
  const std::string text = ClusterStatusText({{Vip("web")}, {unused, used}}, Options());
  EXPECT_THAT(text, testing::ContainsRegex("Unused +spare +default/- .* no VIP uses the server"));
  EXPECT_EQ(text.find("srv1"), text.rfind("srv1"));
}

TEST(ClusterStatusTest, WideShowsTheDaemons) {
  ClusterTextOptions options = Options();
  EXPECT_THAT(ClusterStatusText({{Vip("web")}, {}}, options), Not(HasSubstr("io_uring")));
  options.wide = true;
  const std::string text = ClusterStatusText({{Vip("web")}, {}}, options);
  EXPECT_THAT(text, testing::ContainsRegex("Applied +a +10.0.0.1@eth0 +io_uring +2/2"));
  EXPECT_THAT(text, testing::ContainsRegex("Applied +b +epoll"));
}

TEST(ClusterExplainTest, VipWithItsConditionsDaemonsAndServers) {
  const Explained ready = ExplainVip(Vip("web"), Options());
  EXPECT_TRUE(ready.ready);
  EXPECT_THAT(ready.text, StartsWith("VIP default/web is ready\n"));
  EXPECT_THAT(ready.text,
              testing::ContainsRegex("Ready +True +2m00s +Serving +clients are served"));
  EXPECT_THAT(ready.text, HasSubstr("fairlead explain --client"));

  json rejected = Vip("web");
  rejected["status"]["conditions"][0] =
      Condition("Accepted", false, "Conflict", "port 80 is VIP other's");
  rejected["status"]["conditions"][3] = Condition("Ready", false, "NotProgrammed", "nowhere");
  rejected["status"]["nodes"][1]["programmed"] = false;
  rejected["status"]["nodes"][1]["reason"] = "Rejected";
  const Explained not_ready = ExplainVip(rejected, Options());
  EXPECT_FALSE(not_ready.ready);
  EXPECT_THAT(not_ready.text, StartsWith("VIP default/web is not ready: port 80 is VIP other's\n"));
  EXPECT_THAT(not_ready.text, testing::ContainsRegex("b +Rejected +epoll"));
}

TEST(ClusterExplainTest, RealServerWithItsVips) {
  json server = RealServer("srv1", "Online",
                           R"([{"name": "web", "state": "Online", "health": "Down",
                                "reason": "connect refused", "since": "2027-01-15T07:59:30Z"}])");
  server["status"]["conditions"][1] = Condition("Ready", false, "Down", "takes no new clients");
  const Explained explained = ExplainRealServer(server, Options());
  EXPECT_FALSE(explained.ready);
  EXPECT_THAT(explained.text, testing::ContainsRegex("DOWN +web +30s +connect refused"));
}

TEST(StateProgressTest, IsDoneWhenEveryVipHasIt) {
  const auto of = [](const char* state, const std::string& vips) {
    return ProgressOf(RealServer("srv1", state, vips));
  };
  const StateProgress half = of("Drain", R"([{"name": "a", "state": "Drain", "health": "Up"},
      {"name": "b", "state": "Online", "health": "Up"}])");
  EXPECT_FALSE(half.done);
  EXPECT_EQ(half.sentence, "Drain is in force in 1 of 2 VIPs");
  EXPECT_TRUE(of("Drain", R"([{"name": "a", "state": "Drain", "health": "Down"}])").done);
  EXPECT_TRUE(of("Drain", "[]").done);
  // Online is done when clients come again.
  const StateProgress down = of("Online", R"([{"name": "a", "state": "Online", "health": "Down",
      "reason": "connect refused"}])");
  EXPECT_FALSE(down.done);
  EXPECT_EQ(down.sentence, "Online and up in 0 of 1 VIP: connect refused");
  EXPECT_TRUE(of("Online", R"([{"name": "a", "state": "Online", "health": "Up"}])").done);
}

TEST(StateProgressTest, AnOldStatusSaysNothingOfTheChange) {
  json server = RealServer("srv1", "Drain", R"([{"name": "a", "state": "Drain"}])");
  server["metadata"]["generation"] = 3;
  EXPECT_FALSE(ProgressOf(server).done);
  server.erase("status");
  EXPECT_FALSE(ProgressOf(server).done);
}

TEST(KubectlPluginTest, IsKnownByTheNameThatItIsCalledBy) {
  EXPECT_TRUE(IsKubectlPlugin("/usr/local/bin/kubectl-fairlead"));
  EXPECT_TRUE(IsKubectlPlugin("kubectl-fairlead"));
  EXPECT_FALSE(IsKubectlPlugin("/opt/kubectl-fairlead/fairlead"));
  EXPECT_FALSE(IsKubectlPlugin(""));
}

TEST(KubectlPluginTest, EveryCommandHasItsHelpAndNoFlagTwice) {
  for (const Command& command : KubectlCommands()) {
    EXPECT_THAT(UsageText(command.spec), StartsWith("Usage: kubectl fairlead "));
    std::set<absl::string_view> names;
    for (const FlagSpec& flag : command.spec.flags) EXPECT_TRUE(names.insert(flag.name).second);
    EXPECT_TRUE(names.contains("namespace"));
  }
}

}  // namespace
}  // namespace fairlead::cmd
