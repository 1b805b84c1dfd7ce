// The admin API over real HTTP: a server on a port of its own, real requests.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "pkg/admin/client.h"
#include "pkg/admin/host_check.h"
#include "pkg/admin/server.h"
#include "pkg/base/mutex.h"
#include "pkg/base/unique_fd.h"

namespace fairlead::admin {
namespace {

using controller::ControlView;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

std::shared_ptr<ControlView> MakeView() {
  auto view = std::make_shared<ControlView>();
  view->phase = ControlView::Phase::kServing;
  view->plan_revision = 3;
  view->plane.applied_revision = 3;
  view->plane.engine = "epoll";
  controller::VipView vip;
  vip.name_space = "default";
  vip.name = "web";
  vip.addresses = {{*net::IpAddress::Parse("10.0.0.1"), "eth0"}};
  vip.addresses_known = true;
  controller::ServerView server;
  server.name = "srv-1";
  server.address = *net::IpAddress::Parse("10.0.1.1");
  server.health_reason = "not UTF-8: \xff";
  vip.servers.push_back(server);
  view->vips.push_back(vip);
  model::Finding finding;
  finding.object = "VIP default/bad";
  finding.location = {"bad.yaml", 3, 7};
  finding.message = "port 70000 > 65535";
  view->findings.push_back(finding);
  return view;
}

class ApiTest : public testing::Test {
 protected:
  ApiTest() {
    auto server = AdminServer::Create(*net::Endpoint::Parse("127.0.0.1:0"), Backend());
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  AdminBackend Backend() {
    AdminBackend backend;
    backend.view = [this] { return View(); };
    backend.metrics = [](bool servers) { return servers ? "all 1\n" : "vips 1\n"; };
    backend.switch_pair = [](controller::PairSwitch which,
                             const std::string& requester) -> absl::StatusOr<std::string> {
      if (which == controller::PairSwitch::kStandby) {
        return absl::FailedPreconditionError("this host is alone");
      }
      return absl::StrCat("switched for ", requester);
    };
    backend.set_server_state = [this](const controller::SetServerState& command)
        -> absl::StatusOr<controller::SetServerStateResult> {
      if (command.server == "boom") throw std::runtime_error("boom");
      if (command.server != "srv-1") return absl::NotFoundError("no such server");
      {
        base::MutexLock lock(&mutex_);
        commands_.push_back(command);
      }
      controller::SetServerStateResult result;
      result.changes.push_back({.vip = "default/web",
                                .server = "srv-1",
                                .before = model::AdminState::kOnline,
                                .after = command.state,
                                .connections_active = 12,
                                .deadline = absl::FromUnixSeconds(1'800'000'000)});
      result.message = "done";
      return result;
    };
    backend.explain = [](const std::string& client,
                         const std::string& vip) -> absl::StatusOr<controller::ExplanationView> {
      controller::ExplanationView explanation;
      explanation.server = "srv-1";
      explanation.reason = absl::StrCat(client, " to ", vip);
      return explanation;
    };
    backend.version = "1.2.3";
    return backend;
  }

  nlohmann::json Get(const std::string& target) {
    const auto body = AdminGet(server_->endpoint(), target);
    EXPECT_TRUE(body.ok()) << body.status();
    return body.ok() ? nlohmann::json::parse(*body) : nlohmann::json();
  }

  // The whole answer to `request`, sent as it is.
  std::string Raw(const std::string& request) {
    const net::SocketAddress address(server_->endpoint());
    const base::UniqueFd fd(::socket(address.family(), SOCK_STREAM, 0));
    if (::connect(fd.get(), &address.generic, address.length) != 0) return "no connection";
    EXPECT_EQ(::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    std::string answer;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(fd.get(), buffer, sizeof(buffer))) > 0;) {
      answer.append(buffer, static_cast<size_t>(got));
    }
    return answer;
  }
  std::string Post(const std::string& headers, const std::string& body) {
    return Raw(absl::StrCat("POST /api/v1/servers/state HTTP/1.1\r\nConnection: close\r\n", headers,
                            "Content-Length: ", body.size(), "\r\n\r\n", body));
  }

  std::shared_ptr<const ControlView> View() {
    base::MutexLock lock(&mutex_);
    return view_;
  }
  // Publishes another view, as the controller does; the server's threads may still read the last.
  template <typename Edit>
  void EditView(Edit edit) {
    auto edited = std::make_shared<ControlView>(*View());
    edit(*edited);
    base::MutexLock lock(&mutex_);
    view_ = std::move(edited);
  }
  std::vector<controller::SetServerState> Commands() {
    base::MutexLock lock(&mutex_);
    return commands_;
  }

 private:
  base::Mutex mutex_;
  std::shared_ptr<const ControlView> view_ ABSL_GUARDED_BY(mutex_) = MakeView();
  std::vector<controller::SetServerState> commands_ ABSL_GUARDED_BY(mutex_);

 protected:
  std::unique_ptr<AdminServer> server_;  // last: its threads use the others
};

TEST_F(ApiTest, SwitchesThePairAndSaysWhyNot) {
  const auto answer = AdminPostJson(server_->endpoint(), "/api/v1/pair",
                                    R"({"switch": "takeover", "user": "root"})");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_THAT(*answer, AllOf(HasSubstr("switched for 127.0.0.1:"), HasSubstr("(user root)")));
  EXPECT_THAT(AdminPostJson(server_->endpoint(), "/api/v1/pair", R"({"switch": "Standby"})")
                  .status()
                  .message(),
              HasSubstr("this host is alone"));
  EXPECT_THAT(
      AdminPostJson(server_->endpoint(), "/api/v1/pair", R"({"switch": 1})").status().message(),
      HasSubstr("Takeover"));
  // No form of a foreign page can ask for it.
  EXPECT_THAT(Raw("POST /api/v1/pair HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                  "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}"),
              StartsWith("HTTP/1.1 415"));
  EXPECT_THAT(Raw("GET /api/v1/pair HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 405"));
}

TEST_F(ApiTest, StatusTellsOfThePairAndOfTheAddresses) {
  EXPECT_TRUE(Get("/api/v1/status")["pair"].is_null());
  EditView([](ControlView& view) {
    view.pair.emplace();
    view.pair->state = "Backup";
    view.pair->peer = "10.0.0.2";
    view.vips[0].announcements.push_back({.address = *net::IpAddress::Parse("10.0.0.1"),
                                          .state = "Refused",
                                          .interface = "eth0",
                                          .reason = "10.0.0.1 is in use by aa:bb:cc:00:00:01",
                                          .rival = ""});
  });
  const nlohmann::json status = Get("/api/v1/status");
  EXPECT_EQ(status["pair"]["state"], "Backup");
  EXPECT_EQ(status["pair"]["peer"], "10.0.0.2");
  EXPECT_EQ(status["vips"][0]["addresses"][0]["announcement"]["state"], "Refused");
}

TEST_F(ApiTest, WhatIsNotKnownIsNull) {
  EXPECT_EQ(Get("/api/v1/status")["vips"][0]["connections"], 0);
  EXPECT_TRUE(Get("/api/v1/status")["vips"][0]["servers"][0]["handshakes"].is_null());
  EditView([](ControlView& view) {
    controller::VipView& vip = view.vips[0];
    vip.counters.counts_active = false;
    vip.servers[0].counters.counts_active = false;
    vip.servers[0].counters.handshakes = {.watched_total = 7, .progressed_total = 6};
  });
  const nlohmann::json shown = Get("/api/v1/status")["vips"][0];
  EXPECT_TRUE(shown["connections"].is_null());
  EXPECT_TRUE(shown["servers"][0]["connections"].is_null());
  EXPECT_EQ(shown["servers"][0]["handshakes"]["watchedTotal"], 7);
  EXPECT_EQ(shown["servers"][0]["handshakes"]["progressedTotal"], 6);
}

TEST_F(ApiTest, HealthIsAlwaysOkAndReadinessFollowsThePlan) {
  EXPECT_EQ(Get("/healthz")["status"], "ok");
  EXPECT_EQ(Get("/readyz")["ready"], true);
  EXPECT_EQ(Get("/readyz")["engine"], "epoll");
  EditView([](ControlView& view) { view.plan_revision = 4; });
  EXPECT_THAT(Raw("GET /readyz HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 503"));
  const auto late = AdminGet(server_->endpoint(), "/readyz");
  EXPECT_EQ(late.status().code(), absl::StatusCode::kUnavailable);
  EditView([](ControlView& view) { view.phase = ControlView::Phase::kStopping; });
  EXPECT_THAT(Raw("GET /readyz HTTP/1.0\r\n\r\n"), HasSubstr("is stopping"));
  EditView([](ControlView& view) { view.phase = ControlView::Phase::kStarting; });
  EXPECT_THAT(Raw("GET /readyz HTTP/1.0\r\n\r\n"), HasSubstr("has not been read"));
  EXPECT_EQ(Get("/healthz")["status"], "ok");
}

TEST_F(ApiTest, StatusHoldsVipsServersAndFindings) {
  const nlohmann::json status = Get("/api/v1/status");
  EXPECT_EQ(status["version"], "1.2.3");
  EXPECT_EQ(status["vips"][0]["name"], "web");
  EXPECT_EQ(status["vips"][0]["addresses"][0]["interface"], "eth0");
  EXPECT_EQ(status["vips"][0]["servers"][0]["address"], "10.0.1.1");
  EXPECT_EQ(status["vips"][0]["servers"][0]["deadline"], nullptr);
  EXPECT_THAT(status["vips"][0]["servers"][0]["health"]["reason"].get<std::string>(),
              StartsWith("not UTF-8: "));
  EXPECT_EQ(status["findings"][0]["location"], "bad.yaml:3:7");
  EXPECT_EQ(Get("/api/v1/findings")["findings"][0]["severity"], "error");
  EXPECT_EQ(Get("/api/v1/version")["version"], "1.2.3");
}

TEST_F(ApiTest, MetricsAreTextWithTheFormatsType) {
  const std::string answer = Raw("GET /metrics HTTP/1.0\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4"));
  EXPECT_THAT(answer, HasSubstr("all 1\n"));
  EXPECT_THAT(Raw("GET /metrics?detail=vip HTTP/1.0\r\n\r\n"), HasSubstr("vips 1\n"));
}

TEST_F(ApiTest, ExplainTakesEncodedAddresses) {
  const nlohmann::json answer =
      Get(absl::StrCat("/api/v1/explain?client=", QueryEncode("[fd00::1]:5"), "&vip=10.0.0.1:80"));
  EXPECT_EQ(answer["reason"], "[fd00::1]:5 to 10.0.0.1:80");
  const auto missing = AdminGet(server_->endpoint(), "/api/v1/explain?client=10.0.0.1");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ApiTest, SetsAServersState) {
  const auto body =
      AdminPostJson(server_->endpoint(), "/api/v1/servers/state",
                    R"({"server": "srv-1", "vip": "web", "state": "drain", "user": "eve"})");
  ASSERT_TRUE(body.ok()) << body.status();
  const std::vector<controller::SetServerState> commands = Commands();
  ASSERT_EQ(commands.size(), 1u);
  EXPECT_THAT(commands[0].client, StartsWith("127.0.0.1:"));
  EXPECT_EQ(commands[0].user, "eve");
  EXPECT_EQ(commands[0].vip, "web");
  EXPECT_EQ(commands[0].state, model::AdminState::kDrain);
  const nlohmann::json answer = nlohmann::json::parse(*body);
  EXPECT_EQ(answer["changes"][0]["connections"], 12);
  EXPECT_EQ(answer["changes"][0]["deadline"], "2027-01-15T08:00:00.000Z");
  const auto unknown = AdminPostJson(server_->endpoint(), "/api/v1/servers/state",
                                     R"({"server": "x", "state": "Halt"})");
  EXPECT_EQ(unknown.status(), absl::NotFoundError("no such server"));
}

TEST_F(ApiTest, RefusesWritesThatABrowserFormCouldSend) {
  const std::string body = R"({"server": "srv-1", "state": "Halt"})";
  EXPECT_THAT(Post("Content-Type: text/plain\r\n", body), StartsWith("HTTP/1.1 415"));
  EXPECT_THAT(Post("Content-Type: application/x-www-form-urlencoded\r\n", body),
              StartsWith("HTTP/1.1 415"));
  EXPECT_THAT(Post("", body), StartsWith("HTTP/1.1 415"));
  EXPECT_THAT(Raw("GET /api/v1/servers/state HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 405"));
  EXPECT_TRUE(Commands().empty());
  EXPECT_THAT(Post("Content-Type: application/json; charset=utf-8\r\n", body),
              StartsWith("HTTP/1.1 200"));
}

TEST_F(ApiTest, RefusesBrokenBodies) {
  for (const char* body : {"", "[]", "{", R"({"state": "Halt"})", R"({"server": 1})",
                           R"({"server": "srv-1", "state": "Gone"})",
                           R"({"server": "srv-1", "vip": [], "state": "Halt"})"}) {
    EXPECT_THAT(Post("Content-Type: application/json\r\n", body), StartsWith("HTTP/1.1 400"))
        << body;
  }
  EXPECT_THAT(Post("Content-Type: application/json\r\n", std::string(100'000, 'x')),
              StartsWith("HTTP/1.1 413"));
  EXPECT_TRUE(Commands().empty());
}

TEST_F(ApiTest, RefusesForeignHostHeaders) {
  EXPECT_THAT(Raw("GET /healthz HTTP/1.1\r\nHost: evil.example:9080\r\nConnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Raw("GET /healthz HTTP/1.1\r\nHost: localhost:9080\r\nConnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 200"));
}

TEST_F(ApiTest, MetricsListenerChangesNothingAndIsReachedByAnyName) {
  const std::string names = "Host: fairlead-metrics.fairlead.svc:9081\r\n";
  EXPECT_THAT(Raw(absl::StrCat("GET /metrics HTTP/1.0\r\n", names, "\r\n")),
              StartsWith("HTTP/1.1 403"));
  server_.reset();
  auto metrics =
      AdminServer::Create(*net::Endpoint::Parse("127.0.0.1:0"), Backend(), ApiScope::kMetrics);
  ASSERT_TRUE(metrics.ok()) << metrics.status();
  server_ = *std::move(metrics);
  for (const char* path : {"/healthz", "/readyz", "/metrics"}) {
    EXPECT_THAT(Raw(absl::StrCat("GET ", path, " HTTP/1.0\r\n", names, "\r\n")),
                StartsWith("HTTP/1.1 200"))
        << path;
  }
  for (const char* path : {"/api/v1/status", "/api/v1/findings", "/api/v1/explain"}) {
    EXPECT_THAT(Raw(absl::StrCat("GET ", path, " HTTP/1.0\r\n\r\n")), StartsWith("HTTP/1.1 404"))
        << path;
  }
  EXPECT_THAT(Post("Content-Type: application/json\r\n", R"({"server":"srv-1","state":"Halt"})"),
              AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("--admin")));
  EXPECT_TRUE(Commands().empty());
  const auto second = AdminServer::Create(server_->endpoint(), Backend(), ApiScope::kMetrics);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("--metrics"));
}

TEST_F(ApiTest, UnknownPagesAndMethodsAreAnsweredInJson) {
  EXPECT_THAT(Raw("GET /nowhere HTTP/1.0\r\n\r\n"), HasSubstr("no such page: /nowhere"));
  EXPECT_THAT(Raw("DELETE /api/v1/status HTTP/1.0\r\n\r\n"), HasSubstr("{\"error\":"));
  EXPECT_THAT(Raw("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400"));
}

TEST_F(ApiTest, AThrowingHandlerIsAnInternalError) {
  const auto answer = AdminPostJson(server_->endpoint(), "/api/v1/servers/state",
                                    R"({"server": "boom", "state": "Halt"})");
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(Get("/healthz")["status"], "ok");
}

TEST_F(ApiTest, SecondServerOnTheSamePortFailsWithTheCauseAndTheRemedy) {
  const auto second = AdminServer::Create(server_->endpoint(), Backend());
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("EADDRINUSE"));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("--admin"));
}

TEST_F(ApiTest, PortIsFreeAgainAfterTheServerEnds) {
  const net::Endpoint endpoint = server_->endpoint();
  Get("/healthz");
  server_.reset();
  const auto again = AdminServer::Create(endpoint, Backend());
  EXPECT_TRUE(again.ok()) << again.status();
}

TEST_F(ApiTest, EndsAtOnceAlthoughClientsSayNothingOrHalfARequest) {
  const net::SocketAddress address(server_->endpoint());
  std::vector<base::UniqueFd> clients;
  for (const std::string begun : {"", "", "GET /healthz HTTP/1.1\r\nHo"}) {
    base::UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(fd.get(), &address.generic, address.length), 0);
    ASSERT_EQ(::send(fd.get(), begun.data(), begun.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(begun.size()));
    clients.push_back(std::move(fd));
  }
  Get("/healthz");  // by now the others have threads
  const absl::Time before = absl::Now();
  server_.reset();
  EXPECT_LT(absl::Now() - before, absl::Milliseconds(400));
}

TEST_F(ApiTest, StoppingLetsAnAnswerThatIsUnderWayGoOut) {
  AdminBackend slow = Backend();
  base::Notification begun;
  slow.view = [&] {
    begun.Notify();
    absl::SleepFor(absl::Milliseconds(200));
    return View();
  };
  auto server = AdminServer::Create(*net::Endpoint::Parse("127.0.0.1:0"), slow);
  ASSERT_TRUE(server.ok());
  std::thread client([endpoint = (*server)->endpoint()] {
    EXPECT_TRUE(AdminGet(endpoint, "/api/v1/status").ok());
  });
  begun.WaitForNotification();
  server->reset();
  client.join();
}

TEST_F(ApiTest, AnswersManyAtATime) {
  std::vector<std::thread> threads;
  std::atomic<int> answered = 0;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        answered += AdminGet(server_->endpoint(), "/api/v1/status").ok() ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, 320);
}

TEST_F(ApiTest, ServesIpv6) {
  auto server = AdminServer::Create(*net::Endpoint::Parse("[::1]:0"), Backend());
  if (!server.ok()) GTEST_SKIP() << "no IPv6 here: " << server.status();
  EXPECT_TRUE(AdminGet((*server)->endpoint(), "/healthz").ok());
}

TEST(AdminClientTest, SaysWhichAddressWasTriedAndWhatToDo) {
  const auto answer = AdminGet(*net::Endpoint::Parse("127.0.0.1:1"), "/healthz");
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(answer.status().message()), HasSubstr("127.0.0.1:1"));
  EXPECT_THAT(std::string(answer.status().message()), HasSubstr("fairlead run"));
}

TEST(HostCheckTest, KnowsItsOwnNames) {
  const net::IpAddress loopback = *net::IpAddress::Parse("127.0.0.1");
  const net::IpAddress lan = *net::IpAddress::Parse("10.0.0.1");
  const net::IpAddress any = *net::IpAddress::Parse("0.0.0.0");
  for (const char* host : {"", "localhost", "LOCALHOST:80", "127.0.0.1:9080", "[::1]:9080"}) {
    EXPECT_TRUE(IsHostAllowed(host, loopback)) << host;
  }
  for (const char* host :
       {"evil.example", "10.0.0.1", "localhost.evil.example", "[::1", "127.0.0.1.x"}) {
    EXPECT_FALSE(IsHostAllowed(host, loopback)) << host;
  }
  EXPECT_TRUE(IsHostAllowed("10.0.0.1:9080", lan));
  EXPECT_FALSE(IsHostAllowed("10.0.0.2:9080", lan));
  EXPECT_TRUE(IsHostAllowed("10.0.0.2:9080", any));
  EXPECT_FALSE(IsHostAllowed("evil.example", any));
}

}  // namespace
}  // namespace fairlead::admin
