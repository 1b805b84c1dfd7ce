#include "cmd/fairlead/operator_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

namespace fairlead::cmd {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

absl::StatusOr<OperatorCommandOptions> Decode(const std::vector<std::string>& arguments) {
  const auto flags = Flags::Parse(kOperatorCommand.flags, arguments);
  if (!flags.ok()) return flags.status();
  return DecodeOperatorOptions(*flags);
}

std::string Refusal(const std::vector<std::string>& arguments) {
  return std::string(Decode(arguments).status().message());
}

class OperatorOptionsTest : public testing::Test {
 protected:
  void SetUp() override {
    ::unsetenv("POD_NAME");
    ::unsetenv("POD_NAMESPACE");
  }
  void TearDown() override { SetUp(); }
};

TEST_F(OperatorOptionsTest, AnApiServerMustBeNamedOnce) {
  EXPECT_THAT(Refusal({}), HasSubstr("which API server?"));
  EXPECT_THAT(Refusal({"--in-cluster", "--kubeconfig", "x"}), HasSubstr("which API server?"));
  EXPECT_THAT(Refusal({"--in-cluster", "--context", "dev"}), HasSubstr("--context"));
  EXPECT_THAT(Refusal({"--in-cluster", "more"}), HasSubstr("unexpected argument"));
  EXPECT_THAT(Refusal({"--in-cluster", "--admin", "here"}), HasSubstr("ADDR:PORT"));
  EXPECT_THAT(Refusal({"--in-cluster", "--identity", ""}), HasSubstr("--identity"));
  EXPECT_THAT(Refusal({"--in-cluster", "--log-level", "loud"}), HasSubstr("--log-level"));
}

TEST_F(OperatorOptionsTest, ThePodSaysWhoAndWhere) {
  ::setenv("POD_NAME", "fairlead-operator-7", 1);
  ::setenv("POD_NAMESPACE", "fairlead-system", 1);
  const auto options = Decode({"--in-cluster"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->identity, "fairlead-operator-7");
  EXPECT_EQ(options->lease_namespace, "fairlead-system");
  EXPECT_EQ(options->name_space, "");
  EXPECT_EQ(options->service_class.load_balancer_class, "lb.fairlead.dev/fairlead");
  EXPECT_FALSE(options->service_class.classless);
  EXPECT_EQ(Decode({"--in-cluster", "--identity", "x"})->identity, "x") << "flags win";
}

TEST_F(OperatorOptionsTest, TwoReplicasOnOneHostAreDistinct) {
  char host[256] = {};
  ::gethostname(host, sizeof(host) - 1);
  const auto options = Decode({"--kubeconfig", "config", "--classless-services"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_THAT(options->identity, StartsWith(std::string(host) + "_"));
  EXPECT_EQ(options->lease_namespace, "") << "that of the context";
  EXPECT_TRUE(options->service_class.classless);
}

}  // namespace
}  // namespace fairlead::cmd
