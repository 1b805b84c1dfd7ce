#include "tests/bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cstddef>

namespace fairlead::bench {
namespace {

constexpr int kStepBits = 7;
constexpr uint64_t kSteps = 1 << kStepBits;
constexpr size_t kBuckets = (64 - kStepBits + 1) * kSteps;

// Below 2 * kSteps a bucket is one nanosecond wide; each power of two above doubles the width.
size_t BucketOf(uint64_t value) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - kStepBits - 1);
  return static_cast<size_t>(shift) * kSteps + (value >> shift);
}

uint64_t MiddleOf(size_t bucket) {
  if (bucket < 2 * kSteps) return bucket;
  const uint64_t shift = bucket / kSteps - 1;
  return ((bucket - shift * kSteps) << shift) + (uint64_t{1} << shift) / 2;
}

}  // namespace

Histogram::Histogram() : buckets_(kBuckets) {}

void Histogram::Add(uint64_t nanoseconds) {
  ++buckets_[BucketOf(nanoseconds)];
  ++count_;
}

void Histogram::Clear() {
  std::fill(buckets_.begin(), buckets_.end(), 0);
  count_ = 0;
}

uint64_t Histogram::Percentile(double fraction) const {
  const uint64_t wanted = static_cast<uint64_t>(fraction * static_cast<double>(count_));
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen > wanted) return MiddleOf(i);
  }
  return 0;
}

}  // namespace fairlead::bench
