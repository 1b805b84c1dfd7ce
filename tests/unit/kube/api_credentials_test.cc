// Who the server is, and who the client is: certificates and tokens against a real TLS server.
#include <signal.h>
#include <sys/stat.h>

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pkg/kube/api_client.h"
#include "pkg/kube/credentials.h"
#include "tests/unit/kube/movable_clock.h"
#include "tests/unit/kube/scratch_directory.h"
#include "tests/unit/kube/tls_server.h"

namespace fairlead::kube {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ApiCredentialsTest : public ::testing::Test {
 protected:
  ApiCredentialsTest() { ::signal(SIGPIPE, SIG_IGN); }

  ClusterAccess AccessTo(const TlsServer& server) const {
    ClusterAccess access;
    access.server = server.url();
    access.ca = authority_.certificate();
    access.origin = "test";
    return access;
  }
  absl::StatusOr<std::string> Ask(ApiClient& client) {
    ApiRequest request;
    request.target = "/";
    const auto response = client.Send(request);
    if (!response.ok()) return response.status();
    return absl::StrCat(response->status, " ", response->body);
  }
  absl::StatusOr<std::string> Ask(const ClusterAccess& access) {
    const auto client = MakeApiClient(access, clock_);
    if (!client.ok()) return client.status();
    return Ask(**client);
  }

