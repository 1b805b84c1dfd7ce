// Both half-open checks against real listeners: what they say, and that no accept ever completes.
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pkg/health/delayed_ack_probe.h"
#include "pkg/health/probe_factory.h"
#include "pkg/health/raw_syn_probe.h"
#include "tests/unit/health/network_namespace.h"
#include "tests/unit/health/run_probe.h"
#include "tests/unit/health/test_server.h"

namespace fairlead::health {
namespace {

using ::testing::HasSubstr;

// Connections to the port that the kernel keeps after the SYN: neither accepted nor reset.
int HalfOpenCount(uint16_t port) {
  int count = 0;
  for (const char* path : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream table(path);
    std::string line;
    while (std::getline(table, line)) {
      // "  12: 0100007F:23F0 0100007F:9C40 03 ...": local, remote, state 3 = SYN_RECV.
      const std::vector<std::string> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
      if (fields.size() < 4 || fields[3] != "03") continue;
      if (absl::EndsWith(fields[1], absl::StrFormat(":%04X", port))) ++count;
    }
  }
  return count;
}

enum class Method { kRawSyn, kDelayedAck };
struct Case {
  Method method;
  const char* address;
};

class HalfOpenTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (GetParam().method == Method::kRawSyn && !RawSynProbe::Create(net::Endpoint{}).ok()) {
      GTEST_SKIP() << "raw TCP sockets need CAP_NET_RAW (run as root)";
    }
  }
  std::unique_ptr<Probe> Make(const net::Endpoint& endpoint) {
    if (GetParam().method == Method::kRawSyn) return *RawSynProbe::Create(endpoint);
    return std::make_unique<DelayedAckProbe>(endpoint);
  }
};

INSTANTIATE_TEST_SUITE_P(
    Methods, HalfOpenTest,
    ::testing::Values(Case{Method::kRawSyn, "127.0.0.1"}, Case{Method::kRawSyn, "::1"},
                      Case{Method::kDelayedAck, "127.0.0.1"}, Case{Method::kDelayedAck, "::1"}),
    [](const ::testing::TestParamInfo<Case>& info) {
      return absl::StrCat(info.param.method == Method::kRawSyn ? "RawSyn" : "DelayedAck",
                          info.param.address[0] == ':' ? "Ipv6" : "Ipv4");
    });

TEST_P(HalfOpenTest, SeesAListenerWithoutAnAccept) {
  TestServer server(Silent(), GetParam().address);
  for (int i = 0; i < 50; ++i) {
    const ProbeOutcome outcome = RunProbe(*Make(server.endpoint()));
    EXPECT_EQ(outcome.verdict, ProbeOutcome::Verdict::kHealthy) << outcome.reason;
    EXPECT_THAT(outcome.reason, HasSubstr("TCP half-open"));
  }
  // A full connect afterwards is accepted: the listener works, and its queue was empty before.
  absl::SleepFor(absl::Milliseconds(300));  // longer than any delayed ACK
  EXPECT_EQ(server.accepted(), 0);
  EXPECT_EQ(HalfOpenCount(server.endpoint().port), 0);  // the RST arrived
  TcpConnection full(server.endpoint());
  full.Open();
  full.Connect();
  for (int i = 0; i < 100 && server.accepted() == 0; ++i) absl::SleepFor(absl::Milliseconds(10));
  EXPECT_EQ(server.accepted(), 1);
}

TEST_P(HalfOpenTest, RefusedIsUnhealthyButReachable) {
  net::Endpoint endpoint;
  Listen(GetParam().address, -1, &endpoint);
  EXPECT_EQ(RunProbe(*Make(endpoint)),
            ProbeOutcome::Unhealthy(absl::StrCat("connect refused by ", endpoint.ToString())));
}

TEST_P(HalfOpenTest, SilenceIsATimeout) {
  FullListener listener(GetParam().address);
  EXPECT_EQ(RunProbe(*Make(listener.endpoint()), absl::Milliseconds(200)),
            ProbeOutcome::Unreachable(absl::StrCat("connect to ", listener.endpoint().ToString(),
                                                   " timed out after 200ms")));
}

TEST_P(HalfOpenTest, MissingRouteIsUnreachable) {
  const bool ipv4 = GetParam().address[0] != ':';
  const net::Endpoint endpoint =
      *net::Endpoint::Parse(ipv4 ? "10.0.0.3:9100" : "[fd00:77::3]:9100");
  ProbeOutcome outcome;
  if (!RunInNamespace([&] { outcome = RunProbe(*Make(endpoint)); })) {
    GTEST_SKIP() << "a network namespace needs root";
  }
  EXPECT_TRUE(outcome.unreachable) << outcome.reason;
  EXPECT_THAT(outcome.reason, HasSubstr(endpoint.address.ToString()));
}

TEST_P(HalfOpenTest, DeadNeighbourIsUnreachable) {
  const bool ipv4 = GetParam().address[0] != ':';
  const std::string sysctl = absl::StrCat("net/", ipv4 ? "ipv4" : "ipv6", "/neigh/lonely/");
  const net::Endpoint endpoint =
      *net::Endpoint::Parse(ipv4 ? "10.99.0.3:9100" : "[fd00:99::3]:9100");
  ProbeOutcome outcome;
  bool ready = false;
  RunInNamespace([&] {
    ready =
        Ip("link add lonely type veth peer name peer") && Ip("link set peer up") &&
        Ip("link set lonely up") &&
        Ip(ipv4 ? "addr add 10.99.0.1/24 dev lonely" : "addr add fd00:99::1/64 dev lonely nodad") &&
        WriteSysctl(sysctl + "retrans_time_ms", "50") && WriteSysctl(sysctl + "mcast_solicit", "1");
    if (ready) outcome = RunProbe(*Make(endpoint), absl::Seconds(4));
  });
  if (!ready) GTEST_SKIP() << "a veth pair in a network namespace needs root";
  EXPECT_EQ(outcome, ProbeOutcome::Unreachable(
                         absl::StrCat("no route to host ", endpoint.address.ToString())));
}

TEST(HalfOpenChoiceTest, WithoutTheCapabilityNothingIsAcceptedEither) {
  TestServer server(Silent());
  ProbeTarget target;
  target.endpoint = server.endpoint();
  target.check.half_open = true;
  auto factory = ProbeFactory::Create();
  ASSERT_TRUE(factory.ok()) << factory.status();
  ProbeOutcome outcome;
  std::thread([&] {
    DropNetRaw();
    outcome = RunProbe(*(*factory)->Make(target));
  }).join();
  EXPECT_EQ(outcome, ProbeOutcome::Healthy("TCP half-open (delayed ACK, for want of CAP_NET_RAW)"));
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_EQ(server.accepted(), 0);
}

// Honesty of the method without privileges: a stall of this process is seen and said.
TEST(DelayedAckProbeTest, SaysWhenTheAckLeftFirst) {
  TestServer server(Silent());
  DelayedAckProbe probe(server.endpoint());
  probe.Start();
  absl::SleepFor(absl::Milliseconds(400));
  EXPECT_THAT(std::get<ProbeOutcome>(probe.OnReady()).reason, HasSubstr("too slow for half-open"));
}

}  // namespace
}  // namespace fairlead::health
