#include "pkg/telemetry/process_stats.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace fairlead::telemetry {
namespace {

std::string ReadSmallFile(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

double BootTime() {
  const std::string text = ReadSmallFile("/proc/stat");
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    double seconds = 0;
    if (absl::StartsWith(line, "btime ") && absl::SimpleAtod(line.substr(6), &seconds)) {
      return seconds;
    }
  }
  return 0;
}

uint64_t CountOpenFds() {
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  uint64_t count = 0;
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_name[0] != '.') ++count;
  }
  ::closedir(directory);
  return count > 0 ? count - 1 : 0;  // the descriptor of this very directory
}

uint64_t FieldAt(const std::vector<absl::string_view>& fields, size_t index) {
  uint64_t value = 0;
  if (index >= fields.size() || !absl::SimpleAtoi(fields[index], &value)) return 0;
  return value;
}

}  // namespace

ProcessStats ParseProcStat(absl::string_view line, double ticks_per_second,
                           double boot_time_seconds, uint64_t page_bytes) {
  ProcessStats stats;
  const size_t bracket = line.rfind(')');
  if (bracket == absl::string_view::npos || ticks_per_second <= 0) return stats;
  // proc(5) numbers the fields from 1; after the bracket comes field 3, here index 0.
  const std::vector<absl::string_view> fields =
      absl::StrSplit(line.substr(bracket + 1), absl::ByAnyChar(" \n"), absl::SkipEmpty());
  constexpr size_t kFirstField = 3;
  const auto field = [&](size_t number) { return FieldAt(fields, number - kFirstField); };
  stats.cpu_seconds_total = static_cast<double>(field(14) + field(15)) / ticks_per_second;
  stats.threads = field(20);
  stats.start_time_seconds = boot_time_seconds + static_cast<double>(field(22)) / ticks_per_second;
  stats.virtual_memory_bytes = field(23);
  stats.resident_memory_bytes = field(24) * page_bytes;
  return stats;
}

ProcessStats ReadProcessStats() {
  ProcessStats stats =
      ParseProcStat(ReadSmallFile("/proc/self/stat"), static_cast<double>(::sysconf(_SC_CLK_TCK)),
                    BootTime(), static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)));
  stats.open_fds = CountOpenFds();
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.max_fds = limit.rlim_cur;
  return stats;
}

void WriteProcessMetrics(const ProcessStats& stats, MetricsWriter* writer) {
  writer->Family("process_cpu_seconds_total", MetricType::kCounter,
                 "User and system CPU time spent in seconds.");
  writer->Sample({}, stats.cpu_seconds_total);
  writer->Family("process_start_time_seconds", MetricType::kGauge,
                 "Start time of the process since the Unix epoch in seconds.");
  writer->Sample({}, stats.start_time_seconds);
  writer->Family("process_resident_memory_bytes", MetricType::kGauge,
                 "Resident memory size in bytes.");
  writer->Sample({}, stats.resident_memory_bytes);
  writer->Family("process_virtual_memory_bytes", MetricType::kGauge,
                 "Virtual memory size in bytes.");
  writer->Sample({}, stats.virtual_memory_bytes);
  writer->Family("process_open_fds", MetricType::kGauge, "Number of open file descriptors.");
  writer->Sample({}, stats.open_fds);
  writer->Family("process_max_fds", MetricType::kGauge, "Maximum number of open file descriptors.");
  writer->Sample({}, stats.max_fds);
  writer->Family("process_threads", MetricType::kGauge, "Number of threads.");
  writer->Sample({}, stats.threads);
}

}  // namespace fairlead::telemetry
