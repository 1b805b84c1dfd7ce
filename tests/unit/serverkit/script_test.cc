// The scripts whose names stand in kGolden are kept, word for word, in testdata.
// To write them anew: FAIRLEAD_UPDATE_GOLDEN=1 serverkit_test --gtest_filter='Golden*'
#include "pkg/serverkit/script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "pkg/serverkit/quote.h"
#include "pkg/serverkit/script_bodies.h"

namespace fairlead::serverkit {
namespace {

using testing::HasSubstr;

Request ForVips(OperatingSystem os, Action action) {
  Request request;
  request.os = os;
  request.action = action;
  for (const char* vip : {"10.10.10.150", "10.10.10.151", "fd00::150"}) {
    request.vips.push_back(*net::IpAddress::Parse(vip));
  }
  return request;
}

// What stands before the fixed text.
std::string HeadOf(const Request& request) {
  const auto script = Script(request);
  EXPECT_TRUE(script.ok()) << script.status();
  const char* body = request.os == OperatingSystem::kLinux ? kLinuxBody : kWindowsBody;
  EXPECT_TRUE(script.ok() && absl::EndsWith(*script, body));
  return script.ok() ? script->substr(0, script->size() - std::string(body).size()) : "";
}

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void ExpectGolden(const std::string& name, const Request& request) {
  const std::filesystem::path path =
      std::filesystem::path(FAIRLEAD_SOURCE_DIR) / "tests/unit/serverkit/testdata" / name;
  const std::string head = HeadOf(request);
  if (std::getenv("FAIRLEAD_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << head;
  EXPECT_EQ(head, ReadAll(path)) << path;
}

TEST(GoldenScriptTest, LinuxApply) {
  ExpectGolden("GoldenScriptTest.LinuxApply.sh", ForVips(OperatingSystem::kLinux, Action::kApply));
}

TEST(GoldenScriptTest, LinuxRevert) {
  ExpectGolden("GoldenScriptTest.LinuxRevert.sh",
               ForVips(OperatingSystem::kLinux, Action::kRevert));
}

TEST(GoldenScriptTest, WindowsPrintServer) {
  Request request = ForVips(OperatingSystem::kWindows, Action::kApply);
  request.role = Role::kPrint;
  request.host_name = "Dispatcher";
  request.name_resolution = NameResolution::kNetBios;
  request.interface = "the LAN's $(adapter) `2";
  ExpectGolden("GoldenScriptTest.WindowsPrintServer.ps1", request);
}

TEST(ScriptTest, NothingIsPrintedForABadRequest) {
  Request request = ForVips(OperatingSystem::kLinux, Action::kApply);
  request.interface = "eth0'; reboot; '";
  EXPECT_EQ(Script(request).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ScriptTest, TextsAreAsciiForEveryCodePage) {
  for (const std::string body : {kLinuxBody, kWindowsBody}) {
    for (const char c : body) {
      ASSERT_TRUE(c == '\n' || absl::ascii_isprint(static_cast<unsigned char>(c))) << int{c};
    }
  }
}

TEST(ScriptTest, LinuxSetsTheKernelBeforeTheAddress) {
  const std::string body = kLinuxBody;
  const size_t apply = body.find("\napply() {");
  ASSERT_NE(apply, std::string::npos);
  EXPECT_LT(body.find("  apply_sysctls\n", apply), body.find("  add_addresses\n", apply));
}

// No host with PowerShell runs these tests, so the structure is what they can see.
TEST(ScriptTest, WindowsDoesWhatTheGuideSays) {
  const std::string body = kWindowsBody;
  for (const char* line : {
           "netsh interface ipv4 set interface \"net\" weakhostreceive=enabled",
           "netsh interface ipv6 set interface \"loopback\" weakhostsend=enabled",
           "netsh interface ipv6 set interface \"loopback\" dadtransmits=0",
           "Set-RegistryValue $Lsa 'DisableLoopbackCheck' 'DWord' 1",
           "Set-RegistryValue $Lanman 'DisableStrictNameChecking' 'DWord' 1",
           "Set-RegistryValue $Lanman 'OptionalNames' 'MultiString'",
           "if ($IsServer2008) { Set-RegistryValue $DnsOnWire 'DnsOnWire' 'QWord' 1 }",
           "if ($Role -eq 'print') { $wanted += 'ms_msclient', 'ms_server' }",
           "Set-Interface $Loopback $Family 'InterfaceMetric' '254'",
           "Set-Interface $Lan $Family 'WeakHostReceive' 'Enabled'",
           "foreach ($vip in $Vips4) { Add-Vip $loopback $vip 32 }",
           "foreach ($vip in $Vips6) { Add-Vip $loopback $vip 128 }",
           "-SkipAsSource $true",
           "Set-DnsClient -InterfaceIndex $Loopback.ifIndex -RegisterThisConnectionsAddress $false",
       }) {
    EXPECT_THAT(body, HasSubstr(line));
  }
}

TEST(ScriptTest, WindowsCanUndoEveryKindOfChange) {
  const std::string body = kWindowsBody;
  size_t kinds_count = 0;
  for (size_t at = body.find("Add-Record '"); at != std::string::npos;
       at = body.find("Add-Record '", at + 1)) {
    const size_t begin = at + std::string("Add-Record '").size();
    const std::string kind = body.substr(begin, body.find('\'', begin) - begin);
    EXPECT_THAT(body, HasSubstr(absl::StrCat("\n    '", kind, "' {"))) << kind;
    ++kinds_count;
  }
  EXPECT_GE(kinds_count, 9u);
}

TEST(ScriptTest, WindowsCallsOnlyFunctionsThatItHas) {
  const std::string body = kWindowsBody;
  for (const absl::string_view line : absl::StrSplit(body, '\n')) {
    if (!absl::StartsWith(line, "function ")) continue;
    const std::string name(line.substr(9, line.find_first_of("( {", 9) - 9));
    EXPECT_NE(body.find(name), body.rfind(name)) << name << " is never called";
  }
}

TEST(QuoteTest, NothingEndsTheLiteral) {
  EXPECT_EQ(ShellQuoted("it's $(a) `b` \"c\" \\"), "'it'\\''s $(a) `b` \"c\" \\'");
  EXPECT_EQ(ShellQuoted(""), "''");
  EXPECT_EQ(PowerShellQuoted("it's $(a) `b"), "'it''s $(a) `b'");
}

}  // namespace
}  // namespace fairlead::serverkit
