// Whole decisions: objects in, writes out.
#include "pkg/cluster/decisions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/cluster/cluster_testing.h"

namespace fairlead::cluster {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kPoolSpec[] = R"({"spec":{"ranges":["10.0.0.1-10.0.0.9"]}})";

class DecisionsTest : public testing::Test {
 protected:
  DecisionsTest() { daemons_.Update({Alive("n1")}, true, absl::Seconds(0)); }

  static NodeLease Alive(const std::string& node) {
    kube::LeaseRecord record;
    record.holder = node;
    record.duration = absl::Seconds(40);
    return {node, record};
  }

  Decisions Run() { return Decide(cluster_, daemons_, class_, memory_, kTestNow); }

  // The only write of this kind for the object; null when there is none.
  const Write* Find(const Decisions& decisions, Write::Kind kind, const std::string& object) {
    const Write* found = nullptr;
    for (const Write& write : decisions.writes) {
      if (write.kind != kind || write.object != object) continue;
      EXPECT_EQ(found, nullptr) << "twice";
      found = &write;
    }
    return found;
  }

  json StatusOf(const Decisions& decisions, const std::string& object) {
    const Write* write = Find(decisions, Write::Kind::kStatus, object);
    EXPECT_NE(write, nullptr) << object;
    return write == nullptr ? json() : json::parse(write->request.body)["status"];
  }

  static std::string Condition(const json& status, const std::string& type) {
    for (const json& condition : ListAt(status, {"conditions"})) {
      if (condition["type"] == type) {
        return absl::StrCat(TextAt(condition, {"status"}), " ", TextAt(condition, {"reason"}), ": ",
                            TextAt(condition, {"message"}));
      }
    }
    return "";
  }

  // As the API server would: the writes become the objects' statuses.
  void CarryOut(const Decisions& decisions) {
    for (auto* objects : {&cluster_.vips, &cluster_.real_servers, &cluster_.pools}) {
      for (kube::KubeObjectPtr& object : *objects) {
        for (const Write& write : decisions.writes) {
          const std::string name =
              absl::StrCat(TextAt(object->json, {"kind"}), " ", object->name_space,
                           object->name_space.empty() ? "" : "/", object->name);
          if (write.kind != Write::Kind::kStatus || write.object != name) continue;
          auto written = std::make_shared<kube::KubeObject>(*object);
          written->json["status"].update(json::parse(write.request.body)["status"]);
          object = written;
        }
      }
    }
  }

  ClusterState cluster_;
  NodeLiveness daemons_;
  ServiceClass class_;
  DecodeMemory memory_;
};

TEST_F(DecisionsTest, WhatWasWrittenIsNotWrittenAgain) {
  cluster_.vips = {MakeObject("VIP", "web", R"({"spec":{"addresses":["10.0.0.1"],"ports":"80",
      "realServers":{"list":[{"name":"a","address":"10.0.1.1"}]}}})")};
  cluster_.real_servers = {MakeObject("RealServer", "b", R"({"spec":{"address":"10.0.1.2"}})")};
  cluster_.pools = {MakePool("office", kPoolSpec)};
  const Decisions first = Run();
  EXPECT_EQ(first.writes.size(), 3u);
  CarryOut(first);
  EXPECT_THAT(Run().writes, IsEmpty());
}

TEST_F(DecisionsTest, TheStatusIsAppliedByTheOperatorToThisVeryObject) {
  cluster_.vips = {MakeObject("VIP", "web", R"({"spec":{"addresses":["10.0.0.1"],"ports":"80"}})")};
  const Decisions decisions = Run();
  const Write* write = Find(decisions, Write::Kind::kStatus, "VIP default/web");
  ASSERT_NE(write, nullptr);
  EXPECT_EQ(write->request.method, "PATCH");
  EXPECT_EQ(write->request.target,
            "/apis/lb.fairlead.dev/v1alpha1/namespaces/default/vips/web/status"
            "?fieldManager=fairlead-operator&force=true");
  EXPECT_EQ(write->request.content_type, kube::kApplyPatch);
  const json body = json::parse(write->request.body);
  EXPECT_EQ(TextAt(body, {"metadata", "uid"}), "uid-VIP-web");
  EXPECT_FALSE(body["status"].contains("nodes")) << "those are the daemons'";
  EXPECT_FALSE(body.contains("spec"));
}

