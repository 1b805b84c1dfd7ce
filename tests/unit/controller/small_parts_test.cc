// The pure helpers of the controller.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "pkg/controller/config_diff.h"
#include "pkg/controller/explain.h"
#include "pkg/controller/health_summary.h"
#include "pkg/controller/metrics.h"
#include "pkg/controller/probe_targets.h"
#include "pkg/controller/rate_meter.h"
#include "tests/unit/controller/fakes.h"

namespace fairlead::controller {
namespace {

using model::OperationalState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::pair<uint16_t, std::string>> PortsAndEndpoints(const model::Vip& vip) {
  model::DesiredState desired;
  desired.vips.push_back(vip);
  std::vector<std::pair<uint16_t, std::string>> result;
  const model::VipServer server = model::ServersOf(desired, vip)[0];
  for (const auto& [port, target] : ProbeTargetsOf(vip, server, server.spec.address)) {
    EXPECT_EQ(target.check.port, target.endpoint.port);
    result.emplace_back(port, target.endpoint.ToString());
  }
  return result;
}

TEST(ProbeTargetsTest, ChecksTheCheckPort) {
  EXPECT_THAT(PortsAndEndpoints(MakeVip(1)), ElementsAre(std::pair(80, "10.0.1.1:80")));
}

TEST(ProbeTargetsTest, ChecksATranslatedPortUnlessTheManifestNamesAnother) {
  model::Vip vip = MakeVip(1);
  vip.inline_servers[0].spec.port = 8080;
  EXPECT_THAT(PortsAndEndpoints(vip), ElementsAre(std::pair(8080, "10.0.1.1:8080")));
  vip.health_check.port = 5122;
  vip.health_check.port_from_manifest = true;
  EXPECT_THAT(PortsAndEndpoints(vip), ElementsAre(std::pair(5122, "10.0.1.1:5122")));
}

TEST(ProbeTargetsTest, ChecksEachPort) {
  model::Vip vip = MakeVip(1);
  vip.health_check.each_port = true;
  vip.health_check.port = 0;
  EXPECT_THAT(PortsAndEndpoints(vip),
              ElementsAre(std::pair(80, "10.0.1.1:80"), std::pair(443, "10.0.1.1:443")));
  vip.inline_servers[0].spec.port = 8080;
  EXPECT_THAT(PortsAndEndpoints(vip), ElementsAre(std::pair(8080, "10.0.1.1:8080")));
}

TEST(ProbeTargetsTest, IcmpAndNoneHaveNoPort) {
  model::Vip vip = MakeVip(1);
  vip.health_check.type = model::HealthCheck::Type::kIcmp;
  EXPECT_THAT(PortsAndEndpoints(vip), ElementsAre(std::pair(0, "10.0.1.1:0")));
}

TEST(HealthSummaryTest, JoinsPorts) {
  std::map<uint16_t, health::HealthReport> reports;
  EXPECT_EQ(SummarizeHealth(reports).state, OperationalState::kUnknown);
  reports[80] = MakeReport("a", OperationalState::kUnknown, "not checked yet");
  reports[443] = MakeReport("b", OperationalState::kDown, "refused", /*unreachable=*/true);
  EXPECT_EQ(SummarizeHealth(reports).state, OperationalState::kUnknown);
  reports[80] = MakeReport("a", OperationalState::kUp, "ok");
  HealthSummary summary = SummarizeHealth(reports);
  EXPECT_EQ(summary.state, OperationalState::kUp);
  EXPECT_FALSE(summary.unreachable);
  EXPECT_EQ(summary.ports_up.ToString(), "80");
  EXPECT_EQ(summary.reason, "1 of 2 ports answer; port 443: refused");
  reports[80] = MakeReport("a", OperationalState::kDown, "refused");
  summary = SummarizeHealth(reports);
  EXPECT_EQ(summary.state, OperationalState::kDown);
  EXPECT_FALSE(summary.unreachable);  // port 80 answered, with a refusal
}

TEST(ConfigDiffTest, TellsWhatChanged) {
  model::DesiredState before;
  before.vips = {MakeVip(1), MakeVip(1, "gone")};
  model::DesiredState after;
  after.vips = {MakeVip(1), MakeVip(1, "new")};
  after.vips[0].location.line = 77;  // moved only
  std::vector<Event> events = DescribeConfigChange(&before, after);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].message, "config object added");
  EXPECT_EQ(events[0].subject, "VIP default/new");
  EXPECT_EQ(events[1].message, "config object removed");
  after.vips[0].ports = *net::PortSet::Parse("80");
  after.vips[0].connections_max = 5;
  events = DescribeConfigChange(&before, after);
  EXPECT_EQ(events[1].reason, "spec.ports, spec.maxConnections");
}

