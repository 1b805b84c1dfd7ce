#include "pkg/base/log.h"

#include <gtest/gtest.h>

namespace fairlead::base {
namespace {

constexpr char kTime[] = "2026-01-02T03:04:05.678Z";

TEST(LogTest, TextLineHasTimeLevelMessageAndFields) {
  EXPECT_EQ(FormatLogLine(LogFormat::kText, kTime, LogLevel::kInfo, "server is down",
                          {{"vip", "dispatcher"}, {"server", "srv-1"}}),
            "2026-01-02T03:04:05.678Z info    server is down vip=dispatcher server=srv-1\n");
}

TEST(LogTest, TextValuesWithBlanksOrNothingAreQuoted) {
  EXPECT_EQ(FormatLogLine(LogFormat::kText, kTime, LogLevel::kError, "m",
                          {{"a", "two words"}, {"b", ""}, {"c", "x=y"}}),
            "2026-01-02T03:04:05.678Z error   m a=\"two words\" b=\"\" c=\"x=y\"\n");
}

TEST(LogTest, AValueCannotForgeALine) {
  const std::string line = FormatLogLine(LogFormat::kText, kTime, LogLevel::kWarning, "m",
                                         {{"name", "x\n2026 error forged"}});
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_NE(line.find("\\n2026"), std::string::npos);
}

TEST(LogTest, AValueCannotSteerATerminal) {
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
    const std::string line =
        FormatLogLine(format, kTime, LogLevel::kInfo, "m", {{"name", "\033[2J\x7f"}});
    EXPECT_EQ(line.find('\033'), std::string::npos);
    EXPECT_EQ(line.find('\x7f'), std::string::npos);
    EXPECT_NE(line.find("\\u001b"), std::string::npos);
  }
}

TEST(LogTest, JsonLineIsOneObjectWithEscapes) {
  EXPECT_EQ(FormatLogLine(LogFormat::kJson, kTime, LogLevel::kDebug, "a \"b\"", {{"k", "c\\d"}}),
            "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"debug\","
            "\"message\":\"a \\\"b\\\"\",\"k\":\"c\\\\d\"}\n");
}

}  // namespace
}  // namespace fairlead::base
