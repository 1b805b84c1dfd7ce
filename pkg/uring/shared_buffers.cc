#include "pkg/uring/shared_buffers.h"

#include <sys/mman.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"

namespace fairlead::uring {

absl::StatusOr<std::unique_ptr<SharedBuffers>> SharedBuffers::Create(const RingOptions& options) {
  const size_t size = size_t{options.buffers_max} * options.buffer_size;
  void* region = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (region == MAP_FAILED) {
    return base::LastErrnoStatus(absl::StrCat("map ", size, " bytes of receive buffers"));
  }
  return std::unique_ptr<SharedBuffers>(new SharedBuffers(options, static_cast<char*>(region)));
}

SharedBuffers::SharedBuffers(const RingOptions& options, char* region)
    : buffers_start_(std::min(options.buffers_start, options.buffers_max)),
      buffers_max_(options.buffers_max),
      buffer_size_(options.buffer_size),
      region_(region),
      states_(options.buffers_max) {
  // Low numbers at the back, so that the lowest addresses are used first.
  for (uint32_t i = options.buffers_max; i > buffers_start_; --i) spare_.push_back(i - 1);
  for (uint32_t i = 0; i < buffers_start_; ++i) to_provide_.push_back(i);
  provided_ = buffers_start_;
}

SharedBuffers::~SharedBuffers() { ::munmap(region_, size_t{buffers_max_} * buffer_size_); }

void SharedBuffers::GrowIfNeeded() {
  if (retired_ < provided_ - provided_ / 4 || spare_.empty()) return;
  const size_t more = std::min<size_t>(spare_.size(), std::max(provided_ / 2, 8u));
  for (size_t i = 0; i < more; ++i) {
    to_provide_.push_back(spare_.back());
    spare_.pop_back();
  }
  provided_ += static_cast<uint32_t>(more);
}

BufferSlice SharedBuffers::Consume(uint16_t buffer, uint32_t size, bool full) {
  State& state = states_[buffer];
  const BufferSlice slice{data(buffer) + state.fill, size, buffer};
  state.fill += size;
  ++state.slices;
  if (full) {
    state.retired = true;
    ++retired_;
    peak_ = std::max(peak_, retired_);
    GrowIfNeeded();
  }
  return slice;
}

void SharedBuffers::Release(const BufferSlice& slice) {
  State& state = states_[slice.buffer];
  if (--state.slices == 0 && state.retired) Recycle(slice.buffer);
}

void SharedBuffers::EndPeriod() {
  last_peak_ = peak_;
  peak_ = retired_;
}

void SharedBuffers::Recycle(uint16_t buffer) {
  states_[buffer] = State{};
  --retired_;
  const uint32_t kept = 2 * std::max(peak_, last_peak_);
  if (provided_ > std::max(buffers_start_, kept)) {
    ::madvise(data(buffer), buffer_size_, MADV_DONTNEED);
    spare_.push_back(buffer);
    --provided_;
  } else {
    to_provide_.push_back(buffer);
  }
}

}  // namespace fairlead::uring
