// The check along direct routing between two ends of a veth pair, through a whole monitor; the
// verdicts on real servers of every kind stand in tests/netns/test_path.py.
#include "pkg/health/direct_probe.h"

#include <net/if.h>

#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pkg/base/clock.h"
#include "pkg/health/health_monitor.h"
#include "tests/unit/health/network_namespace.h"

namespace fairlead::health {
namespace {

using ::testing::HasSubstr;

net::MacAddress MacOf(const std::string& interface) {
  std::ifstream file(absl::StrCat("/sys/class/net/", interface, "/address"));
  std::string text;
  file >> text;
  return net::ParseMac(text).value_or(net::MacAddress{});
}

ProbeTarget TargetOn(const std::string& interface) {
  ProbeTarget target;
  target.id = "path";
  target.endpoint = *net::Endpoint::Parse("10.98.0.100:80");
  target.check.timeout = absl::Milliseconds(200);
  target.check.interval = absl::Milliseconds(200);
  target.direct = DirectWay{.ifindex = ::if_nametoindex(interface.c_str()),
                            .mac = {2, 0, 0, 0, 0, 9},
                            .source_mac = MacOf(interface),
                            .source = *net::IpAddress::Parse("10.98.0.1")};
  return target;
}

// The first report after a probe; runs the monitor on this thread's network.
HealthReport Check(const ProbeTarget& target, uring::Engine engine) {
  static const base::SystemClock clock;
  auto monitor = HealthMonitor::Create({.engine = engine}, clock, [](const HealthReport&) {});
  if (!monitor.ok()) return {};
  (*monitor)->SetTargets({target});
  for (int i = 0; i < 200; ++i) {
    absl::SleepFor(absl::Milliseconds(20));
    const std::vector<HealthReport> reports = (*monitor)->Snapshot();
    if (!reports.empty() && reports[0].probes > 0) return reports[0];
  }
  return {};
}

class DirectProbeTest : public ::testing::TestWithParam<uring::Engine> {};
INSTANTIATE_TEST_SUITE_P(Engines, DirectProbeTest,
                         ::testing::Values(uring::Engine::kIoUring, uring::Engine::kEpoll),
                         [](const auto& info) {
                           return info.param == uring::Engine::kEpoll ? "Epoll" : "IoUring";
                         });

TEST_P(DirectProbeTest, SilenceIsDownButNotUnreachable) {
  HealthReport report;
  const bool ready = RunInNamespace([&] {
    Ip("link add near type veth peer name far") && Ip("link set near up") &&
        Ip("link set far up") && Ip("addr add 10.98.0.1/24 dev near");
    report = Check(TargetOn("near"), GetParam());
  });
  if (!ready) GTEST_SKIP() << "a network namespace needs root";
  if (report.target_id.empty()) GTEST_SKIP() << "this host refuses the engine";
  EXPECT_EQ(report.state, model::OperationalState::kDown);
  EXPECT_FALSE(report.unreachable);  // its connections may be fine
  EXPECT_THAT(report.reason, HasSubstr("no answer from 10.98.0.100:80 through direct routing "
                                       "within 200ms: the VIP is missing"));
}

TEST_P(DirectProbeTest, WhatThisHostLacksIsNoVerdict) {
  HealthReport no_source;
  HealthReport no_interface;
  HealthReport no_capability;
  const bool ready = RunInNamespace([&] {
    Ip("link add near type veth peer name far") && Ip("link set near up") &&
        Ip("link set far up") && Ip("addr add 10.98.0.1/24 dev near");
    ProbeTarget target = TargetOn("near");
    target.direct->source.reset();
    no_source = Check(target, GetParam());
    target = TargetOn("near");
    target.direct->ifindex = 4711;
    no_interface = Check(target, GetParam());
    DropNetRaw();
    no_capability = Check(TargetOn("near"), GetParam());
  });
  if (!ready) GTEST_SKIP() << "a network namespace needs root";
  if (no_source.target_id.empty()) GTEST_SKIP() << "this host refuses the engine";
  for (const HealthReport& report : {no_source, no_interface, no_capability}) {
    EXPECT_EQ(report.state, model::OperationalState::kUnknown) << report.reason;
    EXPECT_TRUE(report.not_checked);
    EXPECT_THAT(report.reason, HasSubstr("cannot check 10.98.0.100:80 through direct routing"));
  }
  EXPECT_THAT(no_source.reason, HasSubstr("no IPv4 address beside the VIPs"));
  EXPECT_THAT(no_interface.reason, HasSubstr("No such device"));
  EXPECT_THAT(no_capability.reason, HasSubstr("CAP_NET_RAW"));
}

}  // namespace
}  // namespace fairlead::health
