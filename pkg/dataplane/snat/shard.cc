#include "pkg/dataplane/snat/shard.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "pkg/base/log.h"

namespace fairlead::dataplane::snat {
namespace {

// user_data beside the sessions' (see kOperationMask).
constexpr uint64_t kMailboxUserData = 15;
constexpr uint64_t kSocketTag = 13;
constexpr uint64_t kSocketUserData[] = {0x10 | kSocketTag, 0x20 | kSocketTag};
constexpr int kSocketFamily[] = {AF_INET, AF_INET6};
constexpr size_t kSpareSocketsMax = 32;  // of each family

// One buffer takes the pieces of many sessions, so a large one costs no memory; with 64 KiB an
// answer of 16 KiB is cut in two by a buffer's end once in four times (with 16 KiB: nearly always,
// which cost 12 % CPU and one segment in five). 4,096 of them are 256 MiB, beyond which pieces are
// kept in private copies.
constexpr uint32_t kReceiveBufferBytes = 64 * 1024;
constexpr uint32_t kReceiveBuffersMax = 4096;
constexpr uint64_t kPrivateBytesMax = 256 * 1024 * 1024;

constexpr uint32_t kPeriodicMs = 250;
constexpr size_t kMailboxCapacity = 4096;
// Pooled objects kept beyond what is in use: enough that steady work allocates nothing.
constexpr size_t kPooledMax = 4096;
// Pipes of 64 KiB cost twice the CPU per byte, those of 256 KiB about a tenth more. 64 spliced
// directions a shard hold 64 MiB at most.
constexpr size_t kPipesMax = 64;
constexpr int kPipeBytes = 1024 * 1024;

// Whether the scheduler chooses it for new clients.
bool TakesTurns(const PlanServer& server) {
  return server.eligibility == model::Eligibility::kAll && server.weight > 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Shard>> Shard::Create(
    const ShardOptions& options, const base::Clock& clock,
    std::shared_ptr<scheduler::PersistenceTable> persistence, std::string* fallback_reason) {
  std::unique_ptr<Shard> shard(new Shard(options, clock, std::move(persistence)));
  uring::RingOptions ring_options;
  ring_options.engine = options.engine;
  // A small first step, which also fits a core's cache: idle connections need none, and the ring
  // grows with use.
  ring_options.buffers_start = 4;
  ring_options.buffer_size = kReceiveBufferBytes;
  ring_options.buffers_max = kReceiveBuffersMax;
  absl::StatusOr<std::unique_ptr<uring::Ring>> ring =
      uring::Ring::Create(ring_options, fallback_reason);
  if (!ring.ok()) return ring.status();
  shard->ring_ = *std::move(ring);
  absl::StatusOr<std::unique_ptr<base::Mailbox<ShardMessage>>> mailbox =
      base::Mailbox<ShardMessage>::Create(kMailboxCapacity);
  if (!mailbox.ok()) return mailbox.status();
  shard->mailbox_ = *std::move(mailbox);
  return shard;
}

Shard::Shard(const ShardOptions& options, const base::Clock& clock,
             std::shared_ptr<scheduler::PersistenceTable> persistence)
    : index_(options.index),
      clock_(clock),
      persistence_(std::move(persistence)),
      now_ns_(static_cast<uint64_t>(absl::ToInt64Nanoseconds(clock.Monotonic()))),
      now_ms_(now_ns_ / 1'000'000),
      wheel_(now_ms_),
      pool_(*this, options.sessions_max),
      sessions_max_(options.sessions_max),
      sessions_all_(options.sessions_all) {}

Shard::~Shard() {
  for (const SpareSockets& spare : spare_sockets_) {
    for (const int fd : spare.ready) ::close(fd);
  }
  for (const auto& pipe : pipes_) {
    ::close(pipe->read_fd);
    ::close(pipe->write_fd);
  }
}

void Shard::Start(std::vector<Shard*> peers) {
  peers_ = std::move(peers);
  thread_ = std::thread([this] { Run(); });
}

void Shard::Join() {
  if (thread_.joinable()) thread_.join();
}

void Shard::Post(const ShardMessage& message) {
  while (!ended_.load(std::memory_order_acquire) && !mailbox_->TryPost(message)) ::usleep(1000);
}

void Shard::Run() {
  ArmMailbox();
  // The end: every session closed and every accept joined.
  while (!stopping_ || pool_.in_use() > 0 || !closing_listeners_.empty() ||
         paused_listeners_ < listeners_.size() ||
         spare_sockets_[0].coming + spare_sockets_[1].coming > 0) {
    const absl::Span<const uring::Completion> completions = ring_->Wait(NextTimeout());
    UpdateTime();
    for (const uring::Completion& completion : completions) Dispatch(completion);
    for (Session* session : due_) session->SendDue();
    due_.clear();
    wheel_.Expire(now_ms_, [](TimerNode& node) { static_cast<Session&>(node).OnDeadline(); });
    // Not before a buffer came back: each would end with ENOBUFS at once, and the thread would
    // spin.
    if (!starved_.empty() && ring_->any_buffer_free()) {
      for (Session* session : std::exchange(starved_, {})) session->ResumeStarved();
    }
    if (now_ms_ - last_periodic_ms_ >= kPeriodicMs) RunPeriodic();
    RefillSockets();
  }
  ring_->Wait(absl::ZeroDuration());  // submits the last closes
  sessions_active_.store(0, std::memory_order_relaxed);
  ended_.store(true, std::memory_order_release);
}

void Shard::UpdateTime() {
  now_ns_ = static_cast<uint64_t>(absl::ToInt64Nanoseconds(clock_.Monotonic()));
  now_ms_ = now_ns_ / 1'000'000;
}

absl::Duration Shard::NextTimeout() const {
  const int64_t wheel_ms = wheel_.NextDelayMs(now_ms_);
  const bool periodic_work = stop_deadline_ != absl::InfiniteDuration() || paused_listeners_ > 0 ||
                             !starved_.empty() || pool_.in_use() > 0 ||
                             (plan_ != nullptr && !plan_->cuts.empty());
  if (wheel_ms < 0 && !periodic_work) return absl::InfiniteDuration();
  int64_t wait_ms = periodic_work ? kPeriodicMs : wheel_ms;
  if (wheel_ms >= 0) wait_ms = std::min(wait_ms, wheel_ms);
  // Starved receivers are tried again soon even when no completion comes.
  if (!starved_.empty()) wait_ms = std::min<int64_t>(wait_ms, 10);
  return absl::Milliseconds(wait_ms);
}

void Shard::Dispatch(const uring::Completion& completion) {
  const uint64_t tag = completion.user_data & kOperationMask;
  if (completion.user_data == kMailboxUserData) {
    ReadMailbox();
  } else if (tag == kSocketTag) {
    OnSocket(completion);
  } else if (tag == kListenerTag) {
    OnAccept(*reinterpret_cast<Listener*>(completion.user_data & ~kOperationMask), completion);
  } else {
    auto* session = reinterpret_cast<Session*>(completion.user_data & ~kOperationMask);
    session->OnCompletion(static_cast<Operation>(tag), completion);
  }
}

void Shard::ArmMailbox() { ring_->Poll(mailbox_->wake_fd(), POLLIN, kMailboxUserData); }

void Shard::ReadMailbox() {
  for (ShardMessage& message : mailbox_->Drain()) {
    std::visit([this](auto& content) { Handle(content); }, message);
  }
  ArmMailbox();
}

// A server that begins or begins again to take clients starts at the present turn: it does not make
// up for what it missed, which would send it a burst.
void Shard::JoinTurns(const SnatPlan& before) {
  for (const auto& service : plan_->services) {
    const SnatService* former = before.Find(service->spec->id);
    if (former == service.get()) continue;
    absl::flat_hash_set<const ServerRuntime*> served;
    for (size_t i = 0; former != nullptr && i < former->servers.size(); ++i) {
      if (TakesTurns(former->spec->servers[i])) served.insert(former->servers[i].get());
    }
    const double now =
        service->runtime->shards[index_].virtual_time.load(std::memory_order_relaxed);
    for (size_t i = 0; i < service->servers.size(); ++i) {
      ServerRuntime& server = *service->servers[i];
      if (!TakesTurns(service->spec->servers[i]) || served.contains(&server)) continue;
      std::atomic<double>& finish = server.shards[index_].finish;
      if (finish.load(std::memory_order_relaxed) < now) {
        finish.store(now, std::memory_order_relaxed);
      }
    }
  }
}

void Shard::Handle(UpdatePlan& update) {
  const std::shared_ptr<const SnatPlan> before = std::exchange(plan_, std::move(update.plan));
  if (before != nullptr) JoinTurns(*before);
  for (const ClosedListener& closed : update.closed) {
    for (const base::UniqueFd& fd : *closed.sockets) CloseListener(fd.get(), closed);
  }
  for (const ListenerTarget& target : update.opened) OpenListener(target);
  CutSessions();
  // New limits, weights or servers may have room for those who wait.
  std::vector<uint32_t> waiting;
  for (const auto& [service_id, queue] : queues_) {
    if (!queue.empty()) waiting.push_back(service_id);
  }
  for (const uint32_t service_id : waiting) ServeOwnQueue(service_id);
  applied_revision_.store(plan_->revision, std::memory_order_release);
}

void Shard::Handle(ServeQueue& message) { ServeOwnQueue(message.service_id); }

void Shard::Handle(StopAccepting& message) { CancelAllAccepts(message.listeners); }

void Shard::Handle(StopSessions& message) {
  stopping_ = true;
  stop_deadline_ = message.deadline;
}

void Shard::RunPeriodic() {
  last_periodic_ms_ = now_ms_;
  if (paused_listeners_ > 0) ResumeListeners();
  CutSessions();
  if (clock_.Monotonic() >= stop_deadline_) {
    pool_.ForEach([](Session& session) { session.End(EndReason::kShutdown); });
    stop_deadline_ = absl::InfiniteDuration();
  }
  if (now_ms_ - last_period_ms_ >= 1000) {
    last_period_ms_ = now_ms_;
    ring_->EndPeriod();
  }
  const uring::RingCounters counters = ring_->counters();
  buffers_exhausted_.store(counters.buffers_exhausted, std::memory_order_relaxed);
  buffers_in_use_.store(counters.buffers_in_use, std::memory_order_relaxed);
}

void Shard::CutSessions() {
  if (plan_ == nullptr || plan_->cuts.empty()) return;
  const absl::Duration now = clock_.Monotonic();
  for (const SessionCut& cut : plan_->cuts) {
    const uint32_t connections = cut.server != nullptr
                                     ? cut.server->connections.load(std::memory_order_relaxed)
                                     : cut.service->connections.load(std::memory_order_relaxed);
    if (cut.at > now || connections == 0) continue;
    pool_.ForEach([&cut](Session& session) {
      const bool hit = cut.server != nullptr ? session.server() == cut.server.get()
                                             : session.service() == cut.service.get();
      if (!hit) return;
      // Whoever is still connecting to the server gets the next one.
      cut.server != nullptr ? session.LeaveServer() : session.End(EndReason::kCut);
    });
  }
}

void Shard::Release(Session& session) {
  TimerWheel::Remove(session);
  pool_.Put(&session);
  sessions_all_->fetch_sub(1, std::memory_order_relaxed);
  sessions_active_.store(pool_.in_use(), std::memory_order_relaxed);
}

void Shard::RemoveStarved(Session& session) {
  starved_.erase(std::remove(starved_.begin(), starved_.end(), &session), starved_.end());
}

int Shard::TakeSocket(int family) {
  SpareSockets& spare = spare_sockets_[family == AF_INET6];
  ++spare.taken;
  if (spare.ready.empty()) {
    return ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  }
  const int fd = spare.ready.back();
  spare.ready.pop_back();
  return fd;
}

// As many ahead as the last busy turn took, twice; nothing while nobody connects.
void Shard::RefillSockets() {
  for (int i = 0; i < 2; ++i) {
    SpareSockets& spare = spare_sockets_[i];
    const size_t wanted = stopping_ ? 0 : std::min(kSpareSocketsMax, 2 * spare.taken);
    spare.taken = 0;
    for (; spare.ready.size() + spare.coming < wanted; ++spare.coming) {
      ring_->Socket(kSocketFamily[i], kSocketUserData[i]);
    }
  }
}

void Shard::OnSocket(const uring::Completion& completion) {
  SpareSockets& spare = spare_sockets_[completion.user_data == kSocketUserData[1]];
  --spare.coming;
  // A failure (EMFILE) is met again, and counted, by the session that needs one.
  if (completion.result >= 0) spare.ready.push_back(completion.result);
}

uring::BufferSlice Shard::Keep(const uring::BufferSlice& slice) {
  if (!ring_->buffers_short() || private_bytes_ + slice.size > kPrivateBytesMax) return slice;
  char* copy = static_cast<char*>(::malloc(slice.size));
  if (copy == nullptr) return slice;
  std::memcpy(copy, slice.data, slice.size);
  private_bytes_ += slice.size;
  ring_->ReleaseBuffer(slice);
  return {copy, slice.size, kPrivateBuffer};
}

void Shard::ReleaseSlice(const uring::BufferSlice& slice) {
  if (slice.buffer != kPrivateBuffer) return ring_->ReleaseBuffer(slice);
  private_bytes_ -= slice.size;
  ::free(const_cast<char*>(slice.data));
}

ConnectState* Shard::GetConnectState() {
  if (connect_states_.empty()) return new ConnectState();
  ConnectState* state = connect_states_.back().release();
  connect_states_.pop_back();
  return state;
}

void Shard::PutConnectState(ConnectState* state) {
  std::unique_ptr<ConnectState> owned(state);
  if (connect_states_.size() >= kPooledMax) return;
  state->client_known = false;
  state->is_fallback = false;
  state->last_error = 0;
  state->tried.clear();
  state->header.clear();
  connect_states_.push_back(std::move(owned));
}

SendQueue* Shard::GetSendQueue() {
  if (send_queues_.empty()) return new SendQueue();
  SendQueue* queue = send_queues_.back().release();
  send_queues_.pop_back();
  return queue;
}

void Shard::PutSendQueue(SendQueue* queue) {
  std::unique_ptr<SendQueue> owned(queue);
  queue->slices.clear();
  queue->head = 0;
  queue->head_sent = 0;
  if (send_queues_.size() < kPooledMax) send_queues_.push_back(std::move(owned));
}

SplicePipe* Shard::GetPipe() {
  if (pipes_in_use_ >= kPipesMax) return nullptr;
  if (pipes_.empty()) {
    int fds[2];
    if (::pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) return nullptr;
    // Refused beyond /proc/sys/fs/pipe-user-pages-soft: the default 64 KiB works as well, slower.
    ::fcntl(fds[1], F_SETPIPE_SZ, kPipeBytes);
    pipes_.push_back(std::make_unique<SplicePipe>(SplicePipe{fds[0], fds[1], 0}));
  }
  SplicePipe* pipe = pipes_.back().release();
  pipes_.pop_back();
  ++pipes_in_use_;
  return pipe;
}

void Shard::PutPipe(SplicePipe* pipe) {
  --pipes_in_use_;
  std::unique_ptr<SplicePipe> owned(pipe);
  if (pipe->bytes == 0 && pipes_.size() < kPipesMax / 4) {
    pipes_.push_back(std::move(owned));
    return;
  }
  ::close(pipe->read_fd);
  ::close(pipe->write_fd);
}

}  // namespace fairlead::dataplane::snat
