#include <errno.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pkg/doctor/doctor.h"
#include "pkg/doctor/listening_ports.h"
#include "tests/unit/doctor/fabricated_host.h"

namespace fairlead::doctor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kTableHead[] =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode\n";

std::string Row(const std::string& local, const std::string& state, int inode) {
  return absl::StrCat("   0: ", local, " 00000000:0000 ", state,
                      " 00000000:00000000 00:00000000 00000000     0        0 ", inode, " 1 0\n");
}

class VipsTest : public testing::Test {
 protected:
  VipsTest() {
    model::Vip vip;
    vip.id = {model::ObjectKind::kVip, "default", "web"};
    vip.addresses = {*net::IpAddress::Parse("10.1.0.100")};
    vip.ports = *net::PortSet::Parse("80,443");
    desired_.vips = {vip};
    host_.desired = &desired_;
    host_.probes.places[vip.addresses.front()] = "eth0";
  }
  model::Vip& vip() { return desired_.vips.front(); }
  std::vector<std::string> Told() const { return host_.About("VIP default/web"); }

  FabricatedHost host_;
  model::DesiredState desired_;
};

TEST_F(VipsTest, HereAndFree) {
  EXPECT_THAT(Told(), ElementsAre("ok: 10.1.0.100 is on eth0", "ok: 2 ports: free"));
  host_.probes.places[vip().addresses.front()] = "local route";
  EXPECT_THAT(Told(), ElementsAre("ok: 10.1.0.100 is routed to this host", "ok: 2 ports: free"));
}

TEST_F(VipsTest, NotHere) {
  host_.probes.places.clear();
  EXPECT_THAT(Told().front(),
              "problem: 10.1.0.100 is not on this host and not routed to it | "
              "ip address add 10.1.0.100/32 dev INTERFACE");
}

TEST_F(VipsTest, TheFixNamesTheInterfaceOfTheNetwork) {
  host_.probes.places.clear();
  vip().addresses.push_back(*net::IpAddress::Parse("fd01::100"));
  host_.Write("/proc/net/route",
              "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
              "wan0\t00000000\t010010AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
              "lan0\t0000010A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n");
  const std::string zero(32, '0');
  host_.Write("/proc/net/ipv6_route",
              absl::StrCat(zero, " 00 ", zero, " 00 ", zero, " 0 1 0 3 wan0\n",
                           "fd010000000000000000000000000000 40 ", zero, " 00 ", zero,
                           " 100 1 0 1 lan0\n"));
  EXPECT_THAT(Told()[0], HasSubstr("ip address add 10.1.0.100/32 dev lan0"));
  EXPECT_THAT(Told()[1], HasSubstr("ip address add fd01::100/128 dev lan0"));
  vip().addresses = {*net::IpAddress::Parse("10.2.0.1")};
  EXPECT_THAT(Told()[0], HasSubstr("ip address add 10.2.0.1/32 dev wan0"));
}

TEST_F(VipsTest, OnLoAndNobodyAnswersForIt) {
  host_.probes.places[vip().addresses.front()] = "lo";
  EXPECT_EQ(Told().size(), 2u);
  host_.Sysctl("conf/eth0/arp_ignore", "1");
  EXPECT_THAT(Told()[1], HasSubstr("10.1.0.100 is on lo, and eth0 has arp_ignore"));
}

TEST_F(VipsTest, PortsOfOthersAreNamed) {
  host_.Write("/proc/net/tcp",
              kTableHead + Row("6400010A:0050", "0A", 7001) +
                  Row("6400010A:01BB", "01", 7002));  // a connection is no listener
  host_.Write("/proc/41/comm", "nginx\n");
  host_.Link("/proc/41/fd/6", "socket:[7001]");
  EXPECT_THAT(Told(), ElementsAre("ok: 10.1.0.100 is on eth0",
                                  HasSubstr("problem: port 80 is taken by nginx (pid 41) on "
                                            "10.1.0.100:80 | ss -ltnp")));
  host_.Write("/proc/41/comm", "fairlead\n");
  EXPECT_THAT(Told()[1], "ok: 2 ports: served by the running fairlead");
}

TEST_F(VipsTest, WildcardsCount) {
  host_.Write("/proc/net/tcp6",
              kTableHead + Row("00000000000000000000000000000000:01BB", "0A", 7003));
  EXPECT_THAT(Told()[1], StartsWith("problem: port 443 is taken by a process that cannot be seen"));
  host_.Write("/proc/net/tcp6", kTableHead);
  host_.Write("/proc/net/tcp", kTableHead + Row("00000000:0051", "0A", 7004));
  EXPECT_THAT(Told()[1], "ok: 2 ports: free");
}

TEST_F(VipsTest, WhatTheConfigurationAsksForIsAProblem) {
  host_.WriteStatus("0000000000000000", 0);
  vip().client_address = model::ClientAddress::kTransparent;
  vip().health_check.type = model::HealthCheck::Type::kIcmp;
  for (const char* subject :
       {"ports below 1024", "clientAddress Transparent", "ICMP health checks"}) {
    EXPECT_THAT(host_.About(subject), ElementsAre(StartsWith("problem: "))) << subject;
  }
  vip().ports = *net::PortSet::Parse("8080");
  EXPECT_THAT(host_.About("ports below 1024"), ElementsAre(StartsWith("warning: ")));
}

TEST_F(VipsTest, ModeDrNeedsRightsAndNoPort) {
  EXPECT_THAT(host_.About("mode DR"), ElementsAre("ok: possible"));
  vip().mode = model::Mode::kDr;
  vip().addresses = {*net::IpAddress::Parse("fd01::100")};
  host_.Write("/proc/net/tcp", kTableHead + Row("00000000:0050", "0A", 7001));
  host_.WriteStatus("000000c000001000", 0);  // CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF
  EXPECT_THAT(host_.About("mode DR"), ElementsAre("ok: possible"));
  for (const char* too_few : {"000000c000000000", "0000008000001000", "0000004000001000"}) {
    host_.WriteStatus(too_few, 0);
    EXPECT_THAT(host_.About("mode DR"), ElementsAre(StartsWith("problem: "))) << too_few;
  }
  host_.WriteStatus("0000000000000000", 0);
  host_.probes.bpf_error = EPERM;
  EXPECT_THAT(Told(), ElementsAre(HasSubstr("ip address add fd01::100/128 dev INTERFACE "
                                            "preferred_lft 0")));
  EXPECT_THAT(host_.About("mode DR"), ElementsAre(StartsWith("problem: ")));
  EXPECT_THAT(host_.About("BPF"), ElementsAre(StartsWith("problem: ")));
  EXPECT_THAT(host_.About("ports below 1024"), ElementsAre(StartsWith("warning: ")));
}

TEST_F(VipsTest, SessionsAreTheSumOfTheLimits) {
  vip().connections_max = 600'000;
  EXPECT_THAT(host_.About("descriptors"),
              ElementsAre(HasSubstr("600000 sessions need 1200512, two each")));
}

}  // namespace
}  // namespace fairlead::doctor
