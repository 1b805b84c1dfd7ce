#include "pkg/controller/health_summary.h"

#include "absl/strings/str_cat.h"

namespace fairlead::controller {
namespace {

HealthSummary SummarizeOne(uint16_t port, const health::HealthReport& report) {
  HealthSummary summary = {.state = report.state,
                           .unreachable = report.unreachable,
                           .ports_up = {},
                           .reason = report.reason};
  if (report.state == model::OperationalState::kUp && port != 0) summary.ports_up.Add({port, port});
  return summary;
}

}  // namespace

HealthSummary SummarizeHealth(const std::map<uint16_t, health::HealthReport>& reports) {
  HealthSummary summary;
  summary.reason = "not checked";
  if (reports.empty()) return summary;
  if (reports.size() == 1) return SummarizeOne(reports.begin()->first, reports.begin()->second);
  size_t down_count = 0;
  size_t unreachable_count = 0;
  std::string first_failure;
  for (const auto& [port, report] : reports) {
    switch (report.state) {
      case model::OperationalState::kUp:
        summary.ports_up.Add({port, port});
        break;
      case model::OperationalState::kDown:
        if (down_count++ == 0) first_failure = absl::StrCat("; port ", port, ": ", report.reason);
        if (report.unreachable) ++unreachable_count;
        break;
      case model::OperationalState::kUnknown:
        break;
    }
  }
  const size_t up_count = summary.ports_up.count();
  if (up_count > 0) {
    summary.state = model::OperationalState::kUp;
  } else if (down_count == reports.size()) {
    summary.state = model::OperationalState::kDown;
  }
  summary.unreachable = unreachable_count == reports.size();
  summary.reason = absl::StrCat(up_count, " of ", reports.size(), " ports answer", first_failure);
  return summary;
}

}  // namespace fairlead::controller
