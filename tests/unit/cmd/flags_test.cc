#include "cmd/fairlead/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cmd/fairlead/admin_address.h"
#include "cmd/fairlead/commands.h"
#include "cmd/fairlead/completion.h"
#include "cmd/fairlead/run_options.h"

namespace fairlead::cmd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr FlagSpec kSpecs[] = {{"config", "PATH", "where"},
                               {"wait", "", "wait"},
                               {"kubeconfig", "PATH", "later", /*later=*/true}};

std::string ErrorOf(const std::vector<std::string>& arguments) {
  const auto flags = Flags::Parse(kSpecs, arguments);
  return flags.ok() ? "ok" : std::string(flags.status().message());
}

TEST(FlagsTest, TakesValuesInBothForms) {
  const std::vector<std::string> arguments = {"--config",   "a",  "srv", "--wait",
                                              "--config=b", "--", "--x"};
  const auto flags = Flags::Parse(kSpecs, arguments);
  ASSERT_TRUE(flags.ok());
  EXPECT_EQ(flags->Get("config"), "b");
  EXPECT_TRUE(flags->Has("wait"));
  EXPECT_THAT(flags->positional(), ElementsAre("srv", "--x"));
}

TEST(FlagsTest, MistakesAreNamed) {
  EXPECT_EQ(ErrorOf({"--confg", "a"}), "unknown flag --confg; did you mean --config?");
  EXPECT_EQ(ErrorOf({"--zzz"}), "unknown flag --zzz");
  EXPECT_EQ(ErrorOf({"-c"}), "unknown flag -c; flags begin with two dashes");
  EXPECT_EQ(ErrorOf({"--config"}), "--config needs a value: --config PATH");
  EXPECT_EQ(ErrorOf({"--wait=1"}), "--wait takes no value");
  EXPECT_THAT(ErrorOf({"--kubeconfig", "x"}), HasSubstr("not supported yet in this version"));
}

TEST(FlagsTest, NumbersHaveBounds) {
  const std::vector<std::string> arguments = {"--config", "12x"};
  const auto flags = Flags::Parse(kSpecs, arguments);
  EXPECT_EQ(*flags->GetNumber("absent", 7, 0, 10), 7);
  EXPECT_THAT(std::string(flags->GetNumber("config", 7, 0, 10).status().message()),
              HasSubstr("--config \"12x\" is not a whole number from 0 to 10"));
}

TEST(AdminAddressTest, TakesAddressesAndLocalhost) {
  EXPECT_EQ(ParseAdminAddress("localhost:1234")->ToString(), "127.0.0.1:1234");
  EXPECT_EQ(ParseAdminAddress("http://[::1]:9080/")->ToString(), "[::1]:9080");
  for (const char* text : {"", "9080", "host:9080", "127.0.0.1:0", "127.0.0.1"}) {
    EXPECT_THAT(std::string(ParseAdminAddress(text).status().message()), HasSubstr("ADDR:PORT"))
        << text;
  }
}

absl::StatusOr<RunOptions> Decode(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--config", "dir"});
  const auto flags = Flags::Parse(kRunCommand.flags, arguments);
  if (!flags.ok()) return flags.status();
  return DecodeRunOptions(*flags);
}

TEST(RunOptionsTest, HasDefaults) {
  const auto options = Decode({});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->config_path, "dir");
  EXPECT_EQ(options->engine, uring::Engine::kAuto);
  EXPECT_EQ(options->shutdown_grace, absl::Seconds(30));
  EXPECT_FALSE(options->admin.has_value());
  EXPECT_FALSE(options->metrics.has_value());
  EXPECT_EQ(Decode({"--metrics", "0.0.0.0:9081"})->metrics->ToString(), "0.0.0.0:9081");
  EXPECT_EQ(options->dr_lease, absl::ZeroDuration());
  EXPECT_EQ(Decode({"--dr-lease", "0"})->dr_lease, absl::ZeroDuration());
  EXPECT_EQ(Decode({"--dr-lease", "1.5s"})->dr_lease, absl::Milliseconds(1500));
}

