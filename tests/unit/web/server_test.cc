// The server over real TLS, and its certificate on a real disk.
#include "pkg/web/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "pkg/base/replace_file.h"
#include "pkg/web/random.h"
#include "tests/unit/web/fake_clock.h"

namespace fairlead::web {
namespace {

using testing::HasSubstr;
using testing::Not;

unsigned int ModeOf(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 0777 : 0;
}

class CertificateTest : public testing::Test {
 protected:
  CertificateTest() { ::mkdir(directory_.c_str(), 0700); }

  Certificate MakeNow() {
    return *MakeSelfSigned({"lb1", "localhost"}, {*net::IpAddress::Parse("10.0.0.1")},
                           clock_.Now());
  }
  void Write(const Certificate& certificate) {
    ASSERT_TRUE(base::ReplaceFile(directory_ + "/tls.crt", ChainToPem(certificate)).ok());
    ASSERT_TRUE(base::ReplaceFile(directory_ + "/tls.key", KeyToPem(certificate)).ok());
  }

  FakeClock clock_;
  std::string directory_ = absl::StrCat(testing::TempDir(), "/web-", RandomToken(6));
};

TEST_F(CertificateTest, IsMadeOnceAndKept) {
  const CertificateOptions options = {directory_, /*make=*/true, {"lb1"}, {}};
  auto first = CertificateKeeper::Create(options, clock_);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(ModeOf(directory_ + "/tls.key"), 0600u);
  auto second = CertificateKeeper::Create(options, clock_);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*first)->Current().Fingerprint(), (*second)->Current().Fingerprint());
  EXPECT_TRUE((*first)->Current().IsOurs());
  EXPECT_EQ((*first)->Current().Expires(), clock_.Now() + absl::Hours(24 * 825 - 1));
}

TEST_F(CertificateTest, IsMadeAnewBeforeItRunsOut) {
  auto keeper = *CertificateKeeper::Create({directory_, /*make=*/true, {"lb1"}, {}}, clock_);
  const std::string before = keeper->Current().Fingerprint();
  clock_.Advance(absl::Hours(24 * 790));
  EXPECT_EQ(keeper->Current().Fingerprint(), before);
  clock_.Advance(absl::Hours(24 * 10));
  EXPECT_NE(keeper->Current().Fingerprint(), before);
}

TEST_F(CertificateTest, FilesAreReadAgainWhenTheyChange) {
  Write(MakeNow());
  auto keeper = *CertificateKeeper::Create({directory_, /*make=*/false, {}, {}}, clock_);
  const std::string before = keeper->Current().Fingerprint();
  const Certificate next = MakeNow();
  // Half replaced: the key is the old one's.
  ASSERT_TRUE(base::ReplaceFile(directory_ + "/tls.crt", ChainToPem(next)).ok());
  clock_.Advance(CertificateKeeper::kLookInterval);
  EXPECT_EQ(keeper->Current().Fingerprint(), before);
  ASSERT_TRUE(base::ReplaceFile(directory_ + "/tls.key", KeyToPem(next)).ok());
  clock_.Advance(CertificateKeeper::kLookInterval);
  EXPECT_EQ(keeper->Current().Fingerprint(), next.Fingerprint());
}

TEST_F(CertificateTest, NothingIsMadeWhereTheUserProvides) {
  const auto absent = CertificateKeeper::Create({directory_, /*make=*/false, {}, {}}, clock_);
  EXPECT_THAT(absent.status().message(), HasSubstr("tls.crt"));
  Write(MakeNow());
  ASSERT_TRUE(base::ReplaceFile(directory_ + "/tls.key", KeyToPem(MakeNow())).ok());
  const auto mixed = CertificateKeeper::Create({directory_, /*make=*/false, {}, {}}, clock_);
  EXPECT_THAT(mixed.status().message(), HasSubstr("the key is not the certificate's"));
  std::ofstream(directory_ + "/tls.crt") << "nothing";
  const auto broken = CertificateKeeper::Create({directory_, /*make=*/false, {}, {}}, clock_);
  EXPECT_THAT(broken.status().message(), HasSubstr("no certificate in PEM"));
}

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    backend_.view = [] { return std::make_shared<controller::ControlView>(); };
    auto server = WebServer::Create({.bind = *net::Endpoint::Parse("127.0.0.1:0"),
                                     .directory = directory_,
                                     .certificate_from = "",
                                     .setup_code_file = ""},
                                    backend_, clock_);
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  httplib::Result Get(const std::string& path, long version = 0) {
    httplib::SSLClient client("127.0.0.1", server_->endpoint().port);
    client.enable_server_certificate_verification(false);
    if (version != 0)
      SSL_CTX_set_max_proto_version(client.ssl_context(), static_cast<int>(version));
    return client.Get(path);
  }

  base::SystemClock clock_;
  admin::AdminBackend backend_;
  std::string directory_ = absl::StrCat(testing::TempDir(), "/web-", RandomToken(6));
  std::unique_ptr<WebServer> server_;
};

TEST_F(ServerTest, ServesThePageWithItsHeaders) {
  for (const char* path : {"/", "/web/v1/overview", "/nowhere"}) {
    const auto response = Get(path);
    ASSERT_TRUE(response) << httplib::to_string(response.error());
    const std::string policy = response->get_header_value("Content-Security-Policy");
    EXPECT_THAT(policy, HasSubstr("default-src 'none'; script-src 'self'; style-src 'self'"));
    EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'"));
    EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
    EXPECT_EQ(response->get_header_value("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(response->get_header_value("Referrer-Policy"), "no-referrer");
    EXPECT_THAT(response->get_header_value("Cache-Control"), testing::StartsWith("no-"));
  }
  EXPECT_EQ(Get("/")->status, 200);
  EXPECT_EQ(Get("/web/v1/overview")->status, 401);
}

TEST_F(ServerTest, KeepsItsFilesForTheOwner) {
  EXPECT_EQ(ModeOf(directory_), 0700u);
  EXPECT_EQ(ModeOf(directory_ + "/tls.key"), 0600u);
}

TEST_F(ServerTest, RefusesOldTls) {
  EXPECT_FALSE(Get("/", TLS1_1_VERSION));
  EXPECT_TRUE(Get("/", TLS1_2_VERSION));
  EXPECT_TRUE(Get("/", TLS1_3_VERSION));
}

TEST_F(ServerTest, SaysWhatToDoWhenThePortIsTaken) {
  const auto second = WebServer::Create({.bind = server_->endpoint(),
                                         .directory = directory_,
                                         .certificate_from = "",
                                         .setup_code_file = ""},
                                        backend_, clock_);
  EXPECT_THAT(second.status().message(), HasSubstr("--web none"));
}

}  // namespace
}  // namespace fairlead::web
