#include "pkg/kube/cluster_state.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/unit/kube/kube_testing.h"

namespace fairlead::kube {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Json Spec(const std::string& address, const std::string& ports = "80") {
  return {{"addresses", {address}},
          {"ports", ports},
          {"realServers", {{"list", {{{"name", "s"}, {"address", "10.9.9.9"}}}}}}};
}

class ClusterStateTest : public testing::Test {
 protected:
  static ClusterStateOptions Options() {
    return {.modes = {model::Mode::kSnat, model::Mode::kDr, model::Mode::kAuto}, .admin = {}};
  }
  // "name address... ports" of each VIP in force.
  std::vector<std::string> Vips() {
    std::vector<std::string> lines;
    merged_ = state_.Merge();
    for (const model::Vip& vip : merged_->vips) {
      std::string line = vip.id.name;
      for (const net::IpAddress& address : vip.addresses) {
        absl::StrAppend(&line, " ", address.ToString());
      }
      lines.push_back(absl::StrCat(line, " :", vip.ports.ToString()));
    }
    return lines;
  }
  std::vector<std::string> Findings() const {
    std::vector<std::string> lines;
    for (const model::Finding& finding : merged_->findings) lines.push_back(finding.ToString());
    return lines;
  }
  std::vector<std::string> ServersOf(const std::string& vip_name) const {
    std::vector<std::string> lines;
    for (const model::Vip& vip : merged_->vips) {
      if (vip.id.name != vip_name) continue;
      for (const model::VipServer& server : model::ServersOf(*merged_, vip)) {
        lines.push_back(absl::StrCat(server.name, " ", server.spec.AddressText(), " ",
                                     model::AdminStateName(server.spec.state)));
      }
    }
    return lines;
  }

