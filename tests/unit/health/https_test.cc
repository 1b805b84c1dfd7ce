// HTTPS against a TLS server with a self-signed certificate that is made in memory.
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <sys/socket.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pkg/base/mutex.h"
#include "pkg/health/probe_factory.h"
#include "pkg/health/tls_stream.h"
#include "tests/unit/health/run_probe.h"
#include "tests/unit/health/test_server.h"

namespace fairlead::health {
namespace {

using ::testing::HasSubstr;

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};

// Expired since 1970 and for another name: the probe must not care.
std::unique_ptr<SSL_CTX, Free> ServerContext() {
  std::unique_ptr<EVP_PKEY, Free> key(EVP_EC_gen("P-256"));
  std::unique_ptr<X509, Free> certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  ASN1_TIME_set(X509_getm_notBefore(certificate.get()), 0);
  ASN1_TIME_set(X509_getm_notAfter(certificate.get()), 1);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("old-printer"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  std::unique_ptr<SSL_CTX, Free> context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX_use_certificate(context.get(), certificate.get());
  SSL_CTX_use_PrivateKey(context.get(), key.get());
  return context;
}

class HttpsTest : public ::testing::Test {
 protected:
  void SetUp() override { ::signal(SIGPIPE, SIG_IGN); }

  // Speaks TLS, stores the server name that was asked for, answers `text`.
  TestServer::Handler SpeaksTls(std::string text, bool close_notify = true) {
    return [this, text, close_notify](int fd) {
      SSL* ssl = SSL_new(context_.get());
      SSL_set_fd(ssl, fd);
      if (SSL_accept(ssl) == 1) {
        const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        {
          base::MutexLock lock(&mutex_);
          server_name_ = name == nullptr ? "" : name;
        }
        char buffer[4096];
        if (SSL_read(ssl, buffer, sizeof(buffer)) > 0 && !text.empty()) {
          SSL_write(ssl, text.data(), static_cast<int>(text.size()));
        }
        if (close_notify) SSL_shutdown(ssl);
      }
      SSL_free(ssl);
    };
  }
  std::string server_name() {
    base::MutexLock lock(&mutex_);
    return server_name_;
  }
  ProbeOutcome Check(const net::Endpoint& endpoint, const std::string& host = "",
                     absl::Duration timeout = absl::Seconds(2)) {
    auto factory = ProbeFactory::Create();
    EXPECT_TRUE(factory.ok()) << factory.status();
    ProbeTarget target;
    target.endpoint = endpoint;
    target.check.type = model::HealthCheck::Type::kHttps;
    target.check.http_host = host;
    return RunProbe(*(*factory)->Make(target), timeout);
  }

  std::unique_ptr<SSL_CTX, Free> context_ = ServerContext();
  base::Mutex mutex_;
  std::string server_name_;
};

TEST_F(HttpsTest, AcceptsAnyCertificateAndSendsTheName) {
  TestServer server(SpeaksTls("HTTP/1.1 200 OK\r\n\r\n"));
  EXPECT_EQ(Check(server.endpoint(), "print.example:8443"), ProbeOutcome::Healthy("HTTP 200"));
  EXPECT_EQ(server_name(), "print.example");
}

TEST_F(HttpsTest, SendsNoNameForAnAddress) {
  TestServer server(SpeaksTls("HTTP/1.1 200 OK\r\n\r\n"));
  EXPECT_EQ(Check(server.endpoint(), "10.0.0.3"), ProbeOutcome::Healthy("HTTP 200"));
  EXPECT_EQ(server_name(), "");
}

TEST_F(HttpsTest, WorksWithTls10) {
  SSL_CTX_set_security_level(context_.get(), 0);
  SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(context_.get(), TLS1_VERSION);
  TestServer server(SpeaksTls("HTTP/1.1 200 OK\r\n\r\n"));
  EXPECT_EQ(Check(server.endpoint()), ProbeOutcome::Healthy("HTTP 200"));
}

TEST_F(HttpsTest, JudgesTheStatusInside) {
  TestServer server(SpeaksTls("HTTP/1.1 503 Busy\r\n\r\n"));
  EXPECT_EQ(
      Check(server.endpoint()).reason,
      absl::StrCat("HTTP 503 from ", server.endpoint().ToString(), ": Busy (expected 200-399)"));
}

TEST_F(HttpsTest, NamesCloseWithAndWithoutNotify) {
  for (bool close_notify : {true, false}) {
    TestServer server(SpeaksTls("", close_notify));
    EXPECT_EQ(Check(server.endpoint()),
              ProbeOutcome::Unhealthy(absl::StrCat(server.endpoint().ToString(),
                                                   " closed the connection before answering")));
  }
}

TEST_F(HttpsTest, RecognisesPlainText) {
  TestServer server(SaysAtOnce("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const ProbeOutcome outcome = Check(server.endpoint());
  EXPECT_EQ(outcome.verdict, ProbeOutcome::Verdict::kUnhealthy);
  EXPECT_THAT(outcome.reason,
              HasSubstr(absl::StrCat(server.endpoint().ToString(), " failed the TLS handshake: ")));
  EXPECT_THAT(outcome.reason, HasSubstr("(does the port speak plain text?)"));
}

TEST_F(HttpsTest, NamesAHandshakeThatDoesNotEnd) {
  TestServer silent(Silent());
  EXPECT_EQ(Check(silent.endpoint(), "", absl::Milliseconds(100)),
            ProbeOutcome::Unhealthy(absl::StrCat(
                silent.endpoint().ToString(), " did not finish the TLS handshake within 100ms")));
  TestServer closing([](int fd) {
    char buffer[4096];
    [[maybe_unused]] ssize_t got = ::recv(fd, buffer, sizeof(buffer), 0);
  });
  EXPECT_EQ(Check(closing.endpoint()),
            ProbeOutcome::Unhealthy(absl::StrCat(
                closing.endpoint().ToString(), " closed the connection during the TLS handshake")));
}

TEST(ServerNameTest, IsANameWithoutPort) {
  EXPECT_EQ(ServerNameOf("print.example"), "print.example");
  EXPECT_EQ(ServerNameOf("print.example:8443"), "print.example");
  for (const char* host :
       {"", "10.0.0.3", "10.0.0.3:443", "[fd00::3]", "[fd00::3]:443", "fd00::3"}) {
    EXPECT_EQ(ServerNameOf(host), "") << host;
  }
}

}  // namespace
}  // namespace fairlead::health
