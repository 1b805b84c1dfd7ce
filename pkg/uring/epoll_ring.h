// The epoll engine of Ring: the same operations and completions for hosts that refuse io_uring
// (container seccomp profiles, kernel.io_uring_disabled). See ring.h for the contract.
//
//   queue -> attempt list -> Wait: try each once -> would block: epoll interest -> ready: try again
#pragma once

#include <sys/epoll.h>

#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "pkg/base/unique_fd.h"
#include "pkg/uring/ring.h"
#include "pkg/uring/shared_buffers.h"

namespace fairlead::uring {

class EpollRing final : public Ring {
 public:
  static absl::StatusOr<std::unique_ptr<Ring>> Create(const RingOptions& options);

  Engine engine() const override { return Engine::kEpoll; }
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
  void ReleaseBuffer(const BufferSlice& slice) override;
  bool any_buffer_free() const override { return buffers_ != nullptr && buffers_->any_free(); }
  bool buffers_short() const override { return buffers_ != nullptr && buffers_->buffers_short(); }
  RingCounters counters() const override;

 private:
  // What waits on one descriptor: at most one reader and one writer, as a socket has two
  // directions.
  enum class Reader : uint8_t { kNone, kAccept, kReceive, kPoll };
  enum class Writer : uint8_t { kNone, kSend, kSendMessage, kConnect, kPoll };
  struct Descriptor {
    uint64_t reader_data = 0;
    uint64_t writer_data = 0;
    Reader reader = Reader::kNone;
    Writer writer = Writer::kNone;
    bool queued = false;      // is in attempts_
    bool connecting = false;  // connect(2) said EINPROGRESS
    uint32_t registered = 0;  // epoll interest now
    uint32_t poll_events = 0;
    const char* data = nullptr;         // kSend
    const msghdr* message = nullptr;    // kSendMessage
    const sockaddr* address = nullptr;  // kConnect
    uint32_t size = 0;                  // kSend: bytes; kConnect: address length
    uint32_t sent = 0;
    uint32_t received = 0;  // kReceive: bytes of this operation
  };

  EpollRing() = default;
  Descriptor& At(int fd);
  void Queue(int fd, uint64_t user_data);
  void Attempt(int fd, uint32_t ready);
  void AttemptReader(int fd, Descriptor& descriptor, uint32_t ready);
  void AttemptWriter(int fd, Descriptor& descriptor, uint32_t ready);
  void AttemptAccept(int fd, Descriptor& descriptor);
  void AttemptReceive(int fd, Descriptor& descriptor);
  void AttemptSend(int fd, Descriptor& descriptor);
  void AttemptConnect(int fd, Descriptor& descriptor, uint32_t ready);
  void UpdateInterest(int fd, Descriptor& descriptor);
  void CompleteReader(Descriptor& descriptor, int result);
  void CompleteWriter(Descriptor& descriptor, int result);
  void TakeReceiveBuffer();

  base::UniqueFd epoll_;
  base::UniqueFd wake_;
  std::unique_ptr<SharedBuffers> buffers_;
  uint32_t receive_bytes_ = 0;
  std::vector<uint16_t> free_buffers_;
  int receive_buffer_ = -1;
  std::vector<Descriptor> descriptors_;       // by number
  absl::flat_hash_map<uint64_t, int> fd_of_;  // user_data of an outstanding operation -> descriptor
  std::vector<int> attempts_;
  std::vector<Completion> done_early_;  // cancelled, or complete when queued: for the next Wait
  std::vector<Completion> completions_;
  std::vector<epoll_event> events_;
  RingCounters counters_;
};

}  // namespace fairlead::uring
