// The client against a real TLS server on loopback.
#include "pkg/kube/api_client.h"

#include <signal.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pkg/base/mutex.h"
#include "tests/unit/kube/movable_clock.h"
#include "tests/unit/kube/tls_server.h"

namespace fairlead::kube {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Lines = std::vector<std::string>;

class ApiClientTest : public ::testing::Test {
 protected:
  ApiClientTest() {
    ::signal(SIGPIPE, SIG_IGN);
    serving_ = authority_.Issue("server", "IP:127.0.0.1,IP:::1,DNS:kube.test");
  }

  ClusterAccess AccessTo(const TlsServer& server) const {
    ClusterAccess access;
    access.server = server.url();
    access.ca = authority_.certificate();
    access.origin = "test";
    return access;
  }
  std::unique_ptr<ApiClient> Client(const ClusterAccess& access) {
    auto client = MakeApiClient(access, clock_);
    EXPECT_TRUE(client.ok()) << client.status();
    return client.ok() ? *std::move(client) : nullptr;
  }
  std::unique_ptr<ApiClient> Client(const TlsServer& server) { return Client(AccessTo(server)); }
  static ApiRequest Get(const std::string& target, absl::Duration timeout = absl::Seconds(20)) {
    ApiRequest request;
    request.target = target;
    request.timeout = timeout;
    return request;
  }

  Authority authority_;
  Identity serving_;
  MovableClock clock_;
};

// Answers every request with what it was.
void Echo(ServerConnection& connection) {
  for (std::string request; !(request = connection.ReadRequest()).empty();) {
    connection.Answer(200, request);
  }
}

TEST_F(ApiClientTest, SendsMethodBodyAndContentTypeAndKeepsTheConnection) {
  const TlsServer server(serving_, Echo);
  const auto client = Client(server);
  ApiRequest request = Get("/apis/x?fieldManager=fairlead%20x&force=true");
  request.method = "PATCH";
  request.content_type = kApplyPatch;
  request.body = "{\"spec\":{}}";
  for (int i = 0; i < 3; ++i) {
    const auto response = client->Send(request);
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->status, 200);
    EXPECT_THAT(response->body,
                AllOf(HasSubstr("PATCH /apis/x?fieldManager=fairlead%20x&force=true HTTP/1.1\r\n"),
                      HasSubstr("Content-Type: application/apply-patch+yaml\r\n"),
                      HasSubstr(absl::StrCat("Host: 127.0.0.1:", server.port(), "\r\n")),
                      HasSubstr("\r\n\r\n{\"spec\":{}}"), Not(HasSubstr("Authorization"))));
  }
  EXPECT_EQ(server.connections_count(), 1);
}

TEST_F(ApiClientTest, EveryAnswerIsAResponseAndItsStatusIsExplained) {
  const TlsServer server(serving_, [](ServerConnection& connection) {
    connection.ReadRequest();
    connection.Answer(429, R"({"kind":"Status","reason":"TooManyRequests","message":"slow down"})",
                      "Retry-After: 7\r\n");
    connection.ReadRequest();
    connection.Answer(503, "<html>", "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n");
    connection.ReadRequest();
    connection.Answer(404, "", "Retry-After: 7\r\n");
  });
  const auto client = Client(server);
  auto response = client->Send(Get("/"));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->ErrorText(), "429 TooManyRequests: slow down");
  EXPECT_EQ(response->retry_after, absl::Seconds(7));
  response = client->Send(Get("/"));
  EXPECT_EQ(response->ErrorText(), "503: <html>");
  EXPECT_EQ(response->retry_after, absl::ZeroDuration());
  response = client->Send(Get("/"));
  EXPECT_EQ(response->ErrorText(), "404 without a body");
  EXPECT_EQ(response->retry_after, std::nullopt);
}

TEST_F(ApiClientTest, StreamsLinesWhileTheyArrive) {
  base::Notification first_seen;
  const TlsServer server(serving_, [&](ServerConnection& connection) {
    connection.ReadRequest();
    connection.StartChunked();
    connection.Chunk("{\"a\":1}\n{\"b\"");
    first_seen.WaitForNotification();  // it was handed over before the rest was sent
    connection.Chunk(":2}\n");
    connection.EndChunked();
    connection.WaitForClose();
  });
  const auto client = Client(server);
  Lines lines;
  const auto response = client->Stream(Get("/watch"), [&](absl::string_view line) {
    lines.emplace_back(line);
    if (lines.size() == 1) first_seen.Notify();
    return true;
  });
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(lines, ElementsAre("{\"a\":1}", "{\"b\":2}"));
}

TEST_F(ApiClientTest, AStreamEndsWhenTheReaderHasEnough) {
  const TlsServer server(serving_, [](ServerConnection& connection) {
    connection.ReadRequest();
    connection.StartChunked();
    connection.Chunk("1\n2\n3\n");
    connection.WaitForClose();
  });
  const auto client = Client(server);
  Lines lines;
  const auto response = client->Stream(Get("/watch"), [&](absl::string_view line) {
    lines.emplace_back(line);
    return lines.size() < 2;
  });
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 200);
  EXPECT_THAT(lines, ElementsAre("1", "2"));
}

TEST_F(ApiClientTest, AStreamThatIsRefusedHasABodyAndNoLines) {
  const TlsServer server(serving_, [](ServerConnection& connection) {
    connection.ReadRequest();
    connection.Answer(410, R"({"kind":"Status","reason":"Expired","message":"too old"})");
    connection.WaitForClose();
  });
  const auto response = Client(server)->Stream(Get("/watch"), [](absl::string_view line) {
    ADD_FAILURE() << line;
    return true;
  });
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->ErrorText(), "410 Expired: too old");
}