TEST_F(DecisionsTest, OfTwoWithOneAddressAndPortTheLaterIsInConflict) {
  const char* spec = R"({"spec":{"addresses":["10.0.0.1"],"ports":"80"}})";
  cluster_.vips = {MakeObject("VIP", "a", spec, /*created=*/9),
                   MakeObject("VIP", "z", spec, /*created=*/1)};
  const Decisions decisions = Run();
  EXPECT_THAT(Condition(StatusOf(decisions, "VIP default/z"), "Accepted"), HasSubstr("True"));
  EXPECT_THAT(
      Condition(StatusOf(decisions, "VIP default/a"), "Accepted"),
      HasSubstr("False Conflict: spec.ports: port 80/TCP of 10.0.0.1 belongs to VIP default/z"));
}

TEST_F(DecisionsTest, AnEditOfTheOlderOneDoesNotPushOutWhatIsInForce) {
  const char* spec = R"({"spec":{"addresses":["10.0.0.1"],"ports":"80"}%s})";
  const std::string in_force = R"(,"status":{"nodes":[{"node":"n1","observedGeneration":1,
      "programmed":true}]})";
  std::string young = spec;
  std::string old = spec;
  cluster_.vips = {MakeObject("VIP", "young", young.replace(young.find("%s"), 2, in_force), 9),
                   MakeObject("VIP", "old", old.replace(old.find("%s"), 2, ""), 1)};
  const Decisions decisions = Run();
  EXPECT_THAT(Condition(StatusOf(decisions, "VIP default/young"), "Accepted"), HasSubstr("True"));
  EXPECT_THAT(Condition(StatusOf(decisions, "VIP default/old"), "Accepted"),
              HasSubstr("False Conflict"));
}

TEST_F(DecisionsTest, WhatAdmissionLetThroughIsToldAsInvalid) {
  cluster_.vips = {
      MakeObject("VIP", "web", R"({"spec":{"addresses":["10.0.0.1"],"ports":"1-100,101-65535"}})")};
  EXPECT_THAT(Condition(StatusOf(Run(), "VIP default/web"), "Accepted"),
              HasSubstr("False Invalid: spec.ports"));
}

TEST_F(DecisionsTest, AVipGetsAnAddressOfItsPoolAndConflictsCountItsPorts) {
  cluster_.pools = {MakePool("office", kPoolSpec)};
  cluster_.vips = {
      MakeObject("VIP", "web", R"({"spec":{"addressPoolRef":{"name":"office"},"ports":"80"}})")};
  const Decisions decisions = Run();
  const json status = StatusOf(decisions, "VIP default/web");
  EXPECT_EQ(status["addresses"], json::parse(R"([{"address":"10.0.0.1"}])"));
  EXPECT_EQ(status["addressPool"], "office");
  EXPECT_EQ(StatusOf(decisions, "AddressPool office")["summary"], "1/9");
  CarryOut(decisions);
  cluster_.vips.push_back(
      MakeObject("VIP", "later", R"({"spec":{"addresses":["10.0.0.1"],"ports":"80"}})", 5));
  EXPECT_THAT(Condition(StatusOf(Run(), "VIP default/later"), "Accepted"),
              HasSubstr("False Conflict"));
}

