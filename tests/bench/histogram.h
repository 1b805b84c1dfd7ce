// Latencies in logarithmic buckets: 128 steps per power of two, so a percentile is off by < 1 %.
#pragma once

#include <cstdint>
#include <vector>

namespace fairlead::bench {

class Histogram {
 public:
  Histogram();

  void Add(uint64_t nanoseconds);
  void Clear();

  // The value below which `fraction` (0..1) of the samples lie, in nanoseconds; 0 without samples.
  uint64_t Percentile(double fraction) const;
  uint64_t count() const { return count_; }

 private:
  std::vector<uint32_t> buckets_;
  uint64_t count_ = 0;
};

}  // namespace fairlead::bench
