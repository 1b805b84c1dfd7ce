// Ring: completion-based socket I/O for one thread, over io_uring or, where the host refuses it,
// over epoll with the same behaviour. It knows nothing of load balancing.
//
//   queue operations (Accept, Receive, Send, ...)  ->  Wait()  ->  completions, in a batch
//
// Rules:
//  - One thread owns a Ring; only `Wake` may be called by others.
//  - Queueing never runs anything; completions are only returned by Wait.
//  - `user_data` is the caller's: it comes back in every completion of that operation. 0 is
//    reserved: operations with user_data 0 complete silently.
//  - An operation's memory (message, address, payload) belongs to the ring until its last
//    completion (`more` false).
//  - Results are those of the system call: >= 0, or a negative errno.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace fairlead::uring {

enum class Engine { kAuto, kIoUring, kEpoll };
// "auto", "io_uring", "epoll": the words of --io-engine.
const char* EngineName(Engine engine);
absl::StatusOr<Engine> ParseEngine(absl::string_view name);

// A reference to received bytes in the ring's shared buffers. The receiver gives it back with
// ReleaseBuffer exactly once per completion that carried one.
struct BufferSlice {
  const char* data = nullptr;
  uint32_t size = 0;
  uint16_t buffer = 0;  // which buffer pins the bytes
};

struct Completion {
  uint64_t user_data = 0;
  int32_t result = 0;  // >= 0 or -errno
  bool more = false;   // a multishot operation goes on
  bool has_buffer = false;
  BufferSlice slice;  // valid when has_buffer
};

struct RingOptions {
  Engine engine = Engine::kAuto;
  uint32_t entries = 2048;  // submission queue; halved down to 256 when memory is short
  // Shared receive buffers. They are provided to the kernel in steps as they are needed, so memory
  // follows use: buffers_start at first, up to buffers_max. 0 = no Receive on this ring.
  uint32_t buffers_start = 256;
  uint32_t buffers_max = 16384;  // power of two, at most 32768
  uint32_t buffer_size = 16384;  // bytes
  // A Receive ends by itself (with data, `more` false) after about this many bytes, so that its
  // owner decides whether more may come. io_uring: Linux 6.17; before, a batch may bring as much as
  // the socket's receive buffer holds.
  uint32_t receive_bytes = 128 * 1024;
};

struct RingCounters {
  uint64_t waits = 0;              // times the thread entered the kernel to submit and wait
  uint64_t buffers_exhausted = 0;  // receives that ended with ENOBUFS
  uint64_t submit_retries = 0;     // the submission queue was full and had to be flushed
  uint32_t buffers_provided = 0;   // now
  uint32_t buffers_in_use = 0;     // now: pinned by slices not yet released
};

class Ring {
 public:
  // kAuto tries io_uring and falls back to epoll; `fallback_reason` (may be null) then gets the
  // cause and the fix in words. A forced engine that the host refuses is an error with the same
  // text.
  static absl::StatusOr<std::unique_ptr<Ring>> Create(const RingOptions& options,
                                                      std::string* fallback_reason);
  virtual ~Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  virtual Engine engine() const = 0;

  // Multishot: one completion per accepted connection, result = its descriptor (non-blocking,
  // close-on-exec). Ends (`more` false) with an error.
  virtual void Accept(int listener_fd, uint64_t user_data) = 0;
  // Multishot: one completion per piece of received data with a slice; result 0 = end of stream.
  // Ends after RingOptions::receive_bytes, at end of stream, at an error, with -ENOBUFS when every
  // buffer is in use (queue it again after buffers were released), or with -ECANCELED.
  virtual void Receive(int fd, uint64_t user_data) = 0;
  // Sends all `size` bytes unless an error or a cancellation stops it; result = bytes sent.
  virtual void Send(int fd, const void* data, size_t size, uint64_t user_data) = 0;
  virtual void SendMessage(int fd, const msghdr* message, uint64_t user_data) = 0;
  // A TCP socket of AF_INET or AF_INET6, non-blocking and close-on-exec; result = its descriptor.
  virtual void Socket(int family, uint64_t user_data) = 0;
  virtual void Connect(int fd, const sockaddr* address, socklen_t length, uint64_t user_data) = 0;
  // One shot; `events` and the result are poll(2) masks.
  virtual void Poll(int fd, uint32_t events, uint64_t user_data) = 0;
  // Cancels every operation queued with this user_data; each completes with -ECANCELED (or with its
  // result, if it was faster). Nothing happens when there is none.
  virtual void Cancel(uint64_t user_data) = 0;
  // setsockopt(2) of an int, in the order of queueing; a failure is ignored. For options that are
  // an optimisation: with io_uring (Linux 6.7) it costs no system call. `value` must outlive the
  // ring.
  virtual void SetOption(int fd, int level, int name, const int* value) = 0;
  // Closes the descriptor; no operation may be outstanding on it.
  virtual void Close(int fd) = 0;

  // Submits what is queued and waits until at least one completion is there, `timeout` passes or
  // Wake is called. Returns what completed (possibly nothing), valid until the next call.
  virtual absl::Span<const Completion> Wait(absl::Duration timeout) = 0;
  // Thread-safe and async-signal-safe: makes the current or next Wait return soon.
  virtual void Wake() = 0;

  // Gives the bytes of a slice back.
  virtual void ReleaseBuffer(const BufferSlice& slice) = 0;
  // To be called about once a second: lets buffers go that two periods did not need.
  virtual void EndPeriod() = 0;
  // Whether a receive that ended with -ENOBUFS would find a buffer now.
  virtual bool any_buffer_free() const = 0;
  // Buffers are short (above 3/4 of buffers_max in use): receivers should stop earlier.
  virtual bool buffers_short() const = 0;

  virtual RingCounters counters() const = 0;

 protected:
  Ring() = default;
};

}  // namespace fairlead::uring
