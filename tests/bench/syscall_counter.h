// Counts the system calls of processes through the tracepoint raw_syscalls:sys_enter, which costs
// them far less than ptrace does: a proxy slowed down by strace batches more than it really would.
#pragma once

#include <cstdint>
#include <vector>

namespace fairlead::bench {

class SyscallCounter {
 public:
  // Counts all threads that the processes have now and those that these start later. Ends the
  // program with a message if the kernel does not allow it (tracefs not mounted, no CAP_PERFMON).
  explicit SyscallCounter(const std::vector<int>& process_ids);
  ~SyscallCounter();
  SyscallCounter(const SyscallCounter&) = delete;
  SyscallCounter& operator=(const SyscallCounter&) = delete;

  // Calls entered since construction.
  uint64_t Count() const;

 private:
  std::vector<int> counters_;
};

}  // namespace fairlead::bench
