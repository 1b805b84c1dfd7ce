#include "pkg/telemetry/metrics_writer.h"

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "pkg/base/log.h"

namespace fairlead::telemetry {
namespace {

const char* TypeWord(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
  }
  return "untyped";
}

bool IsMetricName(absl::string_view name) {
  if (name.empty() || absl::ascii_isdigit(static_cast<unsigned char>(name.front()))) return false;
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_' && c != ':') return false;
  }
  return true;
}

// Our own invariant (house style: CHECK); this Abseil has no CHECK of its own.
void CheckThat(bool condition, absl::string_view what) {
  if (condition) return;
  base::LogError("broken invariant in the metrics", {{"what", std::string(what)}});
  std::abort();
}

// Help text: backslash and line feed; label values: the quotation mark too.
void AppendEscaped(absl::string_view text, bool escape_quotes, std::string* out) {
  for (const char c : text) {
    if (c == '\\') {
      out->append("\\\\");
    } else if (c == '\n') {
      out->append("\\n");
    } else if (c == '"' && escape_quotes) {
      out->append("\\\"");
    } else {
      out->push_back(c);
    }
  }
}

}  // namespace

std::string MetricValue(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), value);
  return error == std::errc() ? std::string(buffer, end) : "NaN";
}

void MetricsWriter::Family(absl::string_view name, MetricType type, absl::string_view help) {
  CheckThat(IsMetricName(name), absl::StrCat("metric name ", name));
  CheckThat(absl::EndsWith(name, "_total") == (type == MetricType::kCounter),
            absl::StrCat(name, ": counters and only counters end in _total"));
  CheckThat(families_.insert(std::string(name)).second, absl::StrCat(name, " opened twice"));
  family_ = std::string(name);
  type_ = type;
  absl::StrAppend(&text_, "# HELP ", name, " ");
  AppendEscaped(help, /*escape_quotes=*/false, &text_);
  absl::StrAppend(&text_, "\n# TYPE ", name, " ", TypeWord(type), "\n");
}

void MetricsWriter::Sample(const MetricLabels& labels, uint64_t value) {
  Line(family_, labels, absl::StrCat(value));
}

void MetricsWriter::Sample(const MetricLabels& labels, double value) {
  Line(family_, labels, MetricValue(value));
}

void MetricsWriter::Histogram(const MetricLabels& labels, absl::Span<const double> upper_bounds,
                              absl::Span<const uint64_t> counts, double sum) {
  CheckThat(type_ == MetricType::kHistogram && counts.size() == upper_bounds.size() + 1,
            absl::StrCat("histogram ", family_));
  uint64_t cumulative = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    cumulative += counts[i];
    // Bounds are label values, compared as text: always "0.0001", never "1e-04".
    const std::string bound =
        i < upper_bounds.size() ? absl::StrFormat("%g", upper_bounds[i]) : "+Inf";
    MetricLabels bucket = labels;
    bucket.emplace_back("le", bound);
    Line(absl::StrCat(family_, "_bucket"), bucket, absl::StrCat(cumulative));
  }
  Line(absl::StrCat(family_, "_sum"), labels, MetricValue(sum));
  Line(absl::StrCat(family_, "_count"), labels, absl::StrCat(cumulative));
}

void MetricsWriter::Line(absl::string_view name, const MetricLabels& labels,
                         absl::string_view value) {
  absl::StrAppend(&text_, name);
  char separator = '{';
  for (const auto& [label, label_value] : labels) {
    text_.push_back(separator);
    separator = ',';
    absl::StrAppend(&text_, label, "=\"");
    AppendEscaped(label_value, /*escape_quotes=*/true, &text_);
    text_.push_back('"');
  }
  if (!labels.empty()) text_.push_back('}');
  absl::StrAppend(&text_, " ", value, "\n");
}

std::string MetricsWriter::Finish() {
  families_.clear();
  family_.clear();
  return std::exchange(text_, "");
}

}  // namespace fairlead::telemetry