TEST(RunOptionsTest, RefusesWhatItDoesNotKnow) {
  const struct {
    std::vector<std::string> arguments;
    const char* message;
  } cases[] = {
      {{"--io-engine", "kqueue"}, "must be one of auto, io_uring, epoll"},
      {{"--mode-allowed", "snat,auto"}, "must be one of snat, dr"},
      {{"--metrics", "9081"}, "--metrics \"9081\" is not ADDR:PORT"},
      {{"--bpf-directory", "fairlead"}, "must begin with /"},
      {{"--bpf-directory", ""}, "must begin with /"},
      {{"--dr-lease", "3"}, "must be 0, or a duration from 250ms to 1h with its unit"},
      {{"--dr-lease", "100ms"}, "from 250ms to 1h"},
      {{"--dr-lease", "2h"}, "from 250ms to 1h"},
      {{"--dr-lease", "-1s"}, "from 250ms to 1h"},
      {{"--mode-allowed", "nat"}, "must be one of snat"},
      {{"--mode-allowed", ""}, "must be one of snat"},
      {{"--shards", "0"}, "--shards"},
      {{"--log-level", "loud"}, "debug, info, warning, error"},
      {{"--log-format", "xml"}, "text, json"},
      {{"--admin", "9080"}, "ADDR:PORT"},
      {{"--state-directory", ""}, "must not be empty"},
      {{"--in-cluster"}, "--config excludes --in-cluster"},
      {{"--node-name", "n1"}, "--node-name is for --kubeconfig and --in-cluster"},
      {{"manifest.yaml"}, "unexpected argument \"manifest.yaml\""},
  };
  for (const auto& item : cases) {
    const auto options = Decode(item.arguments);
    ASSERT_FALSE(options.ok()) << item.arguments[0];
    EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(options.status().message()), HasSubstr(item.message));
  }
}

// In a cloud direct routing is refused, unless the flag says otherwise; elsewhere it is allowed,
// unless the flag does.
TEST(RunOptionsTest, DirectRoutingDependsOnTheFlagAndTheCloud) {
  const doctor::Cloud cloud = {"Amazon EC2", "sys_vendor is Amazon EC2"};
  const auto refusal = [&](std::vector<std::string> arguments,
                           const std::optional<doctor::Cloud>& where) {
    const DirectRefusal refused = RefuseDirect(*Decode(std::move(arguments)), where);
    EXPECT_EQ(refused.reason.empty(), refused.remedy.empty());
    return refused.reason + "; " + refused.remedy;
  };
  EXPECT_EQ(refusal({}, std::nullopt), "; ");
  EXPECT_EQ(refusal({"--mode-allowed", "snat,dr"}, cloud), "; ");
  EXPECT_THAT(refusal({}, cloud),
              HasSubstr("an instance of Amazon EC2 (sys_vendor is Amazon EC2)"));
  EXPECT_THAT(refusal({}, cloud),
              HasSubstr("use mode: SNAT; if this network does carry frames to a VIP, force it by "
                        "--mode-allowed snat,dr"));
  EXPECT_THAT(refusal({"--mode-allowed", "snat"}, std::nullopt), HasSubstr("--mode-allowed does"));
  EXPECT_THAT(refusal({"--mode-allowed", "snat"}, cloud), HasSubstr("--mode-allowed does"));
}

TEST(RunOptionsTest, ConfigIsNeeded) {
  EXPECT_THAT(std::string(DecodeRunOptions(Flags()).status().message()), HasSubstr("--config"));
}

absl::StatusOr<RunOptions> DecodeInCluster(const std::vector<std::string>& arguments) {
  const auto flags = Flags::Parse(kRunCommand.flags, arguments);
  if (!flags.ok()) return flags.status();
  return DecodeRunOptions(*flags);
}

TEST(RunOptionsTest, AClusterTakesThePlaceOfFiles) {
  const auto options = DecodeInCluster({"--kubeconfig", "k", "--context", "dev", "--node-name",
                                        "n1", "--namespace", "print", "--vip-modes", "DR,Auto"});
  ASSERT_TRUE(options.ok()) << options.status();
  ASSERT_TRUE(options->cluster.has_value());
  EXPECT_EQ(options->config_path, "");
  EXPECT_FALSE(options->cluster->in_cluster);
  EXPECT_EQ(options->cluster->kubeconfig, "k");
  EXPECT_EQ(options->cluster->context, "dev");
  EXPECT_EQ(options->cluster->node_name, "n1");
  EXPECT_EQ(options->cluster->name_space, "print");
  EXPECT_THAT(options->cluster->modes,
              testing::UnorderedElementsAre(model::Mode::kDr, model::Mode::kAuto));
  ::setenv("NODE_NAME", "worker-1", 1);
  const auto in_cluster = DecodeInCluster({"--in-cluster"});
  ::unsetenv("NODE_NAME");
  ASSERT_TRUE(in_cluster.ok()) << in_cluster.status();
  EXPECT_TRUE(in_cluster->cluster->in_cluster);
  EXPECT_EQ(in_cluster->cluster->node_name, "worker-1");
  EXPECT_EQ(in_cluster->cluster->modes.size(), 3u);
}

