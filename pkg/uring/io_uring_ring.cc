#include "pkg/uring/io_uring_ring.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"

namespace fairlead::uring {
namespace {

// Names that the distribution's liburing 2.3 does not have yet; values of the kernel's uapi header.
constexpr uint16_t kBufferRingIncremental = 2;       // IOU_PBUF_RING_INC, Linux 6.12
constexpr uint32_t kCompletionBufferMore = 1u << 4;  // IORING_CQE_F_BUF_MORE, Linux 6.12

constexpr uint16_t kBufferGroup = 0;
constexpr uint32_t kSocketSetOption = 3;  // SOCKET_URING_OP_SETSOCKOPT, Linux 6.7

// IORING_OP_URING_CMD with SOCKET_URING_OP_SETSOCKOPT, laid out as Linux 6.7's io_uring_sqe names
// it: cmd_op | level, optname | optlen | optval.
void PrepareSetOption(io_uring_sqe* sqe, int fd, int level, int name, const int* value) {
  io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fd, nullptr, 0, 0);
  sqe->off = kSocketSetOption;
  sqe->addr =
      static_cast<uint64_t>(static_cast<uint32_t>(name)) << 32 | static_cast<uint32_t>(level);
  sqe->file_index = sizeof(*value);
  sqe->addr3 = reinterpret_cast<uint64_t>(value);
}
// A multishot receive into the buffer ring; `limit` bytes in all (0 = no end), Linux 6.17.
void PrepareReceive(io_uring_sqe* sqe, int fd, uint32_t limit) {
  io_uring_prep_recv_multishot(sqe, fd, nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = kBufferGroup;
  sqe->file_index = limit;  // named optlen there
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "level and optname share one 64-bit field");

// struct io_uring_buf_reg with the `flags` member of Linux 6.4, of the same size in every version.
struct BufferRingRegistration {
  uint64_t ring_address;
  uint32_t ring_entries;
  uint16_t group;
  uint16_t flags;
  uint64_t reserved[3];
};
static_assert(sizeof(BufferRingRegistration) == sizeof(io_uring_buf_reg));

constexpr uint64_t kWakeUserData = ~uint64_t{0};
constexpr uint32_t kEntriesMin = 256;

std::string DisabledSysctl() {
  std::ifstream file("/proc/sys/kernel/io_uring_disabled");
  int value = 0;
  return file >> value && value != 0 ? absl::StrCat(value) : "";
}

// What the errno of io_uring_setup(2) means on real hosts, and what to do.
std::string SetupCause(int error) {
  const std::string sysctl = DisabledSysctl();
  switch (error) {
    case EPERM:
    case EACCES:
      if (!sysctl.empty()) {
        return absl::StrCat("sysctl kernel.io_uring_disabled is ", sysctl,
                            "; fix: sysctl -w kernel.io_uring_disabled=0");
      }
      return "likely the container's seccomp profile; fix: run with the profile "
             "docker/seccomp.json (docker run --security-opt seccomp=docker/seccomp.json)";
    case ENOSYS:
      return "the kernel has no io_uring or the container's seccomp profile hides it; fix: run "
             "with the profile docker/seccomp.json, Linux 6.1 or newer";
    case ENOMEM:
      return "RLIMIT_MEMLOCK is too low for the rings; fix: --ulimit memlock=-1 or CAP_IPC_LOCK";
    case EINVAL:
      return "the kernel is older than Linux 6.1; fix: a newer kernel, or --io-engine=epoll";
    default:
      return "unexpected; fix: --io-engine=epoll and tell us";
  }
}

absl::Status SetupError(int error, absl::string_view what) {
  return base::ErrnoStatus(error, absl::StrCat(what, " (", SetupCause(error), ")"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Ring>> IoUringRing::Create(const RingOptions& options) {
  std::unique_ptr<IoUringRing> ring(new IoUringRing());
  ring->receive_bytes_ = options.receive_bytes;
  if (absl::Status status = ring->SetUpRing(options); !status.ok()) return status;
  if (absl::Status status = ring->Probe(); !status.ok()) return status;
  if (options.buffers_max > 0) {
    if (absl::Status status = ring->SetUpBuffers(options); !status.ok()) return status;
  }
  ring->wake_.Reset(::eventfd(0, EFD_CLOEXEC));
  if (!ring->wake_.valid()) return base::LastErrnoStatus("eventfd for a ring");
  return ring;
}

absl::Status IoUringRing::SetUpRing(const RingOptions& options) {
  int result = 0;
  for (uint32_t entries = options.entries; entries >= kEntriesMin; entries /= 2) {
    io_uring_params params{};
    // R_DISABLED: the thread that first waits becomes the single issuer, not the one that creates.
    params.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                   IORING_SETUP_R_DISABLED;
    params.cq_entries = entries * 4;  // multishot: several completions per submission
    result = io_uring_queue_init_params(entries, &ring_, &params);
    if (result != -ENOMEM) break;
  }
  if (result < 0) return SetupError(-result, "io_uring_setup");
  ring_set_up_ = true;
  return absl::OkStatus();
}

// Some sandboxes let io_uring_setup(2) pass and refuse io_uring_enter(2) or registration: a plain
// second ring runs two operations, which also tell what the kernel knows. (The product ring must
// not be entered here: see R_DISABLED.)
absl::Status IoUringRing::Probe() {
  const base::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  io_uring probe{};
  if (int result = io_uring_queue_init(2, &probe, 0); result < 0) {
    return SetupError(-result, "io_uring_setup");
  }
  PrepareSetOption(io_uring_get_sqe(&probe), socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on);
  const absl::StatusOr<int> option = ProbeOperation(probe);
  // Without a buffer group a receive fails with ENOBUFS when it is run, and with EINVAL before that
  // when the kernel does not know the limit.
  PrepareReceive(io_uring_get_sqe(&probe), socket.get(), 1);
  const absl::StatusOr<int> receive = ProbeOperation(probe);
  io_uring_queue_exit(&probe);
  if (!option.ok()) return option.status();
  if (!receive.ok()) return receive.status();
  socket_commands_ = *option == 0;
  receive_limit_ = *receive != -EINVAL;
  return absl::OkStatus();
}

absl::StatusOr<int> IoUringRing::ProbeOperation(io_uring& probe) {
  const int result = io_uring_submit_and_wait(&probe, 1);
  if (result < 0) return SetupError(-result, "io_uring_enter");
  io_uring_cqe* cqe = nullptr;
  if (const int error = io_uring_peek_cqe(&probe, &cqe); error < 0) {
    return SetupError(-error, "io_uring completion");
  }
  const int value = cqe->res;
  io_uring_cqe_seen(&probe, cqe);
  return value;
}

absl::Status IoUringRing::SetUpBuffers(const RingOptions& options) {
  absl::StatusOr<std::unique_ptr<SharedBuffers>> buffers = SharedBuffers::Create(options);
  if (!buffers.ok()) return buffers.status();
  buffers_ = *std::move(buffers);
  buffer_ring_entries_ = options.buffers_max;
  const size_t size = size_t{buffer_ring_entries_} * sizeof(io_uring_buf);
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return base::LastErrnoStatus("map the buffer ring");
  buffer_ring_ = static_cast<io_uring_buf_ring*>(memory);
  BufferRingRegistration registration{};
  registration.ring_address = reinterpret_cast<uint64_t>(memory);
  registration.ring_entries = buffer_ring_entries_;
  registration.group = kBufferGroup;
  registration.flags = kBufferRingIncremental;
  auto* raw = reinterpret_cast<io_uring_buf_reg*>(&registration);
  int result = io_uring_register_buf_ring(&ring_, raw, 0);
  incremental_ = result == 0;
  if (result == -EINVAL) {
    registration.flags = 0;
    result = io_uring_register_buf_ring(&ring_, raw, 0);
  }
  if (result < 0) return SetupError(-result, "register the buffer ring");
  io_uring_buf_ring_init(buffer_ring_);
  ProvideBuffers();
  return absl::OkStatus();
}

IoUringRing::~IoUringRing() {
  // The owner has joined its operations; what is left is ours (the wake read). Exit cancels it.
  if (ring_set_up_) io_uring_queue_exit(&ring_);
  if (buffer_ring_ != nullptr) {
    ::munmap(buffer_ring_, size_t{buffer_ring_entries_} * sizeof(io_uring_buf));
  }
}

io_uring_sqe* IoUringRing::NextSqe() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  while (sqe == nullptr) {
    ++counters_.submit_retries;
    io_uring_submit(&ring_);
    sqe = io_uring_get_sqe(&ring_);
  }
  return sqe;
}

void IoUringRing::Accept(int listener_fd, uint64_t user_data) {
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_multishot_accept(sqe, listener_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  io_uring_sqe_set_data64(sqe, user_data);
}

void IoUringRing::Receive(int fd, uint64_t user_data) {
  io_uring_sqe* sqe = NextSqe();
  PrepareReceive(sqe, fd, receive_limit_ ? receive_bytes_ : 0);
  // A connection that was just made rarely has data: poll before the first try.
  sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
  io_uring_sqe_set_data64(sqe, user_data);
}

void IoUringRing::Send(int fd, const void* data, size_t size, uint64_t user_data) {
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_send(sqe, fd, data, size, MSG_NOSIGNAL | MSG_WAITALL);
  io_uring_sqe_set_data64(sqe, user_data);
}

void IoUringRing::SendMessage(int fd, const msghdr* message, uint64_t user_data) {
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_sendmsg(sqe, fd, message, MSG_NOSIGNAL | MSG_WAITALL);
  io_uring_sqe_set_data64(sqe, user_data);
}

void IoUringRing::Socket(int family, uint64_t user_data) {
  io_uring_sqe* sqe = NextSqe();
  // io_uring_prep_socket of liburing 2.4: Linux 5.19.
  io_uring_prep_rw(IORING_OP_SOCKET, sqe, family, nullptr, 0,
                   SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC);
  io_uring_sqe_set_data64(sqe, user_data);
}

void IoUringRing::Connect(int fd, const sockaddr* address, socklen_t length, uint64_t user_data) {
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_connect(sqe, fd, address, length);
  io_uring_sqe_set_data64(sqe, user_data);
}

void IoUringRing::Poll(int fd, uint32_t events, uint64_t user_data) {
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_poll_add(sqe, fd, events);
  io_uring_sqe_set_data64(sqe, user_data);
}

void IoUringRing::Cancel(uint64_t user_data) {
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_cancel64(sqe, user_data, IORING_ASYNC_CANCEL_ALL);
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  io_uring_sqe_set_data64(sqe, 0);
}

void IoUringRing::SetOption(int fd, int level, int name, const int* value) {
  if (!socket_commands_) {
    ::setsockopt(fd, level, name, value, sizeof(*value));
    return;
  }
  io_uring_sqe* sqe = NextSqe();
  PrepareSetOption(sqe, fd, level, name, value);
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  io_uring_sqe_set_data64(sqe, 0);
}

void IoUringRing::Close(int fd) {
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_close(sqe, fd);
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  io_uring_sqe_set_data64(sqe, 0);
}

void IoUringRing::ArmWake() {
  io_uring_sqe* sqe = NextSqe();
  io_uring_prep_read(sqe, wake_.get(), &wake_count_, sizeof(wake_count_), 0);
  io_uring_sqe_set_data64(sqe, kWakeUserData);
}

void IoUringRing::Wake() {
  const uint64_t one = 1;
  [[maybe_unused]] ssize_t written = ::write(wake_.get(), &one, sizeof(one));
}

void IoUringRing::ProvideBuffers() {
  std::vector<uint16_t>& buffers = buffers_->to_provide();
  if (buffers.empty()) return;
  const int mask = io_uring_buf_ring_mask(buffer_ring_entries_);
  for (size_t i = 0; i < buffers.size(); ++i) {
    io_uring_buf_ring_add(buffer_ring_, buffers_->data(buffers[i]), buffers_->buffer_size(),
                          buffers[i], mask, static_cast<int>(i));
  }
  io_uring_buf_ring_advance(buffer_ring_, static_cast<int>(buffers.size()));
  buffers.clear();
}

absl::Span<const Completion> IoUringRing::Wait(absl::Duration timeout) {
  if (!enabled_) {
    // The distribution's liburing 2.3 declares io_uring_enable_rings but does not export it.
    ::syscall(__NR_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
    enabled_ = true;
    // One descriptor look-up less per system call; refused only where it does not matter.
    io_uring_register_ring_fd(&ring_);
    ArmWake();
  }
  if (buffers_ != nullptr) ProvideBuffers();
  completions_.clear();
  ++counters_.waits;
  if (timeout == absl::InfiniteDuration()) {
    io_uring_submit_and_wait(&ring_, 1);
  } else {
    const timespec wait = absl::ToTimespec(std::max(timeout, absl::ZeroDuration()));
    __kernel_timespec kernel_wait{wait.tv_sec, wait.tv_nsec};
    io_uring_cqe* unused = nullptr;
    io_uring_submit_and_wait_timeout(&ring_, &unused, 1, &kernel_wait, nullptr);
  }
  Collect();
  return completions_;
}

void IoUringRing::Collect() {
  io_uring_cqe* cqe = nullptr;
  unsigned head = 0;
  unsigned seen = 0;
  io_uring_for_each_cqe(&ring_, head, cqe) {
    ++seen;
    if (cqe->user_data == kWakeUserData) {
      ArmWake();
    } else if (cqe->user_data != 0) {
      AddCompletion(*cqe);
    }
  }
  io_uring_cq_advance(&ring_, seen);
}

void IoUringRing::AddCompletion(const io_uring_cqe& cqe) {
  Completion completion;
  completion.user_data = cqe.user_data;
  completion.result = cqe.res;
  completion.more = (cqe.flags & IORING_CQE_F_MORE) != 0;
  if ((cqe.flags & IORING_CQE_F_BUFFER) != 0 && cqe.res > 0) {
    const bool full = !incremental_ || (cqe.flags & kCompletionBufferMore) == 0;
    const auto buffer = static_cast<uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
    completion.has_buffer = true;
    completion.slice = buffers_->Consume(buffer, static_cast<uint32_t>(cqe.res), full);
  }
  if (cqe.res == -ENOBUFS && buffers_ != nullptr) {
    ++counters_.buffers_exhausted;
    buffers_->GrowIfNeeded();
  }
  completions_.push_back(completion);
}

void IoUringRing::EndPeriod() {
  if (buffers_ != nullptr) buffers_->EndPeriod();
}

RingCounters IoUringRing::counters() const {
  RingCounters counters = counters_;
  if (buffers_ != nullptr) {
    counters.buffers_provided = buffers_->provided();
    counters.buffers_in_use = buffers_->retired();
  }
  return counters;
}

}  // namespace fairlead::uring
