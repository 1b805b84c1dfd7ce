// MetricsWriter: Prometheus text exposition format 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).
//
//   # HELP fairlead_x_total What it counts.
//   # TYPE fairlead_x_total counter
//   fairlead_x_total{vip="dispatcher"} 12
//
// Rules that it keeps: HELP and TYPE once per family and before its samples; all samples of a
// family together (a family cannot be opened twice: CHECK); escaped help and label values; "+Inf"
// buckets. Not thread-safe.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace fairlead::telemetry {

// The Content-Type of what the writer makes.
inline constexpr char kMetricsContentType[] = "text/plain; version=0.0.4; charset=utf-8";

enum class MetricType { kCounter, kGauge, kHistogram };

using MetricLabel = std::pair<absl::string_view, absl::string_view>;
using MetricLabels = std::vector<MetricLabel>;

class MetricsWriter {
 public:
  // Begins a family. `name` is [a-zA-Z_:][a-zA-Z0-9_:]* and ends in "_total" exactly when it is a
  // counter (CHECKed: names are ours).
  void Family(absl::string_view name, MetricType type, absl::string_view help);

  // A sample of the current family.
  void Sample(const MetricLabels& labels, uint64_t value);
  void Sample(const MetricLabels& labels, double value);

  // A histogram of the current family: `counts` has one entry more than `upper_bounds` and is not
  // cumulative.
  void Histogram(const MetricLabels& labels, absl::Span<const double> upper_bounds,
                 absl::Span<const uint64_t> counts, double sum);

  // The text so far, ending in a newline; the writer is empty afterwards.
  std::string Finish();

 private:
  void Line(absl::string_view name, const MetricLabels& labels, absl::string_view value);

  std::string text_;
  std::string family_;
  MetricType type_ = MetricType::kGauge;
  std::set<std::string> families_;
};

// Pure; exposed for tests. "1", "0.25", "+Inf", "NaN": the shortest text that reads back the same.
std::string MetricValue(double value);

}  // namespace fairlead::telemetry
