// The metrics of a ControlView. Names and labels are a promise to dashboards and alerts: add, do
// not rename. Labels are `namespace`, `vip`, `server`; what is not known is absent, not 0.
#pragma once

#include "absl/strings/string_view.h"
#include "pkg/controller/view.h"
#include "pkg/telemetry/metrics_writer.h"

namespace fairlead::controller {

// Sites with thousands of servers scrape with `?detail=vip`: 1/100 of the lines.
enum class MetricsDetail { kAll, kVip };

void WriteMetrics(const ControlView& view, MetricsDetail detail, telemetry::MetricsWriter* writer);

}  // namespace fairlead::controller