TEST(ConfigDiffTest, WhatServersAndChecksDependOnIsNotTheSame) {
  model::DesiredState before;
  before.vips = {MakeVip(1)};
  model::RealServer object;
  object.id = {model::ObjectKind::kRealServer, "default", "srv-9"};
  object.spec.address = *net::IpAddress::Parse("10.0.1.9");
  before.real_servers = {object};
  const auto is_same = [&before](const std::function<void(model::DesiredState&)>& change) {
    model::DesiredState after = before;
    change(after);
    return SameServersAndChecks(before, after);
  };
  using State = model::DesiredState;
  EXPECT_TRUE(is_same([](State&) {}));
  EXPECT_TRUE(is_same([](State& state) { state.real_servers[0].spec.weight = 1; }));
  EXPECT_TRUE(is_same([](State& state) { state.real_servers[0].location.line = 77; }));
  EXPECT_TRUE(is_same([](State& state) { state.vips[0].location.line = 77; }));
  EXPECT_TRUE(is_same([](State& state) { state.vips[0].timeouts.drain = absl::Seconds(1); }));

  EXPECT_FALSE(is_same([](State& state) { state.vips.clear(); }));
  EXPECT_FALSE(is_same([](State& state) { state.vips[0].id.name = "other"; }));
  EXPECT_FALSE(is_same([](State& state) { state.vips[0].enabled = false; }));
  EXPECT_FALSE(is_same([](State& state) { state.vips[0].ports.Add({9, 9}); }));
  EXPECT_FALSE(is_same([](State& state) { state.vips[0].health_check.port = 9; }));
  EXPECT_FALSE(is_same([](State& state) { state.vips[0].selector["a"] = "b"; }));
  EXPECT_FALSE(is_same([](State& state) { state.vips[0].inline_servers.clear(); }));
  EXPECT_FALSE(is_same(
      [](State& state) { state.vips[0].client_address = model::ClientAddress::kTransparent; }));
  EXPECT_FALSE(is_same([](State& state) { state.real_servers.clear(); }));
  EXPECT_FALSE(is_same([](State& state) { state.real_servers[0].labels["a"] = "b"; }));
  EXPECT_FALSE(is_same([](State& state) { state.real_servers[0].spec.host_name = "a"; }));
  EXPECT_FALSE(is_same([](State& state) { state.real_servers[0].spec.port = 9; }));
  EXPECT_FALSE(
      is_same([](State& state) { state.real_servers[0].spec.state = model::AdminState::kDrain; }));
}

TEST(ConfigDiffTest, TellsNewFindingsOnly) {
  model::DesiredState before;
  model::Finding finding;
  finding.object = "VIP default/web";
  finding.location = {"web.yaml", 3, 1};
  finding.field = "spec.ports";
  finding.message = "port 70000 > 65535";
  before.findings = {finding};
  model::DesiredState after = before;
  EXPECT_THAT(DescribeConfigChange(&before, after), IsEmpty());
  after.findings.push_back(finding);
  after.findings[1].message = "another";
  after.findings[1].severity = model::Severity::kWarning;
  const std::vector<Event> events = DescribeConfigChange(&before, after);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].reason, "web.yaml:3:1: spec.ports: another");
  EXPECT_EQ(events[0].level, base::LogLevel::kWarning);
}

TEST(ConfigDiffTest, TellsThatNodeSettingsWaitForARestart) {
  model::DesiredState before;
  model::DesiredState after;
  after.node.emplace();
  EXPECT_THAT(DescribeConfigChange(nullptr, after), IsEmpty());
  const std::vector<Event> events = DescribeConfigChange(&before, after);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_THAT(events[0].reason, HasSubstr("next start"));
}

ControlView SampleView() {
  ControlView view;
  VipView vip;
  vip.name_space = "default";
  vip.name = "web";
  vip.addresses = {{*net::IpAddress::Parse("10.0.0.1"), "eth0"}};
  vip.addresses_known = true;
  vip.ports = "80,443";
  vip.counters.connections_total = 5;
  vip.counters.rejections_total[1] = 2;
  vip.counters.ports = {{80, 5, 100, 200}};
  ServerView server;
  server.name = "srv-1";
  server.health = OperationalState::kUp;
  server.weight_effective = 12.5;
  vip.servers.push_back(server);
  server.name = "srv-2";
  server.admin = model::AdminState::kDrain;
  vip.servers.push_back(server);
  view.vips.push_back(vip);
  view.plane.engine = "epoll";
  view.plane.engine_reason = "io_uring_setup: EPERM";
  return view;
}

TEST(ExplainTest, AsksTheDataPlane) {
  const FakeDataPlane plane;
  const auto answer = ExplainClient(SampleView(), plane, "10.9.9.9", "10.0.0.1:80");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->vip, "default/web");
  EXPECT_EQ(answer->server, "srv-1");
  EXPECT_EQ(answer->server_endpoint, "10.0.1.1:80");
}

