// Conditions, liveness of daemons, pacing of writes, what is written and not seen yet.
#include <gtest/gtest.h>

#include <set>

#include "pkg/cluster/conditions.h"
#include "pkg/cluster/event.h"
#include "pkg/cluster/node_liveness.h"
#include "pkg/cluster/operator_view.h"
#include "pkg/cluster/write_pacing.h"
#include "pkg/cluster/written_statuses.h"
#include "tests/unit/cluster/cluster_testing.h"

namespace fairlead::cluster {
namespace {

using nlohmann::json;

TEST(ConditionsTest, TheTimeOfTransitionMovesOnAFlipAlone) {
  const Condition ready = {"Ready", Truth::kTrue, "Serving", "all is well"};
  const json first = ConditionsToJson({ready}, 1, json::array(), kTestNow);
  EXPECT_EQ(TextAt(first[0], {"lastTransitionTime"}), kTestNowText);
  const absl::Time later = kTestNow + absl::Hours(1);
  Condition other_words = ready;
  other_words.message = "still well";
  const json second = ConditionsToJson({other_words}, 2, first, later);
  EXPECT_EQ(TextAt(second[0], {"lastTransitionTime"}), kTestNowText);
  EXPECT_EQ(NumberAt(second[0], {"observedGeneration"}), 2);
  const Condition down = {"Ready", Truth::kFalse, "NoServers", "none"};
  const json third = ConditionsToJson({down}, 2, second, later);
  EXPECT_EQ(TextAt(third[0], {"lastTransitionTime"}), ApiTime(later));
}

NodeLease Lease(const std::string& node, const std::string& version) {
  kube::LeaseRecord record;
  record.holder = node;
  record.duration = absl::Seconds(40);
  record.resource_version = version;
  return {node, record};
}

TEST(NodeLivenessTest, ADaemonLivesWhileItsLeaseIsRenewed) {
  NodeLiveness liveness;
  liveness.Update({Lease("n1", "1"), Lease("n2", "1")}, true, absl::Seconds(0));
  EXPECT_EQ(liveness.alive(), (std::set<std::string>{"n1", "n2"}));
  liveness.Update({Lease("n1", "2"), Lease("n2", "1")}, true, absl::Seconds(39));
  liveness.Update({Lease("n1", "2"), Lease("n2", "1")}, true, absl::Seconds(40));
  EXPECT_EQ(liveness.alive(), (std::set<std::string>{"n1"}));
  liveness.Update({Lease("n1", "2"), Lease("n2", "2")}, true, absl::Seconds(41));
  EXPECT_EQ(liveness.alive(), (std::set<std::string>{"n1", "n2"})) << "it is back";
  liveness.Update({Lease("n2", "2")}, true, absl::Seconds(42));
  EXPECT_EQ(liveness.alive(), (std::set<std::string>{"n2"})) << "its Lease is gone";
}

TEST(NodeLivenessTest, AReleasedLeaseIsNobodys) {
  NodeLiveness liveness;
  NodeLease lease = Lease("n1", "1");
  lease.record.holder = "";
  liveness.Update({lease}, true, absl::Seconds(0));
  EXPECT_TRUE(liveness.alive().empty());
}

TEST(NodeLivenessTest, AnOutageOfTheApiServerKillsNobody) {
  NodeLiveness liveness;
  liveness.Update({Lease("n1", "1")}, true, absl::Seconds(0));
  for (int at = 1; at < 3600; ++at) {
    liveness.Update({Lease("n1", "1")}, false, absl::Seconds(at));
    ASSERT_TRUE(liveness.alive().contains("n1")) << at;
  }
  liveness.Update({Lease("n1", "1")}, true, absl::Seconds(3601));
  EXPECT_TRUE(liveness.alive().contains("n1")) << "it has its time to renew";
  liveness.Update({Lease("n1", "1")}, true, absl::Seconds(3641));
  EXPECT_FALSE(liveness.alive().contains("n1"));
}

TEST(NodeLivenessTest, WhatADeadDaemonSaidIsForgottenLater) {
  NodeLiveness liveness;
  liveness.Update({Lease("n1", "1")}, true, absl::Seconds(0));
  EXPECT_FALSE(liveness.IsForgotten("n1"));
  EXPECT_FALSE(liveness.IsForgotten("never-seen")) << "it may only be slow to renew";
  liveness.Update({}, true, absl::Seconds(100));
  EXPECT_FALSE(liveness.IsForgotten("n1"));
  liveness.Update({}, true, absl::Seconds(301));
  EXPECT_TRUE(liveness.IsForgotten("n1"));
  EXPECT_TRUE(liveness.IsForgotten("never-seen"));
  liveness.Update({Lease("n1", "2")}, true, absl::Seconds(302));
  EXPECT_FALSE(liveness.IsForgotten("n1"));
}

TEST(WritePacingTest, ABurstAndThenASteadyRate) {
  WritePacing pacing;
  int sent = 0;
  while (pacing.TryStart(absl::StrCat("w", sent), absl::Seconds(5))) ++sent;
  EXPECT_EQ(sent, 50);
  sent = 0;
  while (pacing.TryStart(absl::StrCat("w", sent), absl::Seconds(6))) ++sent;
  EXPECT_EQ(sent, 20);
}

TEST(WritePacingTest, AFailureMakesItsWriteWaitLongerEachTime) {
  WritePacing pacing;
  pacing.OnFailure("a", false, absl::ZeroDuration(), absl::Seconds(0));
  EXPECT_FALSE(pacing.TryStart("a", absl::Seconds(0.49)));
  EXPECT_TRUE(pacing.TryStart("b", absl::Seconds(0.49)));
  EXPECT_TRUE(pacing.TryStart("a", absl::Seconds(0.5)));
  pacing.OnFailure("a", false, absl::ZeroDuration(), absl::Seconds(10));
  EXPECT_FALSE(pacing.TryStart("a", absl::Seconds(10.9)));
  EXPECT_TRUE(pacing.TryStart("a", absl::Seconds(11)));
  for (int i = 0; i < 40; ++i) {
    pacing.OnFailure("a", false, absl::ZeroDuration(), absl::Seconds(100));
  }
  EXPECT_FALSE(pacing.TryStart("a", absl::Seconds(159)));
  EXPECT_TRUE(pacing.TryStart("a", absl::Seconds(160))) << "60 s at most";
  pacing.OnSuccess("a");
  EXPECT_TRUE(pacing.TryStart("a", absl::Seconds(161)));
}

TEST(WritePacingTest, AnOverloadedServerGetsItsPauseFromAllWrites) {
  WritePacing pacing;
  pacing.OnFailure("a", true, absl::Seconds(7), absl::Seconds(0));
  EXPECT_FALSE(pacing.TryStart("b", absl::Seconds(6.9)));
  EXPECT_TRUE(pacing.TryStart("b", absl::Seconds(7)));
}

TEST(WrittenStatusesTest, CoversTheCopyUntilItShowsTheWrite) {
  WrittenStatuses written;
  written.Add("VIP default/a", "5", {{"summary", "1/1"}, {"scheduler", nullptr}}, absl::Seconds(0));
  const auto stale = MakeObject("VIP", "a", R"({"status":{"scheduler":"x","nodes":[1]}})");
  std::vector<kube::KubeObjectPtr> objects = {stale};
  written.Overlay("VIP ", absl::Seconds(1), &objects);
  EXPECT_EQ(objects[0]->json["status"], json::parse(R"({"summary":"1/1","nodes":[1]})"));
  EXPECT_EQ(TextAt(stale->json, {"status", "scheduler"}), "x") << "the copy is immutable";
  auto shown = std::make_shared<kube::KubeObject>(*stale);
  shown->resource_version = "5";
  objects = {shown};
  written.Overlay("VIP ", absl::Seconds(2), &objects);
  EXPECT_EQ(objects[0], shown);
  objects = {stale};
  written.Overlay("VIP ", absl::Seconds(3), &objects);
  EXPECT_EQ(objects[0], stale) << "it was shown: from now on the copy counts";
}

TEST(WrittenStatusesTest, LosesPatience) {
  WrittenStatuses written;
  written.Add("VIP default/a", "5", {{"summary", "1/1"}}, absl::Seconds(0));
  const auto stale = MakeObject("VIP", "a", "{}");
  std::vector<kube::KubeObjectPtr> objects = {stale};
  written.Overlay("VIP ", absl::Seconds(10), &objects);
  EXPECT_EQ(objects[0], stale);
}

TEST(OperatorViewTest, IsReadyWhenEverythingWasListedOnce) {
  OperatorView view;
  view.resources.push_back({"vips", {}});
  view.resources[0].health.problem = "403 Forbidden";
  EXPECT_EQ(WhyNotReady(view), "vips were not listed yet: 403 Forbidden");
  view.synced = true;
  EXPECT_EQ(WhyNotReady(view), "");
}

TEST(OperatorViewTest, MetricsNameWhatMatters) {
  OperatorView view;
  view.lease.leader = true;
  view.figures.pools["office"] = {3, 50};
  view.writes_total["status"] = 7;
  view.resources.push_back({"vips", {}});
  view.resources[0].health.synced = true;
  const std::string text = MetricsText(view, kTestNow);
  for (const char* line : {"fairlead_operator_leader 1\n",
                           "fairlead_operator_pool_addresses_used{pool=\"office\"} 3\n",
                           "fairlead_operator_writes_total{kind=\"status\"} 7\n",
                           "fairlead_operator_copy_stale{resource=\"vips\"} 0\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

TEST(EventTest, NamesObjectReasonAndNote) {
  const auto vip = MakeObject("VIP", "web", "{}");
  const kube::ApiRequest request =
      MakeEvent(RegardingOf(kube::kVips, *vip), {true, "NoServers", std::string(2000, 'x')},
                "pod-1", kTestNow, 10);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/apis/events.k8s.io/v1/namespaces/default/events");
  const json event = json::parse(request.body);
  EXPECT_EQ(TextAt(event, {"eventTime"}), "2027-01-15T08:00:00.000000Z");
  EXPECT_EQ(TextAt(event, {"regarding", "uid"}), "uid-VIP-web");
  EXPECT_EQ(TextAt(event, {"type"}), "Warning");
  EXPECT_EQ(TextAt(event, {"note"}).size(), 1024u);
  const auto pool = MakePool("office", "{}");
  EXPECT_EQ(MakeEvent(RegardingOf(kube::kAddressPools, *pool), {}, "pod-1", kTestNow, 1).target,
            "/apis/events.k8s.io/v1/namespaces/default/events")
      << "of a cluster-wide object";
}

TEST(JsonAccessTest, NothingIsTooOdd) {
  const json odd = json::parse(R"({"a":[1],"b":{"c":3,"t":"2027-01-15T08:00:00Z"}})");
  EXPECT_EQ(TextAt(odd, {"a", "b"}), "");
  EXPECT_EQ(NumberAt(odd, {"b", "c"}), 3);
  EXPECT_TRUE(ListAt(odd, {"b"}).empty());
  EXPECT_EQ(TimeAt(odd, {"b", "t"}), kTestNow);
  EXPECT_EQ(Clipped("a\xc3\xa4", 2), "a");
}

}  // namespace
}  // namespace fairlead::cluster