  ClusterState state_{Options()};
  std::shared_ptr<const model::DesiredState> merged_;
};

TEST_F(ClusterStateTest, ObjectsComeChangeAndGo) {
  state_.Replace(kVips, {VipObject("a", Spec("10.0.0.1")), VipObject("b", Spec("10.0.0.2"))});
  EXPECT_TRUE(state_.dirty());
  EXPECT_THAT(Vips(), ElementsAre("a 10.0.0.1 :80", "b 10.0.0.2 :80"));
  EXPECT_FALSE(state_.dirty());
  EXPECT_THAT(Findings(), IsEmpty());
  state_.Upsert(kVips, VipObject("a", Spec("10.0.0.1", "81")));
  EXPECT_THAT(Vips(), ElementsAre("a 10.0.0.1 :81", "b 10.0.0.2 :80"));
  state_.Delete(kVips, "default", "a");
  state_.Delete(kVips, "default", "never-there");
  EXPECT_THAT(Vips(), ElementsAre("b 10.0.0.2 :80"));
  state_.Replace(kVips, {VipObject("c", Spec("10.0.0.3"))});
  EXPECT_THAT(Vips(), ElementsAre("c 10.0.0.3 :80"));
  EXPECT_THAT(state_.Vips(), SizeIs(1));
}

TEST_F(ClusterStateTest, AStatusIsNoChangeButIsKept) {
  state_.Upsert(kVips, VipObject("a", Spec("10.0.0.1")));
  state_.Upsert(kRealServers, ServerObject("s1", "a", {{"address", "10.1.0.1"}}));
  (void)Vips();
  const KubeObjectPtr later =
      VipObject("a", Spec("10.0.0.1"), "2026-01-02T03:04:05Z", {{"summary", "1/1"}});
  state_.Upsert(kVips, later);
  EXPECT_FALSE(state_.dirty());
  EXPECT_EQ(state_.Vips().at(0), later);
}

TEST_F(ClusterStateTest, ABadVersionLeavesTheLastGoodOneInForceAndSaysWhere) {
  state_.Upsert(kVips, VipObject("a", Spec("10.0.0.1")));
  (void)Vips();
  state_.Upsert(kVips, VipObject("a", Spec("10.0.0.1", "9-8")));
  EXPECT_THAT(Vips(), ElementsAre("a 10.0.0.1 :80"));
  EXPECT_THAT(merged_->stale, SizeIs(1));
  EXPECT_THAT(Findings(), ElementsAre(AllOf(HasSubstr("vips/default/a: error: VIP default/a: "),
                                            HasSubstr("spec.ports: port range \"9-8\""))));
  state_.Delete(kVips, "default", "a");
  EXPECT_THAT(Vips(), IsEmpty());
}

TEST_F(ClusterStateTest, OfTwoThatCollideTheOlderStaysWhateverTheirNames) {
  state_.Replace(kVips, {VipObject("a", Spec("10.0.0.1"), "2026-01-02T00:00:02Z"),
                         VipObject("b", Spec("10.0.0.1"), "2026-01-02T00:00:01Z"),
                         VipObject("c", Spec("10.0.0.1"), "2026-01-02T00:00:01Z")});
  EXPECT_THAT(Vips(), ElementsAre("b 10.0.0.1 :80"));
  EXPECT_THAT(merged_->findings, SizeIs(2));
}

TEST_F(ClusterStateTest, APoolsAddressComesFromTheStatus) {
  const Json spec = {{"addressPoolRef", {{"name", "office"}}}, {"ports", "80"}};
  state_.Upsert(kVips, VipObject("a", spec));
  EXPECT_THAT(Vips(), ElementsAre("a :80"));
  EXPECT_TRUE(merged_->vips[0].waits_for_address());
  const Json addresses = {{{"address", "10.0.0.7"}, {"node", "n1"}},
                          {{"address", "10.0.0.7"}, {"node", "n2"}},
                          {{"address", "fd00::7"}},
                          {{"address", "nonsense"}}};
  state_.Upsert(kVips, VipObject("a", spec, "2026-01-02T03:04:05Z", {{"addresses", addresses}}));
  EXPECT_TRUE(state_.dirty());
  EXPECT_THAT(Vips(), ElementsAre("a 10.0.0.7 fd00::7 :80"));
  // Of a VIP with addresses of its own the status is no matter.
  state_.Upsert(kVips, VipObject("b", Spec("10.0.0.1"), "", {{"addresses", addresses}}));
  EXPECT_THAT(Vips(), ElementsAre("a 10.0.0.7 fd00::7 :80", "b 10.0.0.1 :80"));
  // What the VIP cannot have is refused with its reason, and the last good one stays.
  state_.Upsert(kVips, VipObject("a", spec, "2026-01-02T03:04:05Z",
                                 {{"addresses", {{{"address", "224.0.0.1"}}}}}));
  EXPECT_THAT(Vips(), ElementsAre("a 10.0.0.7 fd00::7 :80", "b 10.0.0.1 :80"));
}

TEST_F(ClusterStateTest, AnotherDaemonsModeIsMarkedAndWarnsOfNothing) {
  ClusterState state({.modes = {model::Mode::kDr}, .admin = *net::Endpoint::Parse("10.0.0.1:80")});
  state.Upsert(kVips, VipObject("a", {{"addresses", {"10.0.0.1"}}, {"ports", "80"}}));
  state.Upsert(kRealServers, ServerObject("s1", "a", {{"address", "10.0.0.1"}}));
  const auto merged = state.Merge();
  ASSERT_THAT(merged->vips, SizeIs(1));
  EXPECT_TRUE(merged->vips[0].elsewhere);
  EXPECT_THAT(merged->findings, IsEmpty());
  EXPECT_EQ(ModeOf(state.Vips().at(0)->json), model::Mode::kSnat);
}

TEST_F(ClusterStateTest, EndpointsAreFollowedOfServicesThatAreNamed) {
  const Json spec = {{"addresses", {"10.0.0.1"}},
                     {"ports", "80"},
                     {"realServers", {{"service", {{"name", "pods"}}}}}};
  state_.Upsert(kEndpointSlices, SliceObject("pods-1", "pods", {EndpointOf("p1", "10.2.0.1")}));
  EXPECT_FALSE(state_.dirty());
  EXPECT_FALSE(state_.needs_endpoint_slices());
  state_.Upsert(kVips, VipObject("a", spec));
  EXPECT_TRUE(state_.needs_endpoint_slices());
  (void)Vips();
  EXPECT_THAT(ServersOf("a"), ElementsAre("p1 10.2.0.1 Online"));

  state_.Upsert(
      kEndpointSlices,
      SliceObject("pods-2", "pods",
                  {EndpointOf("p2", "10.2.0.2",
                              {{"ready", false}, {"serving", true}, {"terminating", true}})}));
  state_.Upsert(kEndpointSlices, SliceObject("other", "other", {EndpointOf("p3", "10.2.0.3")}));
  EXPECT_TRUE(state_.dirty());
  (void)Vips();
  EXPECT_THAT(ServersOf("a"), ElementsAre("p1 10.2.0.1 Online", "p2 10.2.0.2 Drain"));
  // A bad edit of the VIP leaves it its servers, which are followed on.
  Json bad = spec;
  bad["ports"] = "9-8";
  state_.Upsert(kVips, VipObject("a", bad));
  state_.Delete(kEndpointSlices, "default", "pods-2");
  (void)Vips();
  EXPECT_THAT(ServersOf("a"), ElementsAre("p1 10.2.0.1 Online"));
  // The same again is no change.
  state_.Upsert(kEndpointSlices, SliceObject("pods-1", "pods", {EndpointOf("p1", "10.2.0.1")}));
  EXPECT_FALSE(state_.dirty());
  state_.Replace(kEndpointSlices, {});
  (void)Vips();
  EXPECT_THAT(ServersOf("a"), IsEmpty());
  state_.Replace(kVips, {});
  EXPECT_FALSE(state_.needs_endpoint_slices());
}

TEST_F(ClusterStateTest, AnotherProcessGoesOnFromTheText) {
  state_.Replace(kVips,
                 {VipObject("a", Spec("10.0.0.1")),
                  VipObject("b",
                            {{"addressPoolRef", {{"name", "office"}}},
                             {"ports", "80"},
                             {"realServers", {{"service", {{"name", "pods"}}}}}},
                            "2026-01-02T03:04:05Z", {{"addresses", {{{"address", "10.0.0.7"}}}}})});
  state_.Replace(kRealServers, {ServerObject("s1", "b", {{"address", "10.1.0.1"}})});
  state_.Replace(kEndpointSlices, {SliceObject("pods-1", "pods", {EndpointOf("p1", "10.2.0.1")})});
  (void)Vips();
  state_.Upsert(kVips, VipObject("a", Spec("10.0.0.1", "9-8")));  // the last good one is kept
  state_.Upsert(kVips, VipObject("never-good", Spec("10.0.0.3", "9-8")));
  (void)Vips();
  const std::string text = state_.Encode("https://a:6443");

  ClusterState next(Options());
  ASSERT_TRUE(next.Restore(text, "https://a:6443").ok());
  const auto merged = next.Merge();
  ASSERT_THAT(merged->vips, SizeIs(2));
  EXPECT_EQ(merged->vips[0], merged_->vips[0]);
  EXPECT_EQ(merged->vips[1], merged_->vips[1]);
  EXPECT_EQ(merged->real_servers, merged_->real_servers);
  EXPECT_EQ(merged->services, merged_->services);
  EXPECT_TRUE(next.needs_endpoint_slices());
  // What the API server has now is compared with it: bad stays last good, gone is gone.
  next.Replace(kVips, {VipObject("a", Spec("10.0.0.1", "9-8"))});
  EXPECT_THAT(next.Merge()->vips, ElementsAre(merged_->vips[0]));
}

TEST_F(ClusterStateTest, AnotherTextIsRefusedWithTheReason) {
  const auto refused = [](absl::string_view text) {
    ClusterState state(Options());
    return std::string(state.Restore(text, "https://a:6443").message());
  };
  EXPECT_THAT(refused("{\"version\":1"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refused("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refused("{\"version\":2}"), HasSubstr("version is not 1"));
  EXPECT_THAT(refused("{\"version\":1,\"origin\":\"https://b\"}"), HasSubstr("https://b had"));
  EXPECT_THAT(refused("{\"version\":1,\"origin\":\"https://a:6443\",\"vips\":[5]}"),
              HasSubstr("no name"));
  EXPECT_EQ(refused("{\"version\":1,\"origin\":\"https://a:6443\"}"), "");
}

TEST_F(ClusterStateTest, AnEditOfOneOfTenThousandIsCheap) {
  constexpr int kServers = 10'000;
  const auto server = [](int i, int weight) {
    return ServerObject(
        absl::StrCat("s", i), "a",
        {{"address", absl::StrCat("10.", i / 62500, ".", i / 250 % 250, ".", i % 250 + 1)},
         {"weight", weight},
         {"state", "Online"}});
  };
  std::vector<KubeObjectPtr> servers;
  for (int i = 0; i < kServers; ++i) servers.push_back(server(i, 100));
  const absl::Time start = absl::Now();
  state_.Replace(kVips, {VipObject("a", {{"addresses", {"10.99.0.1"}}, {"ports", "80"}})});
  state_.Replace(kRealServers, servers);
  (void)Vips();
  const absl::Duration first = absl::Now() - start;
  constexpr int kEdits = 20;
  const absl::Time edits_start = absl::Now();
  for (int i = 0; i < kEdits; ++i) {
    state_.Upsert(kRealServers, server(i, 50));
    merged_ = state_.Merge();
  }
  const absl::Duration edit = (absl::Now() - edits_start) / kEdits;
  EXPECT_EQ(merged_->real_servers.size(), size_t{kServers});
  EXPECT_LT(edit, first / 3);  // measured: a twentieth
}

}  // namespace
}  // namespace fairlead::kube
