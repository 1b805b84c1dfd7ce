// SharedBuffers: the receive buffers of one ring, and who pins them. Pure bookkeeping over one
// lazily mapped region; the engine decides which buffers the kernel may fill.
//
//   region: [ buffer 0 ][ buffer 1 ] ... [ buffer buffers_max-1 ]      buffer_size bytes each
//
//   spare --Provide--> provided --Consume(last piece)--> retired --all slices released--> provided
//     ^                                                                                      |
//     +----- (more than twice the recent peak: memory given back to the system) ------------+
//
// A buffer is filled in pieces (IOU_PBUF_RING_INC, Linux 6.12; the epoll engine does the same),
// each piece is one slice; it returns to the kernel when it is full and every slice was released.
// One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/uring/ring.h"

namespace fairlead::uring {

class SharedBuffers {
 public:
  // Maps buffers_max * buffer_size bytes of address space; pages appear with use.
  static absl::StatusOr<std::unique_ptr<SharedBuffers>> Create(const RingOptions& options);
  ~SharedBuffers();
  SharedBuffers(const SharedBuffers&) = delete;
  SharedBuffers& operator=(const SharedBuffers&) = delete;

  char* data(uint16_t buffer) const { return region_ + size_t{buffer} * buffer_size_; }
  uint32_t buffer_size() const { return buffer_size_; }

  // Buffers that the engine should hand to the kernel now (it must hand over all of them): the
  // first `buffers_start`, recycled ones, and more when most are in use.
  std::vector<uint16_t>& to_provide() { return to_provide_; }
  // Adds spare buffers to to_provide() when at least 3/4 of the provided ones are retired.
  void GrowIfNeeded();

  // `size` bytes were received at the current fill position of `buffer`; `full` = no more will come
  // into it.
  BufferSlice Consume(uint16_t buffer, uint32_t size, bool full);
  void Release(const BufferSlice& slice);
  // About once a second: the peak of the period that ends decides how many buffers are kept, so
  // that a load that comes and goes within a turn neither maps nor unmaps.
  void EndPeriod();

  uint32_t fill(uint16_t buffer) const { return states_[buffer].fill; }
  uint32_t provided() const { return provided_; }
  uint32_t retired() const { return retired_; }
  bool any_free() const { return retired_ < provided_ || !spare_.empty(); }
  bool buffers_short() const { return retired_ > buffers_max_ - buffers_max_ / 4; }

 private:
  struct State {
    uint32_t fill = 0;     // bytes received so far
    uint32_t slices = 0;   // not yet released
    bool retired = false;  // full; waits for its slices
  };

  SharedBuffers(const RingOptions& options, char* region);
  void Recycle(uint16_t buffer);

  const uint32_t buffers_start_;
  const uint32_t buffers_max_;
  const uint32_t buffer_size_;
  char* const region_;
  std::vector<State> states_;
  std::vector<uint16_t> spare_;
  std::vector<uint16_t> to_provide_;
  uint32_t provided_ = 0;  // with the kernel, about to be, or retired
  uint32_t retired_ = 0;
  uint32_t peak_ = 0;       // of retired_, in this period
  uint32_t last_peak_ = 0;  // in the period before
};

}  // namespace fairlead::uring
