#include "pkg/kube/status_writer.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/unit/kube/kube_testing.h"
#include "tests/unit/kube/scripted_client.h"
#include "tests/unit/kube/still_clock.h"

namespace fairlead::kube {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

NodeEntry Entry(const std::string& reason = "Applied") {
  NodeEntry entry;
  entry.observed_generation = 1;
  entry.programmed = true;
  entry.reason = reason;
  entry.engine = "io_uring";
  entry.addresses = {{"10.0.0.1", "eth0"}, {"10.0.0.2", ""}};
  entry.servers_ready = 1;
  entry.servers_total = 2;
  entry.servers_not_ready = {{"srv2", "Online", "Down", "refused in 1.3 ms"}};
  return entry;
}

class StatusWriterTest : public testing::Test {
 protected:
  // The VIP as the watch shows it, with these entries. (A vector: of `Json{one}` compilers make
  // either the one or a list of it.)
  static KubeObjectPtr Vip(const std::string& name, std::vector<Json> nodes = {}) {
    return VipObject(name, {{"addresses", {"10.0.0.1"}}, {"ports", "80"}}, "",
                     {{"nodes", std::move(nodes)}});
  }
  absl::Status Turn(std::vector<WantedEntry> wanted) {
    client_.requests.clear();
    return writer_.Turn(wanted);
  }

