#include "tests/bench/syscall_counter.h"

#include <dirent.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/bench/socket.h"

namespace fairlead::bench {
namespace {

constexpr char kIdPath[] = "/sys/kernel/tracing/events/raw_syscalls/sys_enter/id";

uint64_t TracepointId() {
  FILE* file = std::fopen(kIdPath, "re");
  if (file == nullptr) Fail(kIdPath);
  char text[32] = "";
  if (std::fgets(text, sizeof(text), file) == nullptr) Fail(kIdPath);
  std::fclose(file);
  return std::strtoull(text, nullptr, 10);
}

int OpenCounter(uint64_t tracepoint_id, int thread_id) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.size = sizeof(attributes);
  attributes.config = tracepoint_id;
  attributes.inherit = 1;
  const long fd =
      syscall(SYS_perf_event_open, &attributes, thread_id, -1, -1, PERF_FLAG_FD_CLOEXEC);
  if (fd < 0) Fail("perf_event_open");
  return static_cast<int>(fd);
}

}  // namespace

SyscallCounter::SyscallCounter(const std::vector<int>& process_ids) {
  const uint64_t tracepoint_id = TracepointId();
  for (const int process_id : process_ids) {
    DIR* threads = opendir(("/proc/" + std::to_string(process_id) + "/task").c_str());
    if (threads == nullptr) Fail("process " + std::to_string(process_id));
    while (const dirent* thread = readdir(threads)) {
      const int thread_id = std::atoi(thread->d_name);
      if (thread_id > 0) counters_.push_back(OpenCounter(tracepoint_id, thread_id));
    }
    closedir(threads);
  }
}

SyscallCounter::~SyscallCounter() {
  for (const int fd : counters_) close(fd);
}

uint64_t SyscallCounter::Count() const {
  uint64_t sum = 0;
  for (const int fd : counters_) {
    uint64_t count = 0;
    if (read(fd, &count, sizeof(count)) != sizeof(count)) Fail("read of a counter");
    sum += count;
  }
  return sum;
}

}  // namespace fairlead::bench
