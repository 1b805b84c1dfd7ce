#include "pkg/telemetry/process_stats.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead::telemetry {
namespace {

TEST(ProcessStatsTest, ParsesAStatLineWithBlanksAndBracketsInTheName) {
  const ProcessStats stats = ParseProcStat(
      "42 (fair) lead)) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 7 0 1000 8192 3 "
      "18446744073709551615 1 1 0\n",
      /*ticks_per_second=*/100, /*boot_time_seconds=*/5000, /*page_bytes=*/4096);
  EXPECT_DOUBLE_EQ(stats.cpu_seconds_total, 2.0);
  EXPECT_EQ(stats.threads, 7u);
  EXPECT_DOUBLE_EQ(stats.start_time_seconds, 5010);
  EXPECT_EQ(stats.virtual_memory_bytes, 8192u);
  EXPECT_EQ(stats.resident_memory_bytes, 3 * 4096u);
}

TEST(ProcessStatsTest, BrokenLineGivesZeros) {
  EXPECT_EQ(ParseProcStat("", 100, 0, 4096).threads, 0u);
  EXPECT_EQ(ParseProcStat("1 (x) S", 100, 0, 4096).threads, 0u);
}

TEST(ProcessStatsTest, ReadsThisProcess) {
  const ProcessStats stats = ReadProcessStats();
  EXPECT_GT(stats.resident_memory_bytes, 0u);
  EXPECT_GT(stats.open_fds, 2u);
  EXPECT_GE(stats.max_fds, stats.open_fds);
  EXPECT_GT(stats.start_time_seconds, 1.6e9);  // after 2020
}

TEST(ProcessStatsTest, WritesTheCommonNames) {
  MetricsWriter writer;
  ProcessStats stats;
  stats.open_fds = 12;
  WriteProcessMetrics(stats, &writer);
  const std::string text = writer.Finish();
  EXPECT_NE(text.find("\nprocess_open_fds 12\n"), std::string::npos);
  EXPECT_NE(text.find("# TYPE process_cpu_seconds_total counter\n"), std::string::npos);
}

}  // namespace
}  // namespace fairlead::telemetry