  StillClock clock_;
  ScriptedClient client_;
  StatusWriter writer_{client_, clock_, "n1"};
};

TEST_F(StatusWriterTest, AppliesTheEntryOfTheNodeAlone) {
  ASSERT_TRUE(Turn({{Vip("web"), Entry()}}).ok());
  ASSERT_THAT(client_.requests, SizeIs(1));
  const ApiRequest& request = client_.requests[0];
  EXPECT_EQ(request.method, "PATCH");
  EXPECT_EQ(request.target,
            "/apis/lb.fairlead.dev/v1alpha1/namespaces/default/vips/web/status"
            "?fieldManager=fairlead-node-n1&force=true");
  EXPECT_EQ(request.content_type, kApplyPatch);
  const Json expected = {
      {"apiVersion", "lb.fairlead.dev/v1alpha1"},
      {"kind", "VIP"},
      {"metadata", {{"name", "web"}, {"namespace", "default"}}},
      {"status",
       {{"nodes",
         {{{"node", "n1"},
           {"observedGeneration", 1},
           {"programmed", true},
           {"reason", "Applied"},
           {"engine", "io_uring"},
           {"addresses",
            {{{"address", "10.0.0.1"}, {"interface", "eth0"}}, {{"address", "10.0.0.2"}}}},
           {"serversReady", 1},
           {"serversTotal", 2},
           {"serversNotReady",
            {{{"name", "srv2"},
              {"state", "Online"},
              {"health", "Down"},
              {"reason", "refused in 1.3 ms"}}}}}}}}}};
  EXPECT_EQ(Json::parse(request.body), expected);
}

TEST_F(StatusWriterTest, WritesOnTransitionsOnly) {
  ASSERT_TRUE(Turn({{Vip("web"), Entry()}}).ok());
  // The watch is a moment behind.
  ASSERT_TRUE(Turn({{Vip("web"), Entry()}}).ok());
  EXPECT_THAT(client_.requests, IsEmpty());
  const KubeObjectPtr written = Vip("web", {EntryJson("n0", Entry()), EntryJson("n1", Entry())});
  clock_.Advance(absl::Hours(1));
  ASSERT_TRUE(Turn({{written, Entry()}}).ok());
  EXPECT_THAT(client_.requests, IsEmpty());
  ASSERT_TRUE(Turn({{written, Entry("NotServed")}}).ok());
  EXPECT_THAT(client_.requests, SizeIs(1));
}

TEST_F(StatusWriterTest, AnEntryThatSomebodyRemovedComesBack) {
  ASSERT_TRUE(Turn({{Vip("web"), Entry()}}).ok());
  clock_.Advance(StatusWriter::kEcho);
  ASSERT_TRUE(Turn({{Vip("web"), Entry()}}).ok());
  EXPECT_THAT(client_.requests, SizeIs(1));
}

TEST_F(StatusWriterTest, FiguresInReasonsAreWorthAWriteAMinute) {
  NodeEntry entry = Entry();
  ASSERT_TRUE(Turn({{Vip("web"), entry}}).ok());
  const KubeObjectPtr written = Vip("web", {EntryJson("n1", entry)});
  entry.servers_not_ready[0].reason = "refused in 1.4 ms";
  clock_.Advance(absl::Seconds(59));
  ASSERT_TRUE(Turn({{written, entry}}).ok());
  EXPECT_THAT(client_.requests, IsEmpty());
  entry.servers_not_ready[0].state = "Drain";
  ASSERT_TRUE(Turn({{written, entry}}).ok());
  EXPECT_THAT(client_.requests, SizeIs(1));
  const KubeObjectPtr drained = Vip("web", {EntryJson("n1", entry)});
  entry.servers_not_ready[0].reason = "refused in 1.5 ms";
  clock_.Advance(absl::Seconds(60));
  ASSERT_TRUE(Turn({{drained, entry}}).ok());
  EXPECT_THAT(client_.requests, SizeIs(1));
}

TEST_F(StatusWriterTest, AnEntryOfAVipThatIsNotTheNodesIsRemoved) {
  ASSERT_TRUE(Turn({{Vip("web"), std::nullopt}}).ok());
  EXPECT_THAT(client_.requests, IsEmpty());
  ASSERT_TRUE(Turn({{Vip("web", {EntryJson("n1", Entry())}), std::nullopt}}).ok());
  ASSERT_THAT(client_.requests, SizeIs(1));
  EXPECT_EQ(Json::parse(client_.requests[0].body)["status"], Json({{"nodes", Json::array()}}));
}

TEST_F(StatusWriterTest, SomeAtATimeAndEveryOneIsReached) {
  std::vector<WantedEntry> wanted;
  for (int i = 0; i < 12; ++i) wanted.push_back({Vip(absl::StrCat("web", i)), Entry()});
  std::set<std::string> targets;
  for (int turn = 0; turn < 3; ++turn) {
    clock_.Advance(absl::Seconds(1));
    ASSERT_TRUE(Turn(wanted).ok());
    EXPECT_LE(client_.requests.size(), size_t{StatusWriter::kWritesPerTurn});
    for (const ApiRequest& request : client_.requests) targets.insert(request.target);
  }
  EXPECT_EQ(targets.size(), 12u);
}

TEST_F(StatusWriterTest, AnOutageEndsTheTurnAndARefusalOnlyItsVip) {
  client_.Set([](const ApiRequest&) { return absl::UnavailableError("refused"); });
  EXPECT_TRUE(absl::IsUnavailable(Turn({{Vip("a"), Entry()}, {Vip("b"), Entry()}})));
  EXPECT_THAT(client_.requests, SizeIs(1));
  client_.SetStatus(503);
  EXPECT_TRUE(absl::IsUnavailable(Turn({{Vip("a"), Entry()}, {Vip("b"), Entry()}})));
  EXPECT_THAT(client_.requests, SizeIs(1));

  client_.Set([](const ApiRequest& request) {
    return ApiResponse{absl::StrContains(request.target, "/a/") ? 422 : 200, "{}", {}};
  });
  ASSERT_TRUE(Turn({{Vip("a"), Entry()}, {Vip("b"), Entry()}}).ok());
  EXPECT_THAT(client_.requests, SizeIs(2));
  clock_.Advance(absl::Seconds(59));
  ASSERT_TRUE(Turn({{Vip("a"), Entry()}, {Vip("b", {EntryJson("n1", Entry())}), Entry()}}).ok());
  EXPECT_THAT(client_.requests, IsEmpty());
  clock_.Advance(absl::Seconds(1));
  ASSERT_TRUE(Turn({{Vip("a"), Entry()}, {Vip("b", {EntryJson("n1", Entry())}), Entry()}}).ok());
  EXPECT_THAT(client_.requests, SizeIs(1));
}

TEST_F(StatusWriterTest, WithdrawsWhatItWroteOrFound) {
  ASSERT_TRUE(Turn({{Vip("a"), Entry()},
                    {Vip("b", {EntryJson("n1", Entry())}), Entry()},
                    {Vip("c"), std::nullopt}})
                  .ok());
  client_.requests.clear();
  const std::vector<WantedEntry> vips = {{Vip("a"), Entry()},
                                         {Vip("b", {EntryJson("n1", Entry())}), Entry()},
                                         {Vip("c", {EntryJson("n2", Entry())}), std::nullopt}};
  writer_.Withdraw(vips, clock_.Monotonic());  // no time is left
  EXPECT_THAT(client_.requests, IsEmpty());
  writer_.Withdraw(vips, clock_.Monotonic() + absl::Seconds(3));
  ASSERT_THAT(client_.requests, SizeIs(2));
  EXPECT_EQ(Json::parse(client_.requests[0].body)["status"], Json({{"nodes", Json::array()}}));
}

TEST(NodeEntryTest, TextsAndListsKeepTheBoundsOfTheSchema) {
  NodeEntry entry = Entry();
  entry.message = std::string(2000, 'a');
  entry.servers_not_ready.assign(100, {"s", "Online", "Down", std::string(300, 'b')});
  const Json json = EntryJson("n1", entry);
  EXPECT_EQ(json["message"].get<std::string>().size(), kEntryMessageBytesMax);
  EXPECT_EQ(json["serversNotReady"].size(), kEntryServersMax);
  EXPECT_EQ(json["serversNotReady"][0]["reason"].get<std::string>().size(), kEntryReasonBytesMax);
  // Between characters, and UTF-8 whatever comes.
  EXPECT_EQ(CutText("aé", 2), "a");
  EXPECT_EQ(CutText("aé", 3), "aé");
  EXPECT_NO_THROW((void)Json(CutText("a\xff\xfe b", 100)).dump());
}

}  // namespace
}  // namespace fairlead::kube
