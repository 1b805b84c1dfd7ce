#include "pkg/cluster/service_vips.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/cluster/cluster_testing.h"

namespace fairlead::cluster {
namespace {

using nlohmann::json;
using testing::HasSubstr;

kube::KubeObjectPtr MakeService(const std::string& spec, const std::string& annotations = "{}") {
  return MakeObject(
      "Service", "print",
      absl::StrCat(R"({"metadata":{"annotations":)", annotations, R"(},"spec":)", spec, "}"));
}

std::vector<json> Vips(const kube::KubeObjectPtr& service) {
  auto vips = WantedVips(*service, Ip("10.0.0.1"), "office");
  EXPECT_TRUE(vips.ok()) << vips.status();
  return vips.ok() ? *std::move(vips) : std::vector<json>();
}

TEST(ServiceVipsTest, OnlyLoadBalancersOfOurClassAreOurs) {
  const ServiceClass ours;
  const ServiceClass classless = {"lb.fairlead.dev/fairlead", true};
  const auto service = [](const std::string& spec) { return json{{"spec", json::parse(spec)}}; };
  const json named =
      service(R"({"type":"LoadBalancer","loadBalancerClass":"lb.fairlead.dev/fairlead"})");
  EXPECT_TRUE(IsOurs(named, ours));
  EXPECT_FALSE(IsOurs(service(R"({"type":"LoadBalancer"})"), ours));
  EXPECT_TRUE(IsOurs(service(R"({"type":"LoadBalancer"})"), classless));
  EXPECT_FALSE(IsOurs(service(R"({"type":"LoadBalancer","loadBalancerClass":"x/y"})"), classless));
  EXPECT_FALSE(IsOurs(service(R"({"type":"ClusterIP"})"), classless));
  json leaving = named;
  leaving["metadata"]["deletionTimestamp"] = kTestNowText;
  EXPECT_FALSE(IsOurs(leaving, ours));
}

TEST(ServiceVipsTest, OneVipForThePortsThatPodsListenOn) {
  const auto vips = Vips(MakeService(
      R"({"ports":[{"name":"web","port":80,"targetPort":80,"protocol":"TCP"},
                   {"name":"tls","port":443,"protocol":"TCP"}]})"));
  ASSERT_EQ(vips.size(), 1u);
  EXPECT_EQ(TextAt(vips[0], {"metadata", "name"}), "print");
  EXPECT_EQ(vips[0]["spec"], json::parse(R"({
    "addresses":["10.0.0.1"],"ports":"80,443","protocol":"TCP","persistence":{"type":"None"},
    "realServers":{"service":{"name":"print"}}})"));
  const json& owner = vips[0]["metadata"]["ownerReferences"][0];
  EXPECT_EQ(TextAt(owner, {"uid"}), "uid-Service-print");
  EXPECT_TRUE(BoolAt(owner, {"controller"}));
}

TEST(ServiceVipsTest, APortThatPodsListenOnOtherwiseHasAVipOfItsOwn) {
  const auto vips = Vips(MakeService(
      R"({"ports":[{"name":"web","port":80,"targetPort":8080,"protocol":"TCP"},
                   {"name":"tls","port":443,"targetPort":"https","protocol":"TCP"},
                   {"name":"lpd","port":515,"targetPort":515,"protocol":"TCP"}]})"));
  ASSERT_EQ(vips.size(), 3u);
  std::map<std::string, json> specs;
  for (const json& vip : vips) specs[TextAt(vip, {"metadata", "name"})] = vip["spec"];
  EXPECT_EQ(specs["print-80-tcp"]["realServers"]["service"],
            json::parse(R"({"name":"print","port":"web"})"));
  EXPECT_EQ(specs["print-443-tcp"]["realServers"]["service"]["port"], "tls");
  EXPECT_EQ(specs["print-tcp"]["ports"], "515");
  EXPECT_FALSE(specs["print-tcp"]["realServers"]["service"].contains("port"));
}

TEST(ServiceVipsTest, AnOnlyPortNeedsNoName) {
  const auto vips = Vips(MakeService(R"({"ports":[{"port":80,"targetPort":8080}]})"));
  ASSERT_EQ(vips.size(), 1u);
  EXPECT_EQ(TextAt(vips[0], {"metadata", "name"}), "print");
  EXPECT_FALSE(vips[0]["spec"]["realServers"]["service"].contains("port"));
}

TEST(ServiceVipsTest, ProtocolsHaveVipsOfTheirOwnAndOthersAreRefused) {
  const auto vips = Vips(MakeService(
      R"({"ports":[{"name":"a","port":53,"protocol":"TCP"},
                   {"name":"b","port":53,"protocol":"UDP"}]})"));
  ASSERT_EQ(vips.size(), 2u);
  EXPECT_EQ(TextAt(vips[0], {"metadata", "name"}), "print-tcp");
  EXPECT_EQ(TextAt(vips[1], {"spec", "protocol"}), "UDP");
  const auto sctp = MakeService(R"({"ports":[{"port":9,"protocol":"SCTP"}]})");
  const auto refused = WantedVips(*sctp, Ip("10.0.0.1"), "office");
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("port 9/SCTP"));
}