TEST_F(DecisionsTest, ADaemonThatDiedIsNotCountedAndLaterForgotten) {
  cluster_.vips = {MakeObject("VIP", "web", R"({"spec":{"addresses":["10.0.0.1"],"ports":"80"},
      "status":{"nodes":[{"node":"n1","observedGeneration":1,"programmed":true,"serversReady":1,
                          "serversTotal":1}]}})")};
  EXPECT_THAT(Condition(StatusOf(Run(), "VIP default/web"), "Ready"), HasSubstr("True"));
  daemons_.Update({}, true, absl::Seconds(10));
  Decisions dead = Run();
  EXPECT_THAT(Condition(StatusOf(dead, "VIP default/web"), "Ready"), HasSubstr("False"));
  EXPECT_EQ(Find(dead, Write::Kind::kRemoveEntries, "VIP default/web"), nullptr);
  daemons_.Update({}, true, absl::Seconds(310));
  const Decisions forgotten = Run();
  const Write* removal = Find(forgotten, Write::Kind::kRemoveEntries, "VIP default/web");
  ASSERT_NE(removal, nullptr);
  EXPECT_EQ(json::parse(removal->request.body), json::parse(R"([
      {"op":"test","path":"/status/nodes/0/node","value":"n1"},
      {"op":"remove","path":"/status/nodes/0"}])"));
}

TEST_F(DecisionsTest, AServerTellsWhichVipsUseIt) {
  cluster_.vips = {MakeObject("VIP", "web", R"({"spec":{"addresses":["10.0.0.1"],"ports":"80"},
      "status":{"nodes":[{"node":"n1","observedGeneration":1,"programmed":true,"serversReady":1,
                          "serversTotal":2,"serversNotReady":[{"name":"b","state":"Online",
                          "health":"Down","reason":"connect refused"}]}]}})")};
  const char* fields = R"({"metadata":{"labels":{"lb.fairlead.dev/vip":"web"}},
                           "spec":{"address":"10.0.1.%s"}})";
  const auto server = [&](const std::string& name, const std::string& host) {
    std::string text = fields;
    return MakeObject("RealServer", name, text.replace(text.find("%s"), 2, host));
  };
  cluster_.real_servers = {server("a", "1"), server("b", "2"),
                           MakeObject("RealServer", "c", R"({"spec":{"address":"10.0.1.3"}})")};
  const Decisions decisions = Run();
  EXPECT_EQ(StatusOf(decisions, "RealServer default/a")["summary"], "1/1");
  EXPECT_THAT(Condition(StatusOf(decisions, "RealServer default/a"), "Ready"),
              HasSubstr("True Serving"));
  EXPECT_EQ(StatusOf(decisions, "RealServer default/b")["summary"], "0/1");
  EXPECT_EQ(Condition(StatusOf(decisions, "RealServer default/b"), "Ready"),
            "False Down: takes no new clients of VIP web: connect refused");
  EXPECT_THAT(Condition(StatusOf(decisions, "RealServer default/c"), "ResolvedRefs"),
              HasSubstr("False NoVip"));
}

class ServiceDecisionsTest : public DecisionsTest {
 protected:
  ServiceDecisionsTest() {
    class_.classless = true;
    cluster_.services_known = true;
    cluster_.pools = {MakePool("office", kPoolSpec)};
    cluster_.services = {
        MakeObject("Service", "print",
                   R"({"spec":{"type":"LoadBalancer","ports":[{"port":80,"protocol":"TCP"}]}})")};
  }

  // The VIP that Decide wants, as if the server had made it.
  void MakeTheVip() {
    const Decisions decisions = Run();
    const Write* apply = Find(decisions, Write::Kind::kApply, "VIP default/print");
    ASSERT_NE(apply, nullptr);
    cluster_.vips = {MakeObject("VIP", "print", apply->request.body)};
  }
};