TEST_F(ApiClientTest, ACutStreamIsUnavailableAndItsLastLineIsDropped) {
  const TlsServer server(serving_, [](ServerConnection& connection) {
    connection.ReadRequest();
    connection.StartChunked();
    connection.Chunk("{\"a\":1}\n{\"b\"");
    connection.Cut();
  });
  Lines lines;
  const auto response = Client(server)->Stream(Get("/watch"), [&](absl::string_view line) {
    lines.emplace_back(line);
    return true;
  });
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(response.status().message(),
              AllOf(HasSubstr(absl::StrCat("GET ", server.url(), "/watch: ")),
                    HasSubstr("the answer was cut off")));
  EXPECT_THAT(lines, ElementsAre("{\"a\":1}"));
}

TEST_F(ApiClientTest, ASilentServerMeetsTheDeadline) {
  const TlsServer server(serving_, [](ServerConnection& connection) {
    connection.ReadRequest();
    connection.WaitForClose();
  });
  const auto response = Client(server)->Send(Get("/slow", absl::Milliseconds(300)));
  EXPECT_EQ(response.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(response.status().message(), HasSubstr("no complete answer within 300ms"));
}

TEST_F(ApiClientTest, ATricklingServerMeetsTheDeadlineToo) {
  const TlsServer server(serving_, [](ServerConnection& connection) {
    connection.ReadRequest();
    connection.StartChunked();
    while (connection.Chunk("{}\n")) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  int lines_count = 0;
  const auto response =
      Client(server)->Stream(Get("/watch", absl::Milliseconds(500)), [&](absl::string_view) {
        ++lines_count;
        return true;
      });
  EXPECT_EQ(response.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_GT(lines_count, 0);
}

TEST_F(ApiClientTest, CancelEndsAWaitingStreamAndAllThatFollows) {
  base::Notification waiting;
  const TlsServer server(serving_, [&](ServerConnection& connection) {
    connection.ReadRequest();
    connection.StartChunked();
    waiting.Notify();
    connection.WaitForClose();
  });
  const auto client = Client(server);
  std::thread canceller([&] {
    waiting.WaitForNotification();
    client->Cancel();
  });
  const auto response = client->Stream(Get("/watch", absl::InfiniteDuration()),
                                       [](absl::string_view) { return true; });
  canceller.join();
  EXPECT_EQ(response.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(client->Send(Get("/")).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(server.connections_count(), 1);
}

TEST_F(ApiClientTest, NobodyListens) {
  std::string url;
  { url = TlsServer(serving_, Echo).url(); }
  ClusterAccess access;
  access.server = url;
  access.origin = "test";
  const auto response = Client(access)->Send(Get("/"));
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(response.status().message(), AllOf(HasSubstr(url), HasSubstr("refused")));
}

TEST_F(ApiClientTest, ALineThatNeverEndsIsOutOfRange) {
  const TlsServer server(serving_, [](ServerConnection& connection) {
    connection.ReadRequest();
    connection.StartChunked();
    const std::string part(1 << 20, 'x');
    for (int i = 0; i < 20; ++i) connection.Chunk(part);
    connection.WaitForClose();
  });
  const auto response =
      Client(server)->Stream(Get("/watch"), [](absl::string_view) { return true; });
  EXPECT_EQ(response.status().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(ApiClientTest, AKeptConnectionThatTheServerClosedIsNoFailure) {
  const TlsServer server(serving_, [](ServerConnection& connection) {
    connection.Answer(200, connection.ReadRequest());
  });
  const auto client = Client(server);
  for (int i = 0; i < 3; ++i) {
    const auto response = client->Send(Get(absl::StrCat("/", i)));
    ASSERT_TRUE(response.ok()) << i << ": " << response.status();
  }
  EXPECT_EQ(server.connections_count(), 3);
}

TEST_F(ApiClientTest, RequestsRunAtTheSameTimeOnConnectionsOfTheirOwn) {
  base::Notification second_came;
  const TlsServer server(serving_, [&](ServerConnection& connection) {
    if (absl::StrContains(connection.ReadRequest(), "/second")) second_came.Notify();
    second_came.WaitForNotification();
    connection.Answer(200, "{}");
  });
  const auto client = Client(server);
  std::thread first([&] { EXPECT_TRUE(client->Send(Get("/first")).ok()); });
  EXPECT_TRUE(client->Send(Get("/second")).ok());
  first.join();
}

TEST_F(ApiClientTest, ATargetThatWouldForgeAHeaderIsRefused) {
  const TlsServer server(serving_, Echo);
  EXPECT_EQ(Client(server)->Send(Get("/x HTTP/1.1\r\nX: y")).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(server.connections_count(), 0);
}

TEST_F(ApiClientTest, AServerUrlWithAPrefixAndAnIpv6Address) {
  const TlsServer server(serving_, Echo, "", "::1");
  ClusterAccess access = AccessTo(server);
  access.server += "/k8s/clusters/c-1/";
  const auto response = Client(access)->Send(Get("/api/v1/services"));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(response->body,
              AllOf(HasSubstr("GET /k8s/clusters/c-1/api/v1/services HTTP/1.1"),
                    HasSubstr(absl::StrCat("Host: [::1]:", server.port(), "\r\n"))));
}

TEST_F(ApiClientTest, WhatIsNoServerIsRefusedAtOnce) {
  for (const char* url : {"", "10.0.0.1:6443", "ftp://a", "https://", "https://a:0", "https://a:b",
                          "https://[::1", "https://a b", "https://user@host"}) {
    ClusterAccess access;
    access.server = url;
    access.origin = "config";
    const auto client = MakeApiClient(access, clock_);
    EXPECT_EQ(client.status().code(), absl::StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(client.status().message(), HasSubstr("config: server ")) << url;
  }
}

}  // namespace
}  // namespace fairlead::kube
