#include "pkg/kube/cluster_access.h"

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/kube/scratch_directory.h"

namespace fairlead::kube {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class InClusterTest : public ::testing::Test {
 protected:
  InClusterTest() {
    directory_.Write("token", "secret\n");
    directory_.Write("ca.crt", "PEM");
    directory_.Write("namespace", "balancers");
  }
  ScratchDirectory directory_;
  ScopedVariable host_{"KUBERNETES_SERVICE_HOST", "10.96.0.1"};
  ScopedVariable port_{"KUBERNETES_SERVICE_PORT", "443"};
};

TEST_F(InClusterTest, TakesServerAndFilesOfTheServiceAccount) {
  const auto access = InClusterAccess(directory_.path());
  ASSERT_TRUE(access.ok()) << access.status();
  EXPECT_EQ(access->server, "https://10.96.0.1:443");
  EXPECT_EQ(access->token_file, directory_.path() + "/token");
  EXPECT_EQ(access->ca_file, directory_.path() + "/ca.crt");
  EXPECT_EQ(access->name_space, "balancers");
}

TEST_F(InClusterTest, PutsBracketsAroundAnIpv6Address) {
  const ScopedVariable host("KUBERNETES_SERVICE_HOST", "fd00::1");
  EXPECT_EQ(InClusterAccess(directory_.path())->server, "https://[fd00::1]:443");
}

TEST_F(InClusterTest, SaysThatThisIsNoPod) {
  const ScopedVariable host("KUBERNETES_SERVICE_HOST", nullptr);
  const auto access = InClusterAccess(directory_.path());
  EXPECT_EQ(access.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(access.status().message(),
              AllOf(HasSubstr("KUBERNETES_SERVICE_HOST"), HasSubstr("kubeconfig")));
}

TEST_F(InClusterTest, SaysThatThePodHasNoToken) {
  const auto access = InClusterAccess(directory_.path() + "/none");
  EXPECT_EQ(access.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(access.status().message(),
              AllOf(HasSubstr("/none/token"), HasSubstr("automountServiceAccountToken")));
}

class KubeconfigTest : public ::testing::Test {
 protected:
  // A kubeconfig with one context "dev", and what the user and the cluster have.
  std::string Write(const std::string& cluster, const std::string& user,
                    const std::string& file = "config") {
    return directory_.Write(file,
                            "current-context: dev\n"
                            "contexts:\n"
                            "- {name: dev, context: {cluster: c, user: u, namespace: lab}}\n"
                            "clusters:\n- name: c\n  cluster: " +
                                cluster + "\nusers:\n- name: u\n  user: " + user + "\n");
  }
  ScratchDirectory directory_;
};

TEST_F(KubeconfigTest, ReadsDataFieldsAsBase64) {
  const auto access = KubeconfigAccess(
      Write("{server: 'https://a:6443', certificate-authority-data: Q0E=, tls-server-name: kube}",
            "{client-certificate-data: Q0VSVA==, client-key-data: S0VZ, token: t}"));
  ASSERT_TRUE(access.ok()) << access.status();
  EXPECT_EQ(access->server, "https://a:6443");
  EXPECT_EQ(access->ca, "CA");
  EXPECT_EQ(access->tls_server_name, "kube");
  EXPECT_EQ(access->client_certificate, "CERT");
  EXPECT_EQ(access->client_key, "KEY");
  EXPECT_EQ(access->token, "t");
  EXPECT_EQ(access->name_space, "lab");
  EXPECT_EQ(access->origin, directory_.path() + "/config, context dev");
}

TEST_F(KubeconfigTest, FilesAreRelativeToTheKubeconfig) {
  const auto access = KubeconfigAccess(
      Write("{server: 'https://a', certificate-authority: pki/ca.crt}",
            "{client-certificate: /abs/c.crt, client-key: c.key, tokenFile: token}"));
  ASSERT_TRUE(access.ok()) << access.status();
  EXPECT_EQ(access->ca_file, directory_.path() + "/pki/ca.crt");
  EXPECT_EQ(access->client_certificate_file, "/abs/c.crt");
  EXPECT_EQ(access->client_key_file, directory_.path() + "/c.key");
  EXPECT_EQ(access->token_file, directory_.path() + "/token");
}

TEST_F(KubeconfigTest, TheFirstFileOfTheListWinsAndMissingOnesAreSkipped) {
  const std::string first = directory_.Write(
      "first", "users: [{name: u, user: {token: of-first}}]\ncurrent-context: dev\n");
  const std::string second = Write("{server: 'https://second'}", "{token: of-second}", "second");
  const auto access = KubeconfigAccess(directory_.path() + "/none:" + first + ":" + second);
  ASSERT_TRUE(access.ok()) << access.status();
  EXPECT_EQ(access->token, "of-first");
  EXPECT_EQ(access->server, "https://second");
}

TEST_F(KubeconfigTest, WithoutAPathItIsTheEnvironmentElseTheHome) {
  const std::string file = Write("{server: 'https://by-env'}", "{token: t}");
  const ScopedVariable home("HOME", directory_.path().c_str());
  const ScopedVariable unset("KUBECONFIG", nullptr);
  EXPECT_THAT(KubeconfigAccess("").status().message(),
              HasSubstr(directory_.path() + "/.kube/config"));
  const ScopedVariable set("KUBECONFIG", file.c_str());
  EXPECT_EQ(KubeconfigAccess("")->server, "https://by-env");
}

TEST_F(KubeconfigTest, AnotherContextCanBeNamed) {
  const std::string file = Write("{server: 'https://a'}", "{token: t}");
  const auto access = KubeconfigAccess(file, "prod");
  EXPECT_EQ(access.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(access.status().message(), AllOf(HasSubstr("\"prod\""), HasSubstr("there are: dev")));
  EXPECT_TRUE(KubeconfigAccess(file, "dev").ok());
}

TEST_F(KubeconfigTest, ReadsAnExecPlugin) {
  const auto access = KubeconfigAccess(
      Write("{server: 'https://a'}",
            "{exec: {apiVersion: client.authentication.k8s.io/v1, command: ./get-token, "
            "args: [--cluster, c], env: [{name: REGION, value: eu}], provideClusterInfo: true}}"));
  ASSERT_TRUE(access.ok()) << access.status();
  ASSERT_TRUE(access->exec.has_value());
  EXPECT_EQ(access->exec->command, directory_.path() + "/./get-token");
  EXPECT_THAT(access->exec->arguments, ElementsAre("--cluster", "c"));
  EXPECT_THAT(access->exec->environment, ElementsAre(Pair("REGION", "eu")));
  EXPECT_TRUE(access->exec->provide_cluster_info);
}

TEST_F(KubeconfigTest, RefusesWhatWouldConnectOtherwiseThanMeant) {
  const std::string cluster = "{server: 'https://a'}";
  const std::pair<std::string, const char*> cases[] = {
      {Write("{server: 'https://a', proxy-url: 'http://p'}", "{}", "1"), "proxy-url"},
      {Write(cluster, "{username: u, password: p}", "2"), "username"},
      {Write(cluster, "{auth-provider: {name: gcp}}", "3"), "auth-provider"},
      {Write(cluster, "{token: t, as: root}", "4"), "4:9: as is not"},
      {Write(cluster, "{client-certificate: c.crt}", "5"), "need each other"},
      {Write(cluster, "{client-key-data: '%'}", "6"), "client-key-data is no base64"},
      {Write("{}", "{}", "7"), "the cluster has no server"},
      {Write("{server: 'https://a', insecure-skip-tls-verify: true, certificate-authority: c}",
             "{}", "8"),
       "contradict"},
      {Write(cluster, "{exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: c}}",
             "9"),
       "must be client.authentication.k8s.io/v1"},
      {directory_.Write("10", "clusters: {"), "10:1: YAML"},
      {directory_.Write("11", "[]"), "no kubeconfig"},
      {directory_.Write("12", ""), "no current-context"},
      {directory_.Write("13", "clusters: [{name: c}]"), "needs name and cluster"},
  };
  for (const auto& [file, why] : cases) {
    const auto access = KubeconfigAccess(file);
    EXPECT_FALSE(access.ok()) << file;
    EXPECT_THAT(access.status().message(), AllOf(HasSubstr(file), HasSubstr(why)));
  }
}

TEST_F(KubeconfigTest, InsecureIsTakenAsSuch) {
  EXPECT_TRUE(KubeconfigAccess(Write("{server: 'https://a', insecure-skip-tls-verify: true}", "{}"))
                  ->insecure_skip_tls_verify);
}

}  // namespace
}  // namespace fairlead::kube