TEST(RunOptionsTest, TheFlagsOfAClusterAreRefusedInWords) {
  const struct {
    std::vector<std::string> arguments;
    const char* message;
  } cases[] = {
      {{"--in-cluster", "--kubeconfig", "k"}, "exclude each other"},
      {{"--in-cluster", "--context", "dev"}, "--context is for --kubeconfig"},
      {{"--kubeconfig", ""}, "--kubeconfig must not be empty"},
      {{"--in-cluster", "--vip-modes", "SNAT,dr"}, "\"dr\" must be one of SNAT, DR, Auto"},
      {{"--in-cluster", "--node-name", "Node_1"}, "$NODE_NAME or the host's name"},
      {{"--in-cluster", "--node-name", std::string(115, 'a')}, "more than 114 bytes"},
      {{"--in-cluster", "--namespace", "A"}, "is not a namespace"},
  };
  for (const auto& item : cases) {
    const auto options = DecodeInCluster(item.arguments);
    ASSERT_FALSE(options.ok()) << item.message;
    EXPECT_THAT(std::string(options.status().message()), HasSubstr(item.message));
  }
}

TEST(SettleNodeTest, FlagsWinOverTheNodeObjectWhichWinsOverDefaults) {
  RunOptions options;
  EXPECT_EQ(SettleNode(options, std::nullopt).admin.ToString(), "127.0.0.1:9080");
  EXPECT_EQ(SettleNode(options, std::nullopt).state_directory, "/var/lib/fairlead");
  model::Node node;
  node.admin_http = *net::Endpoint::Parse("10.0.0.1:1");
  node.state_directory = "/node";
  EXPECT_EQ(SettleNode(options, node).admin.ToString(), "10.0.0.1:1");
  EXPECT_EQ(SettleNode(options, node).state_directory, "/node");
  options.admin = *net::Endpoint::Parse("10.0.0.2:2");
  options.state_directory = "/flag";
  EXPECT_EQ(SettleNode(options, node).admin.ToString(), "10.0.0.2:2");
  EXPECT_EQ(SettleNode(options, node).state_directory, "/flag");
}

int RunLine(const std::vector<std::string>& arguments, std::string* out, std::string* err) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = RunCommandLine(arguments);
  std::fflush(stdout);
  *out = testing::internal::GetCapturedStdout();
  *err = testing::internal::GetCapturedStderr();
  return code;
}

TEST(CommandLineTest, ExitCodesAndHints) {
  std::string out;
  std::string err;
  EXPECT_EQ(RunLine({}, &out, &err), kExitUsage);
  EXPECT_THAT(err, HasSubstr("Usage: fairlead COMMAND"));
  EXPECT_EQ(RunLine({"--help"}, &out, &err), kExitOk);
  EXPECT_THAT(out, HasSubstr("drain"));
  EXPECT_EQ(RunLine({"statsu"}, &out, &err), kExitUsage);
  EXPECT_THAT(err, HasSubstr("did you mean \"status\"?"));
  EXPECT_EQ(RunLine({"doctor", "x"}, &out, &err), kExitUsage);
  EXPECT_THAT(err, HasSubstr("manifests are named by --config"));
  EXPECT_EQ(RunLine({"prepare-realserver", "--os", "linux"}, &out, &err), kExitUsage);
  EXPECT_THAT(err, HasSubstr("name the VIP"));
  EXPECT_EQ(RunLine({"version"}, &out, &err), kExitOk);
  EXPECT_THAT(out, HasSubstr("fairlead 0."));
  EXPECT_EQ(RunLine({"drain"}, &out, &err), kExitUsage);
  EXPECT_THAT(err, HasSubstr("name the real server"));
  EXPECT_EQ(RunLine({"status", "--admin", "127.0.0.1:1"}, &out, &err), kExitFailure);
  EXPECT_THAT(err, HasSubstr("no daemon answers at 127.0.0.1:1"));
  EXPECT_EQ(RunLine({"explain", "--client", "10.0.0.1"}, &out, &err), kExitUsage);
  EXPECT_THAT(err, HasSubstr("--vip is missing"));
  EXPECT_EQ(RunLine({"completion", "tcsh"}, &out, &err), kExitUsage);
}

TEST(CommandLineTest, EveryCommandHasHelp) {
  for (const Command& command : AllCommands()) {
    if (command.run == nullptr) continue;
    std::string out;
    std::string err;
    EXPECT_EQ(RunLine({std::string(command.spec.name), "--help"}, &out, &err), kExitOk)
        << command.spec.name;
    EXPECT_THAT(out, HasSubstr(std::string(command.spec.name)));
  }
}

TEST(CompletionTest, ListsCommandsAndFlagsOfThisVersion) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = CompletionScript(shell);
    EXPECT_THAT(script, HasSubstr("status")) << shell;
    EXPECT_THAT(script, HasSubstr("shutdown-grace")) << shell;
    EXPECT_THAT(script, HasSubstr("io_uring")) << shell;
    EXPECT_THAT(script, HasSubstr("classless-services")) << shell;
    EXPECT_THAT(script, HasSubstr("kubeconfig")) << shell;
    EXPECT_THAT(script, HasSubstr("doctor")) << shell;
  }
  EXPECT_EQ(CompletionScript("tcsh"), "");
}

}  // namespace
}  // namespace fairlead::cmd
