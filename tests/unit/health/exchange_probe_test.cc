// Send/expect and HTTP over plain TCP, through the factory, against real servers.
#include "pkg/health/exchange_probe.h"

#include <sys/socket.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pkg/health/probe_factory.h"
#include "tests/unit/health/run_probe.h"
#include "tests/unit/health/test_server.h"

namespace fairlead::health {
namespace {

using model::HealthCheck;
using ::testing::EndsWith;
using ::testing::HasSubstr;

ProbeOutcome Check(const net::Endpoint& endpoint, const HealthCheck& check,
                   absl::Duration timeout = absl::Seconds(2)) {
  auto factory = ProbeFactory::Create();
  EXPECT_TRUE(factory.ok()) << factory.status();
  ProbeTarget target;
  target.endpoint = endpoint;
  target.check = check;
  return RunProbe(*(*factory)->Make(target), timeout);
}

HealthCheck SendExpect(const std::string& send, const std::string& expect) {
  HealthCheck check;
  check.type = HealthCheck::Type::kSendExpect;
  check.send = send;
  check.expect = expect;
  return check;
}

HealthCheck Http() {
  HealthCheck check;
  check.type = HealthCheck::Type::kHttp;
  return check;
}

TEST(SendExpectTest, FindsABanner) {
  TestServer server(SaysAtOnce("220 mail.example ready\r\n"));
  EXPECT_EQ(Check(server.endpoint(), SendExpect("", "220")),
            ProbeOutcome::Healthy("expected answer"));
}

TEST(SendExpectTest, FindsABannerThatComesInPieces) {
  TestServer server(SaysAtOnce("220 mail.example ready\r\n", 1));
  EXPECT_EQ(Check(server.endpoint(), SendExpect("", "ready")),
            ProbeOutcome::Healthy("expected answer"));
}

TEST(SendExpectTest, SendsFirstWhenAskedTo) {
  TestServer server(Echoes());
  EXPECT_EQ(Check(server.endpoint(), SendExpect("PING\r\n", "PING")),
            ProbeOutcome::Healthy("expected answer"));
}

TEST(SendExpectTest, QuotesAWrongAnswer) {
  TestServer server([](int fd) { WriteAll(fd, "554 go away\r\n"); });
  EXPECT_EQ(Check(server.endpoint(), SendExpect("", "220")),
            ProbeOutcome::Unhealthy(absl::StrCat("answer of ", server.endpoint().ToString(),
                                                 " does not contain \"220\"; got \"554 go "
                                                 "away\\r\\n\"")));
}

TEST(SendExpectTest, JudgesWhatCameWhenTimeIsUp) {
  TestServer server(SaysAtOnce("554 no"));
  EXPECT_THAT(Check(server.endpoint(), SendExpect("", "220"), absl::Milliseconds(100)).reason,
              EndsWith("got \"554 no\" (waited 100ms)"));
}

TEST(SendExpectTest, LooksAtFourKibibytesAndNoFurther) {
  TestServer near(SaysAtOnce(std::string(4092, 'x') + "GOOD" + std::string(100000, 'x')));
  EXPECT_EQ(Check(near.endpoint(), SendExpect("", "GOOD")),
            ProbeOutcome::Healthy("expected answer"));
  TestServer far(SaysAtOnce(std::string(4093, 'x') + "GOOD" + std::string(100000, 'x')));
  EXPECT_THAT(Check(far.endpoint(), SendExpect("", "GOOD")).reason,
              HasSubstr("does not contain \"GOOD\"; got \"xxx"));
}

TEST(ExchangeProbeTest, NamesSilenceCloseAndReset) {
  TestServer silent(Silent());
  EXPECT_EQ(Check(silent.endpoint(), SendExpect("", "220"), absl::Milliseconds(100)),
            ProbeOutcome::Unhealthy(
                absl::StrCat(silent.endpoint().ToString(),
                             " accepted the connection but did not answer within 100ms")));
  TestServer closing(Closes());
  EXPECT_EQ(Check(closing.endpoint(), SendExpect("", "220")),
            ProbeOutcome::Unhealthy(absl::StrCat(closing.endpoint().ToString(),
                                                 " closed the connection before answering")));
  // The listener may send its RST before or after connect(2) was seen to be done.
  TestServer resetting(Resets());
  EXPECT_THAT(Check(resetting.endpoint(), SendExpect("", "220")).reason,
              HasSubstr(absl::StrCat(resetting.endpoint().ToString(), " reset the connection")));
}

TEST(ExchangeProbeTest, ConnectFailuresAreThoseOfTcp) {
  const net::Endpoint endpoint = RefusingEndpoint();
  EXPECT_EQ(Check(endpoint, Http()).reason,
            absl::StrCat("connect refused by ", endpoint.ToString()));
  FullListener full;
  EXPECT_TRUE(Check(full.endpoint(), Http(), absl::Milliseconds(100)).unreachable);
}

TEST(HttpTest, AsksWithHostAndClose) {
  std::string request;
  net::Endpoint endpoint;
  {
    TestServer server(AnswersHttp("HTTP/1.1 200 OK\r\n\r\n", &request));
    endpoint = server.endpoint();
    HealthCheck check = Http();
    check.http_path = "/printers/";
    EXPECT_EQ(Check(endpoint, check), ProbeOutcome::Healthy("HTTP 200"));
  }
  EXPECT_EQ(request, absl::StrCat("GET /printers/ HTTP/1.1\r\nHost: ", endpoint.ToString(),
                                  "\r\nUser-Agent: fairlead\r\nAccept: */*\r\n"
                                  "Connection: close\r\n\r\n"));
}

TEST(HttpTest, HostIsTheManifestsWhenItNamesOne) {
  std::string request;
  {
    TestServer server(AnswersHttp("HTTP/1.1 200 OK\r\n\r\n", &request), "::1");
    HealthCheck check = Http();
    check.http_host = "print.example";
    Check(server.endpoint(), check);
  }
  EXPECT_THAT(request, HasSubstr("\r\nHost: print.example\r\n"));
}

TEST(HttpTest, SaysWhichStatusCameAndWhichWereExpected) {
  TestServer server(AnswersHttp("HTTP/1.1 400 Bad Request\r\nServer: CUPS\r\n\r\n"));
  EXPECT_EQ(Check(server.endpoint(), Http()),
            ProbeOutcome::Unhealthy(absl::StrCat("HTTP 400 from ", server.endpoint().ToString(),
                                                 ": Bad Request (expected 200-399)")));
  HealthCheck check = Http();
  check.expected_statuses = {{200, 200}, {400, 400}};
  EXPECT_EQ(Check(server.endpoint(), check), ProbeOutcome::Healthy("HTTP 400"));
}

TEST(HttpTest, LeavesOutAnEmptyPhrase) {
  TestServer server(AnswersHttp("HTTP/1.1 503\r\n\r\n"));
  EXPECT_EQ(Check(server.endpoint(), Http()).reason,
            absl::StrCat("HTTP 503 from ", server.endpoint().ToString(), " (expected 200-399)"));
}

TEST(HttpTest, DecidesWithoutWaitingForTheBody) {
  TestServer server(SaysAtOnce("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"));
  EXPECT_EQ(Check(server.endpoint(), Http()), ProbeOutcome::Healthy("HTTP 200"));
}

TEST(HttpTest, CallsGarbageByItsName) {
  TestServer ssh(SaysAtOnce("SSH-2.0-OpenSSH_9.2\r\n"));
  EXPECT_EQ(Check(ssh.endpoint(), Http()).reason,
            absl::StrCat("answer of ", ssh.endpoint().ToString(),
                         " is not HTTP: \"SSH-2.0-OpenSSH_9.2\\r\\n\""));
  TestServer tls(SaysAtOnce(std::string("\x15\x03\x01\x00\x02\x02\x16", 7)));
  EXPECT_THAT(Check(tls.endpoint(), Http()).reason, EndsWith("(this is TLS: use type HTTPS)"));
  TestServer cut([](int fd) {
    WriteAll(fd, "HTTP/1.1 20");
    ::shutdown(fd, SHUT_WR);
    WaitForClose(fd);
  });
  EXPECT_EQ(
      Check(cut.endpoint(), Http()).reason,
      absl::StrCat("incomplete HTTP answer from ", cut.endpoint().ToString(), ": \"HTTP/1.1 20\""));
  TestServer endless(SaysAtOnce("HTTP/1.1 200 " + std::string(100000, 'x')));
  EXPECT_THAT(Check(endless.endpoint(), Http()).reason, HasSubstr("incomplete HTTP answer"));
}

// It answers and closes before it has read the request, as an overloaded server does.
TEST(HttpTest, AnEarlyAnswerCounts) {
  TestServer server([](int fd) {
    WriteAll(fd, "HTTP/1.1 503 Busy\r\n\r\n");
    ::shutdown(fd, SHUT_WR);
    WaitForClose(fd);
  });
  EXPECT_THAT(Check(server.endpoint(), Http()).reason, HasSubstr("HTTP 503"));
}

}  // namespace
}  // namespace fairlead::health
