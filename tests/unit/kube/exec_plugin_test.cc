// Real programs as plugins.
#include "pkg/kube/exec_plugin.h"

#include <sys/stat.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/kube/scratch_directory.h"

namespace fairlead::kube {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kApiVersion[] = "client.authentication.k8s.io/v1";

class ExecPluginTest : public ::testing::Test {
 protected:
  // A plugin that is this shell script.
  ExecPlugin Script(const std::string& body) const {
    const std::string file = directory_.Write("plugin", absl::StrCat("#!/bin/sh\n", body, "\n"));
    ::chmod(file.c_str(), 0700);
    ExecPlugin plugin;
    plugin.api_version = kApiVersion;
    plugin.command = file;
    return plugin;
  }
  absl::StatusOr<ExecCredential> Run(const ExecPlugin& plugin,
                                     absl::Duration timeout = kExecTimeout) const {
    ClusterAccess access;
    access.server = "https://a:6443";
    access.ca = "CA";
    return RunExecPlugin(plugin, access, timeout, [this] { return is_cancelled_; });
  }
  static std::string Prints(const std::string& status) {
    return absl::StrCat(R"(echo '{"kind":"ExecCredential","apiVersion":")", kApiVersion,
                        R"(","status":)", status, "}'");
  }

  const ScratchDirectory directory_;
  bool is_cancelled_ = false;
};

TEST_F(ExecPluginTest, TakesTokenAndExpiry) {
  const auto got =
      Run(Script(Prints(R"({"token":"t","expirationTimestamp":"2026-01-02T03:04:05Z"})")));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->token, "t");
  EXPECT_EQ(got->expires,
            absl::FromCivil(absl::CivilSecond(2026, 1, 2, 3, 4, 5), absl::UTCTimeZone()));
}

TEST_F(ExecPluginTest, ArgumentsAreNoShellsAndTheEnvironmentIsThePluginsToo) {
  ExecPlugin plugin = Script(
      R"(printf '{"kind":"ExecCredential","apiVersion":"%s","status":{"token":"%s|%s|%s"}}' )"
      R"("client.authentication.k8s.io/v1" "$1" "$REGION" "${HOME:+home}")");
  plugin.arguments = {"$(id) ; *"};
  plugin.environment = {{"REGION", "eu"}};
  const ScopedVariable region("REGION", "us");
  const ScopedVariable home("HOME", "/");
  const auto got = Run(plugin);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->token, "$(id) ; *|eu|home");
}

TEST_F(ExecPluginTest, TheClusterIsToldWhereItIsAskedFor) {
  const std::string body =
      R"(case "$KUBERNETES_EXEC_INFO" in *'"server":"https://a:6443"'*) t=told;; *) t=silent;; esac
)" + Prints(R"({"token":"'$t'"})");
  ExecPlugin plugin = Script(body);
  EXPECT_EQ(Run(plugin)->token, "silent");
  plugin.provide_cluster_info = true;
  EXPECT_EQ(Run(plugin)->token, "told");
}

TEST_F(ExecPluginTest, AFailureIsToldWithWhatThePluginSaid) {
  const auto got = Run(Script("echo 'login first' >&2; exit 3"));
  EXPECT_EQ(got.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(got.status().message(), AllOf(HasSubstr("/plugin\": it ended with 3: login first")));
  EXPECT_THAT(Run(Script("kill -9 $$")).status().message(), HasSubstr("ended by signal 9"));
}

TEST_F(ExecPluginTest, APluginThatIsNotThereIsToldWithItsHint) {
  ExecPlugin plugin = Script("");
  plugin.command = "no-such-plugin-of-fairlead";
  plugin.install_hint = "install it from example.com";
  const auto got = Run(plugin);
  EXPECT_EQ(got.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(got.status().message(), AllOf(HasSubstr("\"no-such-plugin-of-fairlead\""),
                                            HasSubstr("; install it from example.com")));
}

TEST_F(ExecPluginTest, AHangingPluginIsEndedWithItsChildren) {
  const std::string mark = directory_.path() + "/mark";
  const absl::Time begun = absl::Now();
  const auto got = Run(Script("(sleep 3; touch " + mark + ") & wait"), absl::Milliseconds(300));
  EXPECT_EQ(got.status().code(), absl::StatusCode::kDeadlineExceeded);
  absl::SleepFor(begun + absl::Seconds(4) - absl::Now());
  EXPECT_FALSE(std::filesystem::exists(mark));
}

TEST_F(ExecPluginTest, CancellingEndsIt) {
  is_cancelled_ = true;
  EXPECT_EQ(Run(Script("sleep 60")).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(ExecPluginTest, EndlessOutputIsEnded) {
  EXPECT_THAT(Run(Script("yes")).status().message(), HasSubstr("more than 1 MiB"));
}

TEST_F(ExecPluginTest, RefusesWhatIsNoCredential) {
  const std::pair<const char*, const char*> cases[] = {
      {"echo hello", "no ExecCredential"},
      {R"(echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1"}')",
       "not client.authentication.k8s.io/v1"},
      {R"(echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1"}')",
       "no status"},
  };
  for (const auto& [script, why] : cases) {
    EXPECT_THAT(Run(Script(script)).status().message(), HasSubstr(why));
  }
  EXPECT_THAT(Run(Script(Prints("{}"))).status().message(), HasSubstr("neither token nor"));
  EXPECT_THAT(Run(Script(Prints(R"({"clientKeyData":"k"})"))).status().message(),
              HasSubstr("need each other"));
  EXPECT_THAT(
      Run(Script(Prints(R"({"token":"t","expirationTimestamp":"soon"})"))).status().message(),
      HasSubstr("\"soon\" is no time"));
}

}  // namespace
}  // namespace fairlead::kube
