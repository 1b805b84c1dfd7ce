// The listeners of a shard: accepting, refusing, pausing.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "pkg/base/log.h"
#include "pkg/dataplane/snat/shard.h"

namespace fairlead::dataplane::snat {
namespace {

constexpr uint32_t kPauseMs = 100;
// Clients that are refused at once come back at once (one print tool made 23,985 connections in
// 5 s): beyond this number of refusals in 100 ms a listener rests for as long.
constexpr uint32_t kRefusalsPerWindow = 64;
// Taken from the queue of a socket that closes, at most: what can wait there (somaxconn).
constexpr int kLastClientsMax = 4096;

uint64_t UserData(Listener& listener) {
  return reinterpret_cast<uint64_t>(&listener) | kListenerTag;
}

void ResetAndClose(int fd) {
  const linger reset{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  ::close(fd);
}

}  // namespace

void Shard::OpenListener(const ListenerTarget& target) {
  std::unique_ptr<Listener>& listener = listeners_[target.listener.fd];
  const bool fresh = listener == nullptr;
  if (fresh) listener = std::make_unique<Listener>();
  listener->endpoint = target.listener.endpoint;
  listener->service_id = target.service_id;
  listener->port = target.port;
  if (!fresh) return;
  listener->fd = target.listener.fd;
  if (accepting_) {
    ring_->Accept(listener->fd, UserData(*listener));
  } else {
    listener->state = Listener::State::kPaused;
    ++paused_listeners_;
  }
}

void Shard::CloseListener(int fd, const ClosedListener& closed) {
  const auto found = listeners_.find(fd);
  if (found == listeners_.end()) return;
  std::unique_ptr<Listener> listener = std::move(found->second);
  listeners_.erase(found);
  listener->closing = closed.sockets;
  if (listener->state == Listener::State::kPaused) {
    --paused_listeners_;
    return;  // no operation is outstanding: the socket closes here
  }
  listener->state = Listener::State::kClosing;
  ring_->Cancel(UserData(*listener));
  closing_listeners_.push_back(std::move(listener));
}

void Shard::OnAccept(Listener& listener, const uring::Completion& completion) {
  if (completion.result >= 0) {
    StartSession(listener, completion.result);
    if (completion.more) return;
  }
  if (!completion.more) OnAcceptStopped(listener, completion.result);
}

void Shard::StartSession(Listener& listener, int fd) {
  const SnatService* service = plan_->Find(listener.service_id);
  if (service == nullptr || listener.state == Listener::State::kClosing) {
    ResetAndClose(fd);  // the VIP went while this client waited in the accept queue
    return;
  }
  const uint32_t limit = service->spec->connections_max;
  if (limit > 0 && service->runtime->connections.load(std::memory_order_relaxed) >= limit) {
    RefuseClient(listener, fd, Rejection::kVipLimit);
    return;
  }
  Session* session = GetSession();
  if (session == nullptr) {
    RefuseClient(listener, fd, Rejection::kSessionLimit);
    PauseListener(listener);
    return;
  }
  sessions_active_.store(pool_.in_use(), std::memory_order_relaxed);
  session->Start(listener, *service, fd);
}

Session* Shard::GetSession() {
  if (sessions_all_->fetch_add(1, std::memory_order_relaxed) < sessions_max_) {
    if (Session* session = pool_.Get(); session != nullptr) return session;
  }
  sessions_all_->fetch_sub(1, std::memory_order_relaxed);
  return nullptr;
}

void Shard::OnAcceptStopped(Listener& listener, int result) {
  if (listener.state == Listener::State::kClosing) {
    std::erase_if(closing_listeners_, [&](const auto& entry) { return entry.get() == &listener; });
    return;
  }
  switch (result) {
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
    case -ENOBUFS: {
      const bool memory = result == -ENOMEM || result == -ENOBUFS;
      if (const SnatService* service = plan_->Find(listener.service_id); service != nullptr) {
        const Rejection cause = memory ? Rejection::kNoMemory : Rejection::kNoDescriptor;
        service->runtime->shards[index_].rejections[static_cast<size_t>(cause)].Add();
      }
      listener.state = Listener::State::kPausing;
      listener.resume_ms = now_ms_ + kPauseMs;
      accept_pauses_.Add();
      break;
    }
    default:
      break;
  }
  if (!accepting_ && listener.closing != nullptr) return CloseStopped(listener);
  if (listener.state == Listener::State::kPausing) {
    listener.state = Listener::State::kPaused;
    ++paused_listeners_;
    return;
  }
  // Multishot ended for a reason of its own (completion queue full, ECONNABORTED): go on.
  ring_->Accept(listener.fd, UserData(listener));
}

void Shard::RefuseClient(Listener& listener, int fd, Rejection rejection) {
  if (const SnatService* service = plan_->Find(listener.service_id); service != nullptr) {
    service->runtime->shards[index_].connections.Add();
    service->runtime->shards[index_].rejections[static_cast<size_t>(rejection)].Add();
  }
  ResetAndClose(fd);
  NoteRefusal(listener);
}

void Shard::NoteRefusal(int listener_fd) {
  const auto found = listeners_.find(listener_fd);
  if (found != listeners_.end()) NoteRefusal(*found->second);
}

void Shard::NoteRefusal(Listener& listener) {
  if (now_ms_ - listener.window_start_ms >= kPauseMs) {
    listener.window_start_ms = now_ms_;
    listener.refusals = 0;
  }
  if (++listener.refusals >= kRefusalsPerWindow) PauseListener(listener);
}

void Shard::PauseListener(Listener& listener) {
  if (listener.state != Listener::State::kAccepting) return;
  listener.state = Listener::State::kPausing;
  listener.resume_ms = now_ms_ + kPauseMs;
  accept_pauses_.Add();
  ring_->Cancel(UserData(listener));
}

void Shard::ResumeListeners() {
  if (!accepting_) return;
  for (auto& [fd, listener] : listeners_) {
    if (listener->state != Listener::State::kPaused) continue;
    if (now_ms_ < listener->resume_ms) continue;
    --paused_listeners_;
    listener->state = Listener::State::kAccepting;
    ring_->Accept(listener->fd, UserData(*listener));
  }
}

void Shard::CancelAllAccepts(const std::vector<ClosedListener>& listeners) {
  accepting_ = false;
  std::vector<Listener*> paused;
  for (const ClosedListener& closed : listeners) {
    for (const base::UniqueFd& fd : *closed.sockets) {
      const auto found = listeners_.find(fd.get());
      if (found == listeners_.end()) continue;
      Listener& listener = *found->second;
      listener.closing = closed.sockets;
      if (listener.state == Listener::State::kPaused) {
        --paused_listeners_;
        paused.push_back(&listener);
      } else if (listener.state == Listener::State::kAccepting) {
        listener.state = Listener::State::kPausing;
        ring_->Cancel(UserData(listener));
      }
    }
  }
  for (Listener* listener : paused) CloseStopped(*listener);
}

// Nothing is armed on it any more. A client whose handshake is done must not be reset by the close:
// it is served still.
void Shard::CloseStopped(Listener& listener) {
  listener.state = Listener::State::kPaused;
  for (int i = 0; i < kLastClientsMax; ++i) {
    const int fd = ::accept4(listener.fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) break;
    StartSession(listener, fd);
  }
  listeners_.erase(listener.fd);
}

}  // namespace fairlead::dataplane::snat