TEST(ServiceVipsTest, AffinityAndAnnotationsGoIntoTheVip) {
  const auto vips =
      Vips(MakeService(R"({"ports":[{"port":80}],"sessionAffinity":"ClientIP"})",
                       R"({"lb.fairlead.dev/mode":"Auto","lb.fairlead.dev/scheduler":"Maglev",
          "lb.fairlead.dev/health-check-port":"8081","lb.fairlead.dev/advertise":"L2"})"));
  const json& spec = vips[0]["spec"];
  EXPECT_EQ(spec["persistence"], json::parse(R"({"type":"SourceIP","timeoutSeconds":10800})"));
  EXPECT_EQ(spec["mode"], "Auto");
  EXPECT_EQ(spec["scheduler"], "Maglev");
  EXPECT_EQ(spec["healthCheck"]["port"], 8081);
  EXPECT_EQ(spec["advertise"]["type"], "L2");
}

TEST(ServiceVipsTest, WhatTheServerAddsIsNoDifferenceAndWhatIsGoneIs) {
  const auto service =
      MakeService(R"({"ports":[{"port":80}]})", R"({"lb.fairlead.dev/scheduler":"Maglev"})");
  const json wanted = Vips(service)[0];
  json present = wanted;
  present["spec"]["persistence"]["ipv4PrefixLength"] = 32;
  present["spec"]["state"] = "Enabled";
  present["metadata"]["uid"] = "u";
  EXPECT_TRUE(IsApplied(present, wanted));
  json edited = present;
  edited["spec"]["ports"] = "81";
  EXPECT_FALSE(IsApplied(edited, wanted)) << "by hand";
  const json without = Vips(MakeService(R"({"ports":[{"port":80}]})"))[0];
  EXPECT_FALSE(IsApplied(present, without)) << "the annotation is gone";
}

TEST(ServiceVipsTest, AServiceKeepsWhatItsVipsHave) {
  auto vip = std::make_shared<kube::KubeObject>();
  vip->json = Vips(MakeService(R"({"ports":[{"port":80}]})"))[0];
  EXPECT_EQ(OwnerOf(*vip)->uid, "uid-Service-print");
  const auto service = MakeService(R"({"ports":[{"port":80}],"loadBalancerIP":"10.0.0.9",
                                      "ipFamilies":["IPv4"]})");
  const PoolClaim claim = ClaimOf(*service, {vip});
  EXPECT_EQ(claim.held, Ip("10.0.0.1"));
  EXPECT_EQ(claim.held_pool, "office");
  EXPECT_EQ(claim.pool, "");
  EXPECT_EQ(claim.wished, Ip("10.0.0.9"));
  EXPECT_EQ(claim.family, net::IpFamily::kIpv4);
}

TEST(ServiceVipsTest, AServiceWhoseVipsAreGoneKeepsWhatItTold) {
  const auto service =
      MakeObject("Service", "print",
                 R"({"metadata":{"annotations":{"lb.fairlead.dev/address-pool":"lab",
                                     "lb.fairlead.dev/address":"10.0.0.7"}},
          "status":{"loadBalancer":{"ingress":[{"ip":"10.0.0.5"}]}}})");
  const PoolClaim claim = ClaimOf(*service, {});
  EXPECT_EQ(claim.held, Ip("10.0.0.5"));
  EXPECT_EQ(claim.held_pool, "");
  EXPECT_EQ(claim.pool, "lab");
  EXPECT_EQ(claim.wished, Ip("10.0.0.7"));
}

TEST(ServiceVipsTest, AVipOfAUserIsNobodys) {
  EXPECT_FALSE(OwnerOf(*MakeObject("VIP", "web", "{}")).has_value());
  EXPECT_FALSE(OwnerOf(*MakeObject("VIP", "web", R"({"metadata":{"labels":{
      "lb.fairlead.dev/service":"print"}}})"))
                   .has_value());
}

TEST(ServiceVipsTest, TheIngressNamesAddressModeAndPorts) {
  const auto service = MakeService(R"({"ports":[{"port":80,"protocol":"TCP"}]})");
  const json ingress = WantedIngress(service->json, Ip("10.0.0.1"));
  EXPECT_EQ(ingress, json::parse(R"([{"ip":"10.0.0.1","ipMode":"Proxy",
                                      "ports":[{"port":80,"protocol":"TCP"}]}])"));
  const auto has = [&](const std::string& present) {
    return HasIngress(json{{"status", {{"loadBalancer", {{"ingress", json::parse(present)}}}}}},
                      ingress);
  };
  EXPECT_TRUE(has(ingress.dump()));
  EXPECT_TRUE(has(R"([{"ip":"10.0.0.1"}])")) << "an older server keeps the address alone";
  EXPECT_FALSE(has(R"([{"ip":"10.0.0.2"}])"));
  EXPECT_FALSE(has("[]"));
  EXPECT_FALSE(has(R"([{"ip":"10.0.0.1","ports":[{"port":81,"protocol":"TCP"}]}])"));
}

}  // namespace
}  // namespace fairlead::cluster
