// ProcessStats: what the kernel says about this process, from /proc/self (proc(5)).
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "pkg/telemetry/metrics_writer.h"

namespace fairlead::telemetry {

struct ProcessStats {
  double cpu_seconds_total = 0;
  double start_time_seconds = 0;  // Unix time
  uint64_t resident_memory_bytes = 0;
  uint64_t virtual_memory_bytes = 0;
  uint64_t open_fds = 0;
  uint64_t max_fds = 0;
  uint64_t threads = 0;
};

// What cannot be read stays 0.
ProcessStats ReadProcessStats();

// The process_* families with the names that every Prometheus client library uses.
void WriteProcessMetrics(const ProcessStats& stats, MetricsWriter* writer);

// Pure; exposed for tests. Takes the fields of /proc/[pid]/stat after the command name, which may
// itself hold blanks and brackets, from `line`; `ticks_per_second` is sysconf(_SC_CLK_TCK), and
// `boot_time_seconds` the "btime" of /proc/stat.
ProcessStats ParseProcStat(absl::string_view line, double ticks_per_second,
                           double boot_time_seconds, uint64_t page_bytes);

}  // namespace fairlead::telemetry
