#include "pkg/kube/endpoint_slices.h"

#include "tests/unit/kube/kube_testing.h"

namespace fairlead::kube {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const ServiceKey kService = {"default", "web"};

model::ServiceEndpoints Join(const std::vector<KubeObjectPtr>& slices) {
  std::map<std::string, const Json*> by_name;
  for (const KubeObjectPtr& slice : slices) by_name[slice->name] = &slice->json;
  return JoinSlices(kService, by_name);
}

// "pod address state" of each endpoint.
std::vector<std::string> Lines(const model::ServiceEndpoints& service) {
  std::vector<std::string> lines;
  for (const model::EndpointGroup& group : service.groups) {
    for (const model::Endpoint& endpoint : group.endpoints) {
      lines.push_back(endpoint.name + " " + endpoint.address.ToString() + " " +
                      model::AdminStateName(endpoint.state));
    }
  }
  return lines;
}

TEST(EndpointSlicesTest, ASliceBelongsToTheServiceOfItsLabel) {
  EXPECT_EQ(ServiceOf(SliceObject("web-1", "web", {})->json), kService);
  EXPECT_EQ(ServiceOf(Json{{"metadata", {{"namespace", "default"}}}}).second, "");
}

TEST(EndpointSlicesTest, ConditionsDecideWhoIsUsed) {
  const Json yes = true;
  const Json no = false;
  const model::ServiceEndpoints service = Join({SliceObject(
      "web-1", "web",
      {EndpointOf("a", "10.0.0.1"), EndpointOf("b", "10.0.0.2", {{"ready", yes}}),
       EndpointOf("c", "10.0.0.3", {{"ready", nullptr}}),
       EndpointOf("d", "10.0.0.4", {{"ready", no}}),
       EndpointOf("e", "10.0.0.5", {{"ready", no}, {"serving", yes}, {"terminating", yes}}),
       EndpointOf("f", "10.0.0.6", {{"ready", no}, {"serving", no}, {"terminating", yes}}),
       // serving left out is ready.
       EndpointOf("g", "10.0.0.7", {{"ready", no}, {"terminating", yes}})})});
  EXPECT_THAT(Lines(service), ElementsAre("a 10.0.0.1 Online", "b 10.0.0.2 Online",
                                          "c 10.0.0.3 Online", "e 10.0.0.5 Drain"));
  EXPECT_EQ(service.not_ready_count, 3u);
}

TEST(EndpointSlicesTest, SlicesAreJoinedAndAnEndpointInTwoIsOne) {
  const std::vector<Json> ports = {Json{{"name", "http"}, {"port", 80}}};
  const model::ServiceEndpoints service =
      Join({SliceObject("web-2", "web",
                        {EndpointOf("a", "10.0.0.1",
                                    {{"ready", false}, {"serving", true}, {"terminating", true}}),
                         EndpointOf("b", "10.0.0.2")},
                        ports),
            SliceObject("web-1", "web", {EndpointOf("a", "10.0.0.1")}, ports)});
  ASSERT_EQ(service.groups.size(), 1u);
  EXPECT_THAT(service.groups[0].ports, ElementsAre(model::EndpointPort{"http", 80}));
  EXPECT_THAT(Lines(service), ElementsAre("a 10.0.0.1 Online", "b 10.0.0.2 Online"));
}

TEST(EndpointSlicesTest, PortsOfTheirOwnMakeAGroupOfTheirOwn) {
  const model::ServiceEndpoints service =
      Join({SliceObject("web-1", "web", {EndpointOf("a", "10.0.0.1")},
                        {{{"name", "http"}, {"port", 8080}},
                         {{"name", "dns"}, {"port", 53}, {"protocol", "UDP"}},
                         {{"name", "sctp"}, {"port", 1}, {"protocol", "SCTP"}}}),
            SliceObject("web-2", "web", {EndpointOf("b", "10.0.0.2")},
                        {{{"name", "http"}, {"port", nullptr}}})});
  ASSERT_EQ(service.groups.size(), 2u);
  EXPECT_THAT(service.groups[0].ports,
              ElementsAre(model::EndpointPort{"dns", 53, model::Protocol::kUdp},
                          model::EndpointPort{"http", 8080}));
  EXPECT_THAT(service.groups[1].ports, ElementsAre(model::EndpointPort{"http", 0}));
}

TEST(EndpointSlicesTest, WhatIsNoPodIsNamedByItsAddressAndNonsenseIsLeftOut) {
  Json bare = {{"addresses", {"fd00::1", "fd00::2"}}};
  Json host = {{"addresses", {"print1.example.com"}}};
  Json nothing = {{"addresses", Json::array()}};
  EXPECT_THAT(Lines(Join({SliceObject("web-1", "web", {bare, host, nothing, 5, nullptr})})),
              ElementsAre("fd00::1 fd00::1 Online"));
  EXPECT_THAT(Lines(Join({RawSliceObject("web-1", "web", nullptr, "80")})), IsEmpty());
  EXPECT_THAT(Lines(Join({RawSliceObject("web-1", "web", "text", 80)})), IsEmpty());
}

}  // namespace
}  // namespace fairlead::kube
