#include "pkg/telemetry/metrics_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace fairlead::telemetry {
namespace {

TEST(MetricsWriterTest, WritesHelpAndTypeBeforeSamples) {
  MetricsWriter writer;
  writer.Family("x_total", MetricType::kCounter, "What it counts.");
  writer.Sample({{"vip", "web"}, {"server", "srv-1"}}, uint64_t{12});
  writer.Sample({}, uint64_t{3});
  EXPECT_EQ(writer.Finish(),
            "# HELP x_total What it counts.\n"
            "# TYPE x_total counter\n"
            "x_total{vip=\"web\",server=\"srv-1\"} 12\n"
            "x_total 3\n");
}

TEST(MetricsWriterTest, EscapesHelpAndLabelValues) {
  MetricsWriter writer;
  writer.Family("x", MetricType::kGauge, "a \"b\" \\ c\nd");
  writer.Sample({{"name", "q\"uo\\te\nline"}}, 0.5);
  EXPECT_EQ(writer.Finish(),
            "# HELP x a \"b\" \\\\ c\\nd\n"
            "# TYPE x gauge\n"
            "x{name=\"q\\\"uo\\\\te\\nline\"} 0.5\n");
}

TEST(MetricsWriterTest, HistogramBucketsAreCumulativeAndEndInInf) {
  MetricsWriter writer;
  writer.Family("t_seconds", MetricType::kHistogram, "Time.");
  writer.Histogram({{"vip", "web"}}, {0.0001, 1}, {1, 2, 3}, 4.5);
  EXPECT_EQ(writer.Finish(),
            "# HELP t_seconds Time.\n"
            "# TYPE t_seconds histogram\n"
            "t_seconds_bucket{vip=\"web\",le=\"0.0001\"} 1\n"
            "t_seconds_bucket{vip=\"web\",le=\"1\"} 3\n"
            "t_seconds_bucket{vip=\"web\",le=\"+Inf\"} 6\n"
            "t_seconds_sum{vip=\"web\"} 4.5\n"
            "t_seconds_count{vip=\"web\"} 6\n");
}

TEST(MetricsWriterTest, FinishEmptiesTheWriter) {
  MetricsWriter writer;
  writer.Family("x", MetricType::kGauge, "X.");
  writer.Finish();
  EXPECT_EQ(writer.Finish(), "");
  writer.Family("x", MetricType::kGauge, "X.");  // not twice in one text
}

TEST(MetricsWriterDeathTest, RefusesBrokenFamilies) {
  MetricsWriter writer;
  EXPECT_DEATH(writer.Family("9x", MetricType::kGauge, ""), "metric name");
  EXPECT_DEATH(writer.Family("x_total", MetricType::kGauge, ""), "_total");
  EXPECT_DEATH(writer.Family("x", MetricType::kCounter, ""), "_total");
  writer.Family("y", MetricType::kGauge, "");
  EXPECT_DEATH(writer.Family("y", MetricType::kGauge, ""), "twice");
}

TEST(MetricValueTest, WritesSpecialValuesAsTheFormatWantsThem) {
  EXPECT_EQ(MetricValue(1), "1");
  EXPECT_EQ(MetricValue(0.25), "0.25");
  EXPECT_EQ(MetricValue(std::numeric_limits<double>::infinity()), "+Inf");
  EXPECT_EQ(MetricValue(-std::numeric_limits<double>::infinity()), "-Inf");
  EXPECT_EQ(MetricValue(std::nan("")), "NaN");
}

}  // namespace
}  // namespace fairlead::telemetry