TEST(ExplainTest, SaysWhyNothingServesAnAddress) {
  const FakeDataPlane plane;
  ControlView view = SampleView();
  auto answer = ExplainClient(view, plane, "[fd00::1]:7", "10.0.0.1:81");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->server, "");
  EXPECT_THAT(answer->reason, HasSubstr("no VIP has the address and port 10.0.0.1:81"));
  EXPECT_THAT(answer->details, ElementsAre(HasSubstr("with the ports 80,443; add 81")));
  view.vips[0].problem = "disabled";
  answer = ExplainClient(view, plane, "10.9.9.9", "10.0.0.1:443");
  EXPECT_THAT(answer->reason, HasSubstr("it is not served: disabled"));
}

TEST(ExplainTest, NamesTextsThatAreNoAddresses) {
  const FakeDataPlane plane;
  EXPECT_THAT(
      std::string(ExplainClient(SampleView(), plane, "me", "10.0.0.1:80").status().message()),
      HasSubstr("client: "));
  EXPECT_THAT(
      std::string(ExplainClient(SampleView(), plane, "10.0.0.1", "10.0.0.1").status().message()),
      HasSubstr("vip: "));
}

TEST(MetricsTest, MapsTheView) {
  telemetry::MetricsWriter writer;
  WriteMetrics(SampleView(), MetricsDetail::kAll, &writer);
  const std::string text = writer.Finish();
  for (const char* line : {
           "fairlead_vip_connections_total{namespace=\"default\",vip=\"web\"} 5\n",
           "fairlead_vip_servers{namespace=\"default\",vip=\"web\",state=\"up\"} 1\n",
           "fairlead_vip_servers{namespace=\"default\",vip=\"web\",state=\"drain\"} 1\n",
           "fairlead_vip_rejections_total{namespace=\"default\",vip=\"web\",reason=\"vip_limit\"} "
           "2\n",
           "fairlead_server_up{namespace=\"default\",vip=\"web\",server=\"srv-1\"} 1\n",
           "fairlead_server_draining{namespace=\"default\",vip=\"web\",server=\"srv-2\"} 1\n",
           "fairlead_server_weight{namespace=\"default\",vip=\"web\",server=\"srv-1\"} 12.5\n",
           "fairlead_port_sent_bytes_total{namespace=\"default\",vip=\"web\",port=\"80\"} 200\n",
           "fairlead_io_engine_info{engine=\"epoll\",reason=\"io_uring_setup: EPERM\"} 1\n",
           "# TYPE fairlead_vip_connect_seconds histogram\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(MetricsTest, WhatIsNotKnownHasNoSample) {
  ControlView view = SampleView();
  view.vips[0].counters.counts_active = false;
  view.vips[0].servers[0].counters.counts_active = false;
  view.vips[0].servers[0].counters.handshakes = {.watched_total = 7, .progressed_total = 6};
  telemetry::MetricsWriter writer;
  WriteMetrics(view, MetricsDetail::kAll, &writer);
  const std::string text = writer.Finish();
  const std::string labels = "{namespace=\"default\",vip=\"web\",server=\"srv-";
  EXPECT_THAT(text, testing::Not(HasSubstr("\nfairlead_vip_connections{")));
  EXPECT_THAT(text, testing::Not(HasSubstr("fairlead_server_connections" + labels + "1")));
  EXPECT_THAT(text, HasSubstr("fairlead_server_connections" + labels + "2\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("fairlead_server_handshakes_watched_total" + labels + "1\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("fairlead_server_handshakes_progressed_total" + labels + "1\"} 6\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("handshakes_watched_total" + labels + "2")));
}

TEST(MetricsTest, VipDetailLeavesServersAndPortsOut) {
  telemetry::MetricsWriter writer;
  WriteMetrics(SampleView(), MetricsDetail::kVip, &writer);
  const std::string text = writer.Finish();
  EXPECT_THAT(text, HasSubstr("fairlead_vip_servers{"));
  EXPECT_THAT(text, testing::Not(HasSubstr("srv-1")));
  EXPECT_THAT(text, testing::Not(HasSubstr("port=")));
}

TEST(RateMeterTest, AveragesOverTheWindow) {
  RateMeter meter;
  dataplane::PlaneObservation observation;
  observation.services.resize(1);
  observation.services[0].service_id = 7;
  observation.services[0].ports.resize(1);
  EXPECT_EQ(meter.RateOf(7).connections_per_second, 0);
  for (int second = 0; second < 30; ++second) {
    observation.services[0].connections_total = second < 20 ? 0 : 10 * (second - 19);
    observation.services[0].ports[0].bytes_to_client_total = 1000 * second;
    meter.Add(absl::Seconds(second), observation);
  }
  EXPECT_DOUBLE_EQ(meter.RateOf(7).connections_per_second, 10);
  EXPECT_DOUBLE_EQ(meter.RateOf(7).bytes_to_client_per_second, 1000);
  EXPECT_EQ(meter.RateOf(8).connections_per_second, 0);
  observation.services[0].connections_total = 0;  // the service is new again
  meter.Add(absl::Seconds(31), observation);
  EXPECT_EQ(meter.RateOf(7).connections_per_second, 0);
}

}  // namespace
}  // namespace fairlead::controller
