#include "pkg/health/tcp_probe.h"

#include <sys/socket.h>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/unit/health/run_probe.h"
#include "tests/unit/health/test_server.h"

namespace fairlead::health {
namespace {

TEST(TcpProbeTest, AcceptedConnectIsHealthy) {
  TestServer server(Silent());
  TcpProbe probe(server.endpoint());
  EXPECT_EQ(RunProbe(probe), ProbeOutcome::Healthy("TCP connect"));
}

TEST(TcpProbeTest, WorksOverIpv6) {
  TestServer server(Silent(), "::1");
  TcpProbe probe(server.endpoint());
  EXPECT_EQ(RunProbe(probe), ProbeOutcome::Healthy("TCP connect"));
}

TEST(TcpProbeTest, RefusedIsUnhealthyButReachable) {
  const net::Endpoint endpoint = RefusingEndpoint();
  TcpProbe probe(endpoint);
  EXPECT_EQ(RunProbe(probe),
            ProbeOutcome::Unhealthy(absl::StrCat("connect refused by ", endpoint.ToString())));
}

TEST(TcpProbeTest, SilenceIsATimeoutAndUnreachable) {
  FullListener listener;
  TcpProbe probe(listener.endpoint());
  EXPECT_EQ(RunProbe(probe, absl::Milliseconds(200)),
            ProbeOutcome::Unreachable(absl::StrCat("connect to ", listener.endpoint().ToString(),
                                                   " timed out after 200ms")));
}

// The server of a print port learns by the RST that nothing was meant.
TEST(TcpProbeTest, ClosesWithAReset) {
  std::atomic<int> error = 0;
  TestServer server([&error](int fd) {
    char byte;
    if (::recv(fd, &byte, 1, 0) < 0) error = errno;
  });
  {
    TcpProbe probe(server.endpoint());
    RunProbe(probe);
  }
  for (int i = 0; i < 100 && error == 0; ++i) absl::SleepFor(absl::Milliseconds(10));
  EXPECT_EQ(error, ECONNRESET);
}

}  // namespace
}  // namespace fairlead::health
