#include "cmd/fairlead/node_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::cmd {
namespace {

using controller::ControlView;
using controller::ServerView;
using controller::VipView;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::set<model::Mode> kSnatOnly = {model::Mode::kSnat};

kube::KubeObjectPtr Object(const std::string& name, const std::string& mode = "SNAT") {
  auto object = std::make_shared<kube::KubeObject>();
  object->name_space = "default";
  object->name = name;
  object->uid = "uid-" + name;
  object->generation = 7;
  object->json = {{"spec", {{"mode", mode}}}};
  return object;
}

VipView View(const std::string& name) {
  VipView vip;
  vip.name_space = "default";
  vip.name = name;
  vip.mode = "SNAT";
  vip.addresses = {{*net::IpAddress::Parse("10.0.0.1"), "eth0"}};
  vip.addresses_known = true;
  return vip;
}

ServerView Server(const std::string& name, model::Eligibility eligibility) {
  ServerView server;
  server.name = name;
  server.eligibility = eligibility;
  server.weight = 100;
  return server;
}

class NodeReportTest : public testing::Test {
 protected:
  NodeReportTest() {
    view_.phase = ControlView::Phase::kServing;
    view_.config_readings_total = 3;
    view_.plan_revision = 2;
    view_.plane.applied_revision = 2;
    view_.plane.engine = "io_uring";
    observed_.published_count = 3;
  }
  kube::NodeReport Report() { return ReportOf(view_, observed_, kSnatOnly, &last_event_); }
  // Of the only VIP.
  kube::NodeEntry Entry() {
    const kube::NodeReport report = Report();
    EXPECT_THAT(report.entries, SizeIs(1));
    EXPECT_TRUE(report.entries[0].entry.has_value());
    return report.entries[0].entry.value_or(kube::NodeEntry());
  }

  ControlView view_;
  kube::ObservedVips observed_;
  uint64_t last_event_ = 0;
};

TEST_F(NodeReportTest, IsOfTheNewestConfigurationOrSaysThatItIsNot) {
  EXPECT_TRUE(Report().is_current);
  observed_.published_count = 4;
  EXPECT_FALSE(Report().is_current);
  observed_.published_count = 3;
  view_.plane.applied_revision = 1;
  EXPECT_FALSE(Report().is_current);
  view_.plane.applied_revision = 2;
  view_.phase = ControlView::Phase::kStopping;
  EXPECT_FALSE(Report().is_current);
}

TEST_F(NodeReportTest, CountsTheServersAndNamesThoseThatAreNotReady) {
  VipView vip = View("web");
  vip.servers = {Server("a", model::Eligibility::kAll), Server("b", model::Eligibility::kNone),
                 Server("c", model::Eligibility::kPersistentOnly)};
  vip.servers[1].health = model::OperationalState::kDown;
  vip.servers[1].health_reason = "refused";
  vip.servers[2].admin = model::AdminState::kDrain;
  vip.servers[2].set_here = true;
  view_.vips = {vip};
  observed_.vips = {Object("web")};
  const kube::NodeEntry entry = Entry();
  EXPECT_EQ(entry.observed_generation, 7);
  EXPECT_TRUE(entry.programmed);
  EXPECT_EQ(entry.reason, "Applied");
  EXPECT_EQ(entry.message, "");
  EXPECT_EQ(entry.engine, "io_uring");
  EXPECT_EQ(entry.addresses.at(0).interface, "eth0");
  EXPECT_EQ(entry.servers_ready, 1u);
  EXPECT_EQ(entry.servers_total, 3u);
  ASSERT_THAT(entry.servers_not_ready, SizeIs(2));
  EXPECT_EQ(entry.servers_not_ready[0].reason, "refused");
  EXPECT_EQ(entry.servers_not_ready[1].state, "Drain");
  EXPECT_EQ(entry.servers_not_ready[1].reason, "set to Drain on this node");
}

TEST_F(NodeReportTest, SaysWhyAVipIsNotAsItIsWritten) {
  observed_.vips = {Object("web")};
  view_.findings = {{model::Severity::kError, "VIP default/web", {}, "spec.ports", "taken"}};
  EXPECT_EQ(Entry().reason, "Rejected");
  EXPECT_EQ(Entry().message, "spec.ports: taken");
  EXPECT_FALSE(Entry().programmed);

  view_.vips = {View("web")};
  view_.vips[0].stale = true;
  EXPECT_EQ(Entry().reason, "LastGoodVersion");
  EXPECT_THAT(Entry().message, HasSubstr("spec.ports: taken"));
  EXPECT_FALSE(Entry().programmed);

  view_.vips[0].stale = false;
  view_.vips[0].problem = "port 80 is in use";
  EXPECT_EQ(Entry().reason, "NotServed");
  EXPECT_FALSE(Entry().programmed);
  view_.vips[0].addresses.clear();
  EXPECT_EQ(Entry().reason, "WaitingForAddress");
  view_.vips[0] = View("web");
  view_.vips[0].enabled = false;
  EXPECT_EQ(Entry().reason, "Disabled");
  EXPECT_TRUE(Entry().programmed);
  view_.vips[0] = View("web");
  view_.vips[0].addresses[0].interface = "";
  EXPECT_EQ(Entry().message, "10.0.0.1 is on no interface of this node");
}

TEST_F(NodeReportTest, SaysNothingOfAnotherDaemonsVips) {
  view_.vips = {View("direct")};
  view_.vips[0].elsewhere = true;
  observed_.vips = {Object("direct", "DR"), Object("never-good", "DR")};
  const kube::NodeReport report = Report();
  ASSERT_THAT(report.entries, SizeIs(2));
  EXPECT_FALSE(report.entries[0].entry.has_value());
  EXPECT_FALSE(report.entries[1].entry.has_value());
}

TEST_F(NodeReportTest, TellsTransitionsOnceAndNoEdits) {
  VipView vip = View("web");
  vip.servers = {Server("a", model::Eligibility::kNone)};
  vip.servers[0].is_object = true;
  view_.vips = {vip};
  observed_.vips = {Object("web")};
  controller::EventView event;
  event.number = 5;
  event.level = "warning";
  event.message = "real server is down";
  event.reason = "refused";
  event.kind = "vip";
  event.subject = "default/web";
  event.server = "a";
  controller::EventView edit = event;
  edit.number = 6;
  edit.kind = "object";
  view_.events = {event, edit};
  const kube::NodeReport report = Report();
  ASSERT_THAT(report.events, SizeIs(1));
  EXPECT_EQ(report.events[0].note, "real server is down: a: refused");
  EXPECT_EQ(report.events[0].vip, "web");
  EXPECT_EQ(report.events[0].vip_uid, "uid-web");
  EXPECT_EQ(report.events[0].server, "a");
  EXPECT_TRUE(report.events[0].is_warning);
  EXPECT_THAT(Report().events, IsEmpty());
}

}  // namespace
}  // namespace fairlead::cmd