  const Authority authority_;
  const Identity serving_ = authority_.Issue("server", "IP:127.0.0.1,DNS:kube.test");
  const ScratchDirectory directory_;
  MovableClock clock_;
};

// Tells whom it sees: common name, SNI, token.
void TellWho(ServerConnection& connection) {
  for (std::string request; !(request = connection.ReadRequest()).empty();) {
    const size_t begin = request.find("Bearer ");
    const std::string token =
        begin == std::string::npos
            ? "-"
            : request.substr(begin + 7, request.find('\r', begin) - begin - 7);
    connection.Answer(token == "refused" ? 401 : 200,
                      absl::StrCat("name=", connection.client_name(),
                                   " sni=", connection.server_name(), " token=", token));
  }
}

TEST_F(ApiCredentialsTest, AnUnknownAuthorityIsRefusedBeforeATokenGoesOut) {
  bool was_asked = false;
  {
    const TlsServer server(serving_, [&](ServerConnection& connection) {
      was_asked = !connection.ReadRequest().empty();
    });
    ClusterAccess access = AccessTo(server);
    access.ca = Authority().certificate();
    access.token = "secret";
    const auto answer = Ask(access);
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(answer.status().message(), HasSubstr("certificate is not accepted"));
  }
  EXPECT_FALSE(was_asked);
}

TEST_F(ApiCredentialsTest, AnotherNameOrAnOldCertificateIsRefusedWithTheReason) {
  const TlsServer other(authority_.Issue("127.0.0.1", "IP:127.0.0.2,DNS:other.test"), TellWho);
  EXPECT_THAT(Ask(AccessTo(other)).status().message(),
              AllOf(HasSubstr("IP address mismatch"), HasSubstr("expected \"127.0.0.1\"")));
  const TlsServer old(authority_.Issue("server", "IP:127.0.0.1", -60), TellWho);
  EXPECT_THAT(Ask(AccessTo(old)).status().message(), HasSubstr("certificate has expired"));
  // The common name counts for nothing since RFC 6125, as for every Kubernetes client.
  const TlsServer named(authority_.Issue("kube.test", ""), TellWho);
  ClusterAccess access = AccessTo(named);
  access.tls_server_name = "kube.test";
  EXPECT_THAT(Ask(access).status().message(), HasSubstr("ostname mismatch"));
}

TEST_F(ApiCredentialsTest, TheExpectedNameIsAskedForAndAnAddressIsNot) {
  const TlsServer server(serving_, TellWho);
  EXPECT_EQ(*Ask(AccessTo(server)), "200 name= sni= token=-");
  ClusterAccess access = AccessTo(server);
  access.tls_server_name = "kube.test";
  EXPECT_EQ(*Ask(access), "200 name= sni=kube.test token=-");
  access.tls_server_name = "another.test";
  EXPECT_THAT(Ask(access).status().message(), HasSubstr("ostname mismatch"));
}

TEST_F(ApiCredentialsTest, InsecureTakesAnyCertificate) {
  const TlsServer server(authority_.Issue("x", "DNS:other.test", -60), TellWho);
  ClusterAccess access = AccessTo(server);
  access.ca.clear();
  EXPECT_FALSE(Ask(access).ok());
  access.insecure_skip_tls_verify = true;
  EXPECT_EQ(*Ask(access), "200 name= sni= token=-");
}

TEST_F(ApiCredentialsTest, AClientCertificateIsShown) {
  const TlsServer server(serving_, TellWho, authority_.certificate());
  const Identity alice = authority_.Issue("alice", "");
  ClusterAccess access = AccessTo(server);
  access.client_certificate = alice.certificate;
  access.client_key = alice.key;
  EXPECT_EQ(*Ask(access), "200 name=alice sni= token=-");
  access.client_key = authority_.Issue("bob", "").key;
  EXPECT_EQ(Ask(access).status().code(), absl::StatusCode::kInvalidArgument);
  access.client_key = "no key";
  EXPECT_THAT(Ask(access).status().message(), HasSubstr("test: the client key holds no PEM key"));
}

TEST_F(ApiCredentialsTest, ARenewedCertificateIsUsedWithinAMinute) {
  const TlsServer server(serving_, TellWho, authority_.certificate());
  const Identity before = authority_.Issue("before", "");
  const Identity after = authority_.Issue("after", "");
  ClusterAccess access = AccessTo(server);
  access.client_certificate_file = directory_.Write("tls.crt", before.certificate);
  access.client_key_file = directory_.Write("tls.key", before.key);
  const auto client = MakeApiClient(access, clock_);
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(*Ask(**client), "200 name=before sni= token=-");
  directory_.Write("tls.crt", after.certificate);
  clock_.Move(kCredentialsRead);
  // Half replaced: the pair does not fit, so the last good one goes on.
  EXPECT_EQ(*Ask(**client), "200 name=before sni= token=-");
  directory_.Write("tls.key", after.key);
  clock_.Move(kCredentialsRead);
  EXPECT_EQ(*Ask(**client), "200 name=after sni= token=-");
}

TEST_F(ApiCredentialsTest, ARenewedTokenIsUsedWithinAMinuteAndTheLastOneWhenItCannotBeRead) {
  const TlsServer server(serving_, TellWho);
  ClusterAccess access = AccessTo(server);
  access.token_file = directory_.Write("token", "one\n");
  const auto client = MakeApiClient(access, clock_);
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(*Ask(**client), "200 name= sni= token=one");
  directory_.Write("token", "two\n");
  EXPECT_EQ(*Ask(**client), "200 name= sni= token=one");
  clock_.Move(kCredentialsRead);
  EXPECT_EQ(*Ask(**client), "200 name= sni= token=two");
  std::filesystem::remove(access.token_file);
  clock_.Move(kCredentialsRead);
  EXPECT_EQ(*Ask(**client), "200 name= sni= token=two");
  directory_.Write("token", "");
  clock_.Move(kCredentialsRead);
  EXPECT_EQ(*Ask(**client), "200 name= sni= token=two");
}

TEST_F(ApiCredentialsTest, ARefusedTokenIsReadAgainAtOnce) {
  const TlsServer server(serving_, TellWho);
  ClusterAccess access = AccessTo(server);
  access.token_file = directory_.Write("token", "refused");
  const auto client = MakeApiClient(access, clock_);
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(*Ask(**client), "401 name= sni= token=refused");
  directory_.Write("token", "renewed");
  EXPECT_EQ(*Ask(**client), "200 name= sni= token=renewed");
}

TEST_F(ApiCredentialsTest, AnExecPluginRunsAgainWhenItsTokenExpiresOrIsRefused) {
  const TlsServer server(serving_, TellWho);
  const std::string runs = directory_.path() + "/runs";
  const auto use = [&](const std::string& status) {
    const std::string file = directory_.Write(
        "plugin", absl::StrCat("#!/bin/sh\necho >>", runs,
                               "\necho '{\"kind\":\"ExecCredential\",\"apiVersion\":\""
                               "client.authentication.k8s.io/v1\",\"status\":",
                               status, "}'\n"));
    ::chmod(file.c_str(), 0700);
    return file;
  };
  ClusterAccess access = AccessTo(server);
  access.exec = ExecPlugin{"client.authentication.k8s.io/v1", use("{}")};
  const auto client = MakeApiClient(access, clock_);
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_THAT(Ask(**client).status().message(), HasSubstr("neither token nor certificate"));
  const std::string expiry =
      absl::FormatTime(absl::RFC3339_full, clock_.Now() + absl::Hours(1), absl::UTCTimeZone());
  use(absl::StrCat(R"({"token":"one","expirationTimestamp":")", expiry, R"("})"));
  clock_.Move(kExecRetry);
  EXPECT_EQ(*Ask(**client), "200 name= sni= token=one");
  use(R"({"token":"refused"})");
  EXPECT_EQ(*Ask(**client), "200 name= sni= token=one");
  EXPECT_EQ(std::filesystem::file_size(runs), 2);  // it ran twice
  clock_.Move(absl::Hours(1));
  EXPECT_EQ(*Ask(**client), "401 name= sni= token=refused");
  use(R"({"token":"renewed"})");
  EXPECT_EQ(*Ask(**client), "200 name= sni= token=renewed");
}

TEST_F(ApiCredentialsTest, AFileThatIsMissingAtTheStartIsTold) {
  const TlsServer server(serving_, TellWho);
  ClusterAccess access = AccessTo(server);
  access.token_file = directory_.path() + "/none";
  const auto answer = Ask(access);
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(answer.status().message(), HasSubstr(access.token_file));
}

}  // namespace
}  // namespace fairlead::kube
