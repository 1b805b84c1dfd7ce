// Counter: written by one thread, read by any. No locked instruction on the writer's side.
#pragma once

#include <atomic>
#include <cstdint>

namespace fairlead::telemetry {

class Counter {
 public:
  // Owner thread only.
  void Add(uint64_t amount = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  // Any thread.
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace fairlead::telemetry
