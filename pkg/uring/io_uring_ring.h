// The io_uring engine of Ring. Needs Linux 6.1 for multishot receive into a provided-buffer ring;
// uses incremental buffers from 6.12 on. See ring.h for the contract.
#pragma once

#include <liburing.h>

#include <memory>
#include <vector>

#include "pkg/base/unique_fd.h"
#include "pkg/uring/ring.h"
#include "pkg/uring/shared_buffers.h"

namespace fairlead::uring {

class IoUringRing final : public Ring {
 public:
  // Probes the host with a NOP. Errors name the likely cause and the fix: seccomp profile, sysctl
  // kernel.io_uring_disabled, RLIMIT_MEMLOCK, old kernel.
  static absl::StatusOr<std::unique_ptr<Ring>> Create(const RingOptions& options);
  ~IoUringRing() override;

  Engine engine() const override { return Engine::kIoUring; }
  void Accept(int listener_fd, uint64_t user_data) override;
  void Receive(int fd, uint64_t user_data) override;
  void Send(int fd, const void* data, size_t size, uint64_t user_data) override;
  void SendMessage(int fd, const msghdr* message, uint64_t user_data) override;
  void Socket(int family, uint64_t user_data) override;
  void Connect(int fd, const sockaddr* address, socklen_t length, uint64_t user_data) override;
  void Poll(int fd, uint32_t events, uint64_t user_data) override;
  void Cancel(uint64_t user_data) override;
  void SetOption(int fd, int level, int name, const int* value) override;
  void Close(int fd) override;
  absl::Span<const Completion> Wait(absl::Duration timeout) override;
  void Wake() override;
  void EndPeriod() override;
  void ReleaseBuffer(const BufferSlice& slice) override { buffers_->Release(slice); }
  bool any_buffer_free() const override { return buffers_ != nullptr && buffers_->any_free(); }
  bool buffers_short() const override { return buffers_ != nullptr && buffers_->buffers_short(); }
  RingCounters counters() const override;

 private:
  IoUringRing() = default;
  absl::Status SetUpRing(const RingOptions& options);
  absl::Status SetUpBuffers(const RingOptions& options);
  absl::Status Probe();
  static absl::StatusOr<int> ProbeOperation(io_uring& probe);
  io_uring_sqe* NextSqe();
  void ArmWake();
  void ProvideBuffers();
  void Collect();
  void AddCompletion(const io_uring_cqe& cqe);

  io_uring ring_{};
  bool ring_set_up_ = false;
  bool enabled_ = false;
  bool incremental_ = false;
  bool socket_commands_ = false;  // Linux 6.7: setsockopt as an operation
  bool receive_limit_ = false;    // Linux 6.17: a multishot receive may be told when to end
  uint32_t receive_bytes_ = 0;
  base::UniqueFd wake_;
  uint64_t wake_count_ = 0;
  std::unique_ptr<SharedBuffers> buffers_;
  io_uring_buf_ring* buffer_ring_ = nullptr;
  uint32_t buffer_ring_entries_ = 0;
  std::vector<Completion> completions_;
  RingCounters counters_;
};

}  // namespace fairlead::uring
