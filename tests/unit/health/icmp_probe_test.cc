#include "pkg/health/icmp_probe.h"

#include <sys/socket.h>

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pkg/net/packet_bytes.h"
#include "tests/unit/health/network_namespace.h"
#include "tests/unit/health/run_probe.h"

namespace fairlead::health {
namespace {

using ::testing::HasSubstr;

net::IpAddress Address(const char* text) { return *net::IpAddress::Parse(text); }

ProbeOutcome Ping(const char* address, absl::Duration timeout = absl::Seconds(2)) {
  IcmpProbe probe(Address(address));
  return RunProbe(probe, timeout);
}

TEST(IcmpEchoTest, RequestHasItsBytesAndChecksum) {
  EchoToken token;
  token.fill(0xab);
  const EchoMessage ipv4 = BuildEchoRequest(net::IpFamily::kIpv4, 0x1234, token);
  EXPECT_EQ(ipv4[0], 8);
  EXPECT_EQ(ipv4[1], 0);
  EXPECT_EQ(net::Get16(&ipv4[4]), 0x1234);
  EXPECT_EQ(net::Get16(&ipv4[6]), 1);
  EXPECT_EQ(ipv4[8], 0xab);
  EXPECT_EQ(ipv4[23], 0xab);
  net::InternetChecksum checksum;
  checksum.Add(ipv4);
  EXPECT_EQ(checksum.Finish(), 0);
  EXPECT_EQ(BuildEchoRequest(net::IpFamily::kIpv6, 1, token)[0], 128);
}

TEST(IcmpEchoTest, TakesOnlyItsOwnReply) {
  EchoToken token;
  token.fill(1);
  EchoToken other;
  other.fill(2);
  EchoMessage message = BuildEchoRequest(net::IpFamily::kIpv4, 1, token);
  EXPECT_FALSE(IsEchoReply(net::IpFamily::kIpv4, message, token));  // a request
  message[0] = 0;
  EXPECT_TRUE(IsEchoReply(net::IpFamily::kIpv4, message, token));
  EXPECT_FALSE(IsEchoReply(net::IpFamily::kIpv4, message, other));
  EXPECT_FALSE(IsEchoReply(net::IpFamily::kIpv6, message, token));
  EXPECT_FALSE(IsEchoReply(net::IpFamily::kIpv4, absl::MakeConstSpan(message).first(23), token));
}

TEST(IcmpProbeTest, PingSocketNeedsNoCapability) {
  ProbeOutcome ipv4, ipv6;
  if (!RunInNamespace([&] {
        ASSERT_TRUE(WriteSysctl("net/ipv4/ping_group_range", "0 2147483647"));
        ASSERT_TRUE(DropNetRaw());
        ipv4 = Ping("127.0.0.1");
        ipv6 = Ping("::1");
      })) {
    GTEST_SKIP() << "a network namespace needs root";
  }
  EXPECT_EQ(ipv4, ProbeOutcome::Healthy("ICMP echo"));
  EXPECT_EQ(ipv6, ProbeOutcome::Healthy("ICMP echo"));
}

TEST(IcmpProbeTest, RawSocketIsTheFallback) {
  ProbeOutcome ipv4, ipv6;
  if (!RunInNamespace([&] {
        ASSERT_TRUE(WriteSysctl("net/ipv4/ping_group_range", "1 0"));  // nobody
        ipv4 = Ping("127.0.0.1");
        ipv6 = Ping("::1");
      })) {
    GTEST_SKIP() << "a network namespace needs root";
  }
  EXPECT_EQ(ipv4, ProbeOutcome::Healthy("ICMP echo"));
  EXPECT_EQ(ipv6, ProbeOutcome::Healthy("ICMP echo"));
}

TEST(IcmpProbeTest, WithoutEitherItSaysWhatToDo) {
  ProbeOutcome outcome;
  if (!RunInNamespace([&] {
        ASSERT_TRUE(WriteSysctl("net/ipv4/ping_group_range", "1 0"));
        ASSERT_TRUE(DropNetRaw());
        outcome = Ping("127.0.0.1");
      })) {
    GTEST_SKIP() << "a network namespace needs root";
  }
  EXPECT_EQ(outcome.verdict, ProbeOutcome::Verdict::kInconclusive);
  EXPECT_THAT(outcome.reason, HasSubstr("cannot check 127.0.0.1: "));
  EXPECT_THAT(outcome.reason, HasSubstr("net.ipv4.ping_group_range"));
  EXPECT_THAT(outcome.reason, HasSubstr("CAP_NET_RAW"));
}

TEST(IcmpProbeTest, SilenceAndMissingRouteAreUnreachable) {
  ProbeOutcome silent, no_route;
  bool ready = false;
  RunInNamespace([&] {
    ready = WriteSysctl("net/ipv4/icmp_echo_ignore_all", "1");
    if (!ready) return;
    silent = Ping("127.0.0.1", absl::Milliseconds(100));
    no_route = Ping("10.0.0.3");
  });
  if (!ready) GTEST_SKIP() << "a network namespace needs root";
  EXPECT_EQ(silent, ProbeOutcome::Unreachable("no ICMP echo reply from 127.0.0.1 within 100ms"));
  EXPECT_EQ(no_route,
            ProbeOutcome::Unreachable("network unreachable: this host has no route to 10.0.0.3"));
}

}  // namespace
}  // namespace fairlead::health
