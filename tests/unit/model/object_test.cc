#include "pkg/model/object.h"

#include <gtest/gtest.h>

#include "pkg/model/health_check.h"
#include "pkg/model/vip.h"

namespace fairlead::model {
namespace {

TEST(ObjectIdTest, PrintsKindNamespaceAndName) {
  const ObjectId vip = {ObjectKind::kVip, "default", "dispatcher"};
  EXPECT_EQ(vip.ToString(), "VIP default/dispatcher");
  EXPECT_EQ(vip.QualifiedName(), "default/dispatcher");
  const ObjectId node = {ObjectKind::kNode, "", "lb1"};
  EXPECT_EQ(node.ToString(), "Node lb1");
  EXPECT_EQ(node.QualifiedName(), "lb1");
}

TEST(SourceLocationTest, PrintsTheLineOnlyWhenItIsKnown) {
  EXPECT_EQ((SourceLocation{"a.yaml", 12, 3}).ToString(), "a.yaml:12:3");
  EXPECT_EQ((SourceLocation{"a.yaml", 0, 0}).ToString(), "a.yaml");
}

TEST(FindingTest, PrintsOneLine) {
  const Finding finding = {Severity::kError, "VIP default/a", {"a.yaml", 1, 2}, "spec.ports", "no"};
  EXPECT_EQ(finding.ToString(), "a.yaml:1:2: error: VIP default/a: spec.ports: no");
}

TEST(FindingTest, LeavesOutWhatIsNotKnown) {
  const Finding finding = {Severity::kWarning, "", {"a.yaml", 0, 0}, "", "empty"};
  EXPECT_EQ(finding.ToString(), "a.yaml: warning: empty");
}

TEST(NamesOfValuesTest, AreTheWordsOfTheManifest) {
  EXPECT_STREQ(ProtocolName(Protocol::kTcpAndUdp), "TCPAndUDP");
  EXPECT_STREQ(ModeName(Mode::kSnat), "SNAT");
  EXPECT_STREQ(SchedulerName(Scheduler::kWeightedLeastConnections), "WeightedLeastConnections");
  EXPECT_STREQ(AdminStateName(AdminState::kDrain), "Drain");
  EXPECT_STREQ(ClientAddressName(ClientAddress::kProxyProtocolV2), "ProxyProtocolV2");
  EXPECT_STREQ(AdvertiseTypeName(Advertise::Type::kL2), "L2");
  EXPECT_STREQ(HealthCheckTypeName(HealthCheck::Type::kSendExpect), "SendExpect");
}

}  // namespace
}  // namespace fairlead::model
