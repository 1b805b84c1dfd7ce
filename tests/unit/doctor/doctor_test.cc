#include "pkg/doctor/doctor.h"

#include <errno.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/doctor/fabricated_host.h"

namespace fairlead::doctor {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

TEST(DoctorTest, AHealthyHostHasNoFinding) {
  const FabricatedHost host;
  for (const Finding& finding : host.Diagnosed()) {
    EXPECT_EQ(finding.state, State::kOk) << finding.subject << ": " << finding.seen;
    EXPECT_EQ(finding.fix, "") << finding.subject;
  }
  EXPECT_THAT(host.About("interface eth0"),
              ElementsAre("ok: ixgbe, MTU 1500, XDP native by its driver"));
  EXPECT_THAT(host.About("bpffs"), ElementsAre("ok: mounted at /sys/fs/bpf"));
}

TEST(DoctorTest, AnEmptyTreeIsSurvived) {
  const Findings findings = Diagnose(HostTree("/nonexistent"), Probes(), nullptr);
  EXPECT_EQ(findings.front().subject, "kernel");
  EXPECT_EQ(findings.front().state, State::kWarning);
}

TEST(DoctorTest, Kernel) {
  FabricatedHost host;
  host.Write("/proc/sys/kernel/osrelease", "5.15.0-91-generic\n");
  EXPECT_THAT(host.About("kernel"),
              ElementsAre(StartsWith("warning: Linux 5.15.0-91-generic: io_uring needs 6.1")));
  host.Write("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
  EXPECT_THAT(host.About("kernel"), ElementsAre(StartsWith("ok: ")));
}

TEST(DoctorTest, IoUringRefused) {
  FabricatedHost host;
  host.probes.io_uring_refusal = "io_uring_setup: EPERM (likely seccomp; fix: another profile)";
  host.WriteStatus("0000000000000000", 2);
  EXPECT_THAT(host.About("io_uring"), ElementsAre(AllOf(HasSubstr("has a seccomp filter"),
                                                        HasSubstr("| another profile"))));
  host.Write("/proc/sys/kernel/io_uring_disabled", "2\n");
  EXPECT_THAT(host.About("io_uring"),
              ElementsAre(HasSubstr("| sysctl -w kernel.io_uring_disabled=0")));
}

TEST(DoctorTest, BpfRefused) {
  FabricatedHost host;
  host.probes.bpf_error = EPERM;
  host.Write("/proc/sys/kernel/unprivileged_bpf_disabled", "2\n");
  host.Write("/proc/self/mounts", "proc /proc proc rw 0 0\n");
  EXPECT_THAT(host.About("BPF"), ElementsAre(HasSubstr("unprivileged_bpf_disabled is 2")));
  EXPECT_THAT(host.About("bpffs"), ElementsAre(HasSubstr("| mount -t bpf bpf /sys/fs/bpf")));
}

TEST(DoctorTest, RightsThatNobodyAskedForAreWarnings) {
  FabricatedHost host;
  host.WriteStatus("0000000000000000", 0);
  for (const char* subject : {"ports below 1024", "mode DR", "clientAddress Transparent",
                              "ICMP health checks", "strict half-open checks"}) {
    EXPECT_THAT(host.About(subject), ElementsAre(StartsWith("warning: not possible"))) << subject;
  }
  host.Sysctl("ip_unprivileged_port_start", "0");
  host.Sysctl("ping_group_range", "0\t2147483647");
  EXPECT_THAT(host.About("ports below 1024"), ElementsAre("ok: open to every user"));
  EXPECT_THAT(host.About("ICMP health checks"), ElementsAre("ok: possible"));
}

TEST(DoctorTest, Limits) {
  FabricatedHost host;
  host.WriteLimits("4096", "65536");
  EXPECT_THAT(host.About("descriptors"),
              ElementsAre(AllOf(StartsWith("warning: "), HasSubstr("10000 sessions need 20512"))));
  EXPECT_THAT(host.About("locked memory"),
              ElementsAre("ok: enough for the rings"));  // CAP_IPC_LOCK
  host.WriteStatus("0000000000000000", 0);
  EXPECT_THAT(host.About("locked memory"), ElementsAre(HasSubstr("RLIMIT_MEMLOCK is 65536")));
  host.WriteLimits("1024", "8388608");
  EXPECT_THAT(host.About("descriptors"), ElementsAre(StartsWith("problem: ")));
  EXPECT_THAT(host.About("locked memory"), ElementsAre(StartsWith("ok: ")));
}

TEST(DoctorTest, Network) {
  FabricatedHost host;
  EXPECT_THAT(host.About("source ports"), ElementsAre(StartsWith("ok: 32768-60999: 28232 ")));
  host.Sysctl("ip_local_port_range", "50000\t50999");
  EXPECT_THAT(host.About("source ports"), ElementsAre(StartsWith("warning: 50000-50999: 1000 ")));
  host.Sysctl("tcp_congestion_control", "bbr");
  EXPECT_THAT(host.About("congestion control"), ElementsAre(StartsWith("ok: bbr: ")));

  EXPECT_THAT(host.About("connection tracking"), ElementsAre("ok: not loaded"));
  host.Write("/proc/sys/net/netfilter/nf_conntrack_max", "65536\n");
  host.Write("/proc/sys/net/netfilter/nf_conntrack_count", "10\n");
  EXPECT_THAT(host.About("connection tracking"), ElementsAre("ok: 10 of 65536 entries in use"));
  host.Write("/proc/sys/net/netfilter/nf_conntrack_count", "65000\n");
  EXPECT_THAT(host.About("connection tracking"), ElementsAre(StartsWith("problem: ")));
  host.Write("/proc/sys/net/netfilter/nf_conntrack_max", "8192\n");
  host.Write("/proc/sys/net/netfilter/nf_conntrack_count", "10\n");
  EXPECT_THAT(host.About("connection tracking"),
              ElementsAre(HasSubstr("| sysctl -w net.netfilter.nf_conntrack_max=262144")));
}

TEST(DoctorTest, KubeProxy) {
  FabricatedHost host;
  EXPECT_THAT(host.About("kube-proxy"), IsEmpty());
  host.Interface("kube-ipvs0", "1500");
  EXPECT_THAT(host.About("kube-proxy"), ElementsAre(StartsWith("problem: IPVS mode without")));
  host.Sysctl("conf/all/arp_ignore", "1");
  EXPECT_THAT(host.About("kube-proxy"), ElementsAre("ok: IPVS mode with strictARP"));
}

TEST(DoctorTest, Interfaces) {
  FabricatedHost host;
  host.probes.interfaces["eth0"] = {"virtio_net", true};
  EXPECT_THAT(host.About("interface eth0"), ElementsAre(HasSubstr("| ethtool -K eth0 lro off")));
  host.probes.interfaces["eth0"] = {"e1000e", false};
  EXPECT_THAT(host.About("interface eth0"), ElementsAre("ok: e1000e, MTU 1500, XDP generic only"));
  host.Interface("eth0", "9000");
  host.probes.interfaces["eth0"] = {"ice", false};
  EXPECT_THAT(host.About("interface eth0"),
              ElementsAre(HasSubstr("native if the driver takes frags")));
  host.Sysctl("conf/eth0/rp_filter", "1");
  EXPECT_THAT(host.About("reverse path filter of eth0"),
              ElementsAre(HasSubstr("| sysctl -w net/ipv4/conf/eth0/rp_filter=2")));
  host.Sysctl("conf/all/rp_filter", "2");  // the larger one counts
  EXPECT_THAT(host.About("reverse path filter of eth0"), IsEmpty());
}

}  // namespace
}  // namespace fairlead::doctor
