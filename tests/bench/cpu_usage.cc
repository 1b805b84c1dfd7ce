#include "tests/bench/cpu_usage.h"

#include <dirent.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>

namespace fairlead::bench {
namespace {

uint64_t TickNs() { return 1'000'000'000 / static_cast<uint64_t>(sysconf(_SC_CLK_TCK)); }

std::string ReadFile(const std::string& path) {
  std::string text;
  FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return text;
  char buffer[4096];
  size_t size;
  while ((size = std::fread(buffer, 1, sizeof(buffer), file)) > 0) text.append(buffer, size);
  std::fclose(file);
  return text;
}

uint64_t ThreadsTime(int process_id) {
  const std::string folder = "/proc/" + std::to_string(process_id) + "/task";
  DIR* threads = opendir(folder.c_str());
  if (threads == nullptr) return 0;
  uint64_t sum = 0;
  while (const dirent* thread = readdir(threads)) {
    if (thread->d_name[0] == '.') continue;
    const std::string text = ReadFile(folder + "/" + thread->d_name + "/schedstat");
    sum += std::strtoull(text.c_str(), nullptr, 10);
  }
  closedir(threads);
  return sum;
}

// proc_pid_stat(5): utime and stime are fields 14 and 15; the name before them may hold spaces.
uint64_t WholeProcessTime(int process_id) {
  const std::string text = ReadFile("/proc/" + std::to_string(process_id) + "/stat");
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  unsigned long long user = 0, system = 0;
  std::sscanf(text.c_str() + name_end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
              &user, &system);
  return (user + system) * TickNs();
}

// proc_stat(5): "cpuN user nice system idle iowait ..."
std::vector<uint64_t> IdleTimes() {
  std::vector<uint64_t> idle;
  const std::string text = ReadFile("/proc/stat");
  for (size_t at = text.find("\ncpu"); at != std::string::npos; at = text.find("\ncpu", at + 1)) {
    unsigned long long ticks = 0, waiting = 0;
    std::sscanf(text.c_str() + at, "\ncpu%*d %*u %*u %*u %llu %llu", &ticks, &waiting);
    idle.push_back((ticks + waiting) * TickNs());
  }
  return idle;
}

}  // namespace

uint64_t MonotonicNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

CpuUsage ReadCpuUsage(const std::vector<int>& process_ids) {
  CpuUsage usage;
  for (const int process_id : process_ids) {
    usage.threads_ns += ThreadsTime(process_id);
    usage.processes_ns += WholeProcessTime(process_id);
  }
  usage.idle_ns = IdleTimes();
  usage.now_ns = MonotonicNow();
  return usage;
}

uint64_t ProcessTime(const CpuUsage& begin, const CpuUsage& end) {
  const int64_t threads = static_cast<int64_t>(end.threads_ns - begin.threads_ns);
  const int64_t processes = static_cast<int64_t>(end.processes_ns - begin.processes_ns);
  const int64_t coarseness = 2 * static_cast<int64_t>(TickNs());
  const int64_t time = processes > threads + coarseness ? processes : threads;
  return time > 0 ? static_cast<uint64_t>(time) : 0;
}

uint64_t BusyTime(const CpuUsage& begin, const CpuUsage& end, size_t cpu) {
  if (cpu >= begin.idle_ns.size() || cpu >= end.idle_ns.size()) return 0;
  const uint64_t elapsed = end.now_ns - begin.now_ns;
  const uint64_t idle = end.idle_ns[cpu] - begin.idle_ns[cpu];
  return idle < elapsed ? elapsed - idle : 0;
}

}  // namespace fairlead::bench
