#include "cmd/fairlead/prepare_realserver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::cmd {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

absl::StatusOr<serverkit::Request> Parsed(const std::vector<std::string>& arguments) {
  const auto flags = Flags::Parse(kPrepareRealserverCommand.flags, arguments);
  if (!flags.ok()) return flags.status();
  return PrepareRequest(*flags);
}

std::string ErrorOf(const std::vector<std::string>& arguments) {
  return std::string(Parsed(arguments).status().message());
}

TEST(PrepareRealserverTest, TakesEveryVip) {
  const auto request = Parsed({"--os", "linux", "--vip", "10.0.0.1", "--vip=fd00::1", "--persist",
                               "netplan", "--interface", "eth1"});
  ASSERT_TRUE(request.ok()) << request.status();
  ASSERT_EQ(request->vips.size(), 2u);
  EXPECT_EQ(request->vips[1].ToString(), "fd00::1");
  EXPECT_EQ(request->persistence, serverkit::Persistence::kNetplan);
  EXPECT_EQ(request->interface, "eth1");
}

TEST(PrepareRealserverTest, MistakesNameTheFlag) {
  EXPECT_EQ(ErrorOf({}), "--os is missing: linux or windows");
  EXPECT_THAT(ErrorOf({"--os", "dos"}), HasSubstr("must be linux or windows"));
  EXPECT_THAT(ErrorOf({"--os", "linux", "--vip", "x"}), StartsWith("--vip \"x\""));
  EXPECT_THAT(ErrorOf({"--os", "linux", "--persist", "cron"}), HasSubstr("systemd, netplan"));
  EXPECT_THAT(ErrorOf({"--os", "windows", "--persist", "systemd"}), HasSubstr("for --os linux"));
  EXPECT_THAT(ErrorOf({"--os", "windows", "--role", "web"}), HasSubstr("must be print"));
  EXPECT_THAT(ErrorOf({"--os", "windows", "--name-resolution", "wins"}), HasSubstr("dns or"));
  EXPECT_THAT(ErrorOf({"--os", "windows", "--name-resolution", "dns"}), HasSubstr("--role print"));
  EXPECT_THAT(ErrorOf({"--os", "linux", "--config", "a"}), HasSubstr("go together"));
  EXPECT_THAT(ErrorOf({"--os", "linux", "10.0.0.1"}), HasSubstr("a VIP is named by --vip"));
  EXPECT_THAT(ErrorOf({"--os", "linux", "--interface="}), HasSubstr("is empty"));
}

}  // namespace
}  // namespace fairlead::cmd
