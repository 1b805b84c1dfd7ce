#include "pkg/controller/path_summary.h"

#include "absl/strings/str_cat.h"

namespace fairlead::controller {
namespace {

using model::OperationalState;

// Less is worse and decides.
int RankOf(const health::HealthReport& report) {
  switch (report.state) {
    case OperationalState::kDown:
      return 0;
    case OperationalState::kUnknown:
      return report.not_checked ? 2 : 1;
    case OperationalState::kUp:
      return 3;
  }
  return 3;
}

}  // namespace

PathSummary SummarizePath(const std::map<net::IpAddress, health::HealthReport>& reports) {
  const health::HealthReport* worst = nullptr;
  for (const auto& [address, report] : reports) {
    if (worst == nullptr || RankOf(report) < RankOf(*worst)) worst = &report;
  }
  if (worst == nullptr) return {};
  return {.state = worst->state,
          .impossible = worst->state == OperationalState::kUnknown && worst->not_checked,
          .reason = worst->reason};
}

HealthSummary JoinPath(HealthSummary plain, const PathSummary& path) {
  if (path.impossible) {
    absl::StrAppend(&plain.reason, "; ", path.reason);
    return plain;
  }
  if (plain.state == OperationalState::kDown) return plain;
  switch (path.state) {
    case OperationalState::kDown:
      plain.state = OperationalState::kDown;
      plain.reason =
          absl::StrCat("direct routing: ", path.reason, " (its own address: ", plain.reason, ")");
      break;
    case OperationalState::kUnknown:
      plain.state = OperationalState::kUnknown;
      absl::StrAppend(&plain.reason, "; direct routing: ", path.reason);
      break;
    case OperationalState::kUp:
      absl::StrAppend(&plain.reason, "; ", path.reason);
      break;
  }
  return plain;
}

}  // namespace fairlead::controller
