// CPU time of the proxy under test and of its CPU, read from /proc.
//
// Processes: the first number of /proc/PID/task/TID/schedstat, in nanoseconds, summed over the
// threads. A thread that ended meanwhile (a kernel worker of io_uring does) is missing from that
// sum, so the coarser utime + stime of /proc/PID/stat, which keeps ended threads, is taken where it
// shows more. CPU: the elapsed time less the idle time of /proc/stat, in steps of 10 ms. It
// includes everything else that ran there, so it says something on a quiet machine only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fairlead::bench {

struct CpuUsage {
  uint64_t now_ns = 0;              // CLOCK_MONOTONIC
  uint64_t threads_ns = 0;          // sum over the live threads
  uint64_t processes_ns = 0;        // whole processes, in steps of a clock tick
  std::vector<uint64_t> idle_ns{};  // per CPU
};

CpuUsage ReadCpuUsage(const std::vector<int>& process_ids);

// CPU time that the processes used between two readings.
uint64_t ProcessTime(const CpuUsage& begin, const CpuUsage& end);

// Time that `cpu` was not idle between two readings; 0 if there is no such CPU.
uint64_t BusyTime(const CpuUsage& begin, const CpuUsage& end, size_t cpu);

uint64_t MonotonicNow();

}  // namespace fairlead::bench