TEST_F(ServiceDecisionsTest, AServiceBecomesAVipAndThenTellsItsAddress) {
  MakeTheVip();
  EXPECT_EQ(cluster_.vips[0]->json["spec"]["addresses"], json::parse(R"(["10.0.0.1"])"));
  const Decisions waiting = Run();
  EXPECT_EQ(Find(waiting, Write::Kind::kApply, "VIP default/print"), nullptr);
  EXPECT_EQ(Find(waiting, Write::Kind::kIngress, "Service default/print"), nullptr)
      << "not before it is in force";
  CarryOut(waiting);
  auto served = std::make_shared<kube::KubeObject>(*cluster_.vips[0]);
  served->json["status"]["nodes"] = json::parse(R"([{"node":"n1","observedGeneration":1,
      "programmed":true,"serversReady":1,"serversTotal":1}])");
  cluster_.vips = {served};
  CarryOut(Run());
  const Decisions told = Run();
  const Write* ingress = Find(told, Write::Kind::kIngress, "Service default/print");
  ASSERT_NE(ingress, nullptr);
  EXPECT_EQ(json::parse(ingress->request.body)["status"]["loadBalancer"]["ingress"][0]["ip"],
            "10.0.0.1");
}

TEST_F(ServiceDecisionsTest, TheAddressOfAServiceIsNobodyElses) {
  MakeTheVip();
  cluster_.vips.push_back(MakeObject(
      "VIP", "web", R"({"spec":{"addressPoolRef":{"name":"office"},"ports":"80"}})", -9));
  const json status = StatusOf(Run(), "VIP default/web");
  EXPECT_EQ(status["addresses"][0]["address"], "10.0.0.2") << "though it is older";
}

TEST_F(ServiceDecisionsTest, AVipWhoseServiceIsGoneIsDeleted) {
  MakeTheVip();
  cluster_.services.clear();
  const Decisions decisions = Run();
  const Write* deletion = Find(decisions, Write::Kind::kDelete, "VIP default/print");
  ASSERT_NE(deletion, nullptr);
  EXPECT_EQ(json::parse(deletion->request.body)["preconditions"]["uid"], "uid-VIP-print");
}

TEST_F(ServiceDecisionsTest, WhileServicesAreNotKnownNothingIsDeleted) {
  MakeTheVip();
  cluster_.services.clear();
  cluster_.services_known = false;
  EXPECT_EQ(Find(Run(), Write::Kind::kDelete, "VIP default/print"), nullptr);
}

TEST_F(ServiceDecisionsTest, AServiceThatIsNoLoadBalancerAnyMoreLosesVipAndAddress) {
  MakeTheVip();
  cluster_.services = {MakeObject("Service", "print", R"({"spec":{"type":"ClusterIP"},
      "status":{"loadBalancer":{"ingress":[{"ip":"10.0.0.1"}]}}})")};
  const Decisions decisions = Run();
  EXPECT_NE(Find(decisions, Write::Kind::kDelete, "VIP default/print"), nullptr);
  const Write* ingress = Find(decisions, Write::Kind::kIngress, "Service default/print");
  ASSERT_NE(ingress, nullptr);
  EXPECT_EQ(ingress->request.body, R"({"status":{"loadBalancer":{"ingress":null}}})");
}

TEST_F(ServiceDecisionsTest, AVipOfAUserIsNotTakenOver) {
  cluster_.vips = {
      MakeObject("VIP", "print", R"({"spec":{"addresses":["10.0.0.7"],"ports":"80"}})")};
  const Decisions decisions = Run();
  EXPECT_EQ(Find(decisions, Write::Kind::kApply, "VIP default/print"), nullptr);
  EXPECT_THAT(decisions.refused_services.at("Service default/print").reason,
              HasSubstr("exists already and is not this Service's"));
}

TEST_F(ServiceDecisionsTest, WithoutAnAddressTheServiceIsToldOfAndItsVipStays) {
  MakeTheVip();
  cluster_.services.push_back(
      MakeObject("Service", "late",
                 R"({"metadata":{"annotations":{"lb.fairlead.dev/address-pool":"none"}},
          "spec":{"type":"LoadBalancer","ports":[{"port":80}]}})"));
  const Decisions decisions = Run();
  EXPECT_THAT(decisions.refused_services.at("Service default/late").reason,
              HasSubstr("no valid AddressPool none"));
  EXPECT_EQ(Find(decisions, Write::Kind::kDelete, "VIP default/print"), nullptr);
}

}  // namespace
}  // namespace fairlead::cluster
