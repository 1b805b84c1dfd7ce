// The queues of clients that wait for a real server below its limit: FIFO over all shards by
// tickets. Each shard publishes the ticket of its longest waiting client; whoever frees a
// connection, or enters the queue, lets the shard with the lowest ticket try; every shard that has
// clients waiting, when not every server suits every client.
//
// Nobody is forgotten: a shard first frees the connection, then reads `waiting`; another first
// enters (`waiting`), then tries again. Both are sequentially consistent, so that one sees the
// other.
#include <utility>

#include "pkg/dataplane/snat/shard.h"

namespace fairlead::dataplane::snat {
namespace {

constexpr uint32_t kQueueMax = 1024;  // per service, all shards

// The shard whose first client has waited longest; -1: nobody waits.
int LongestWaiting(const ServiceRuntime& service) {
  int longest = -1;
  uint64_t ticket = kNobodyWaits;
  for (size_t i = 0; i < service.shards.size(); ++i) {
    const uint64_t first = service.shards[i].first_ticket.load(std::memory_order_relaxed);
    if (first >= ticket) continue;
    ticket = first;
    longest = static_cast<int>(i);
  }
  return longest;
}

}  // namespace

bool Shard::EnterQueue(Session& session) {
  ServiceRuntime& service = *session.service();
  if (service.waiting.fetch_add(1) >= kQueueMax) {
    service.waiting.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  queues_[service.id].push_back(&session);
  PublishTicket(service.id);
  return true;
}

void Shard::LeaveQueue(Session& session) {
  ServiceRuntime& service = *session.service();
  std::deque<Session*>& queue = queues_[service.id];
  for (auto it = queue.begin(); it != queue.end(); ++it) {
    if (*it != &session) continue;
    queue.erase(it);
    service.waiting.fetch_sub(1, std::memory_order_relaxed);
    break;
  }
  // The ticket is published while a session of the service still holds the runtime alive.
  service.shards[index_].first_ticket.store(queue.empty() ? kNobodyWaits : queue.front()->ticket(),
                                            std::memory_order_relaxed);
}

void Shard::PublishTicket(uint32_t service_id) {
  const std::deque<Session*>& queue = queues_[service_id];
  if (queue.empty()) return;
  queue.front()->service()->shards[index_].first_ticket.store(queue.front()->ticket(),
                                                              std::memory_order_relaxed);
}

void Shard::ServeWaiting(ServiceRuntime& service) {
  if (service.waiting.load() == 0) return;
  const SnatService* planned = plan_->Find(service.id);
  if (planned != nullptr && planned->clients_alike) {
    const int longest = LongestWaiting(service);
    if (longest >= 0) PostServeQueue(longest, service.id);
    return;
  }
  // Whom the freed connection suits is known to the shard of each client alone.
  for (size_t i = 0; i < service.shards.size(); ++i) {
    if (service.shards[i].first_ticket.load(std::memory_order_relaxed) == kNobodyWaits) continue;
    PostServeQueue(static_cast<int>(i), service.id);
  }
}

// By mail even to itself: the caller is in the middle of closing a session. A full mailbox is
// drained within a turn; the next freed connection or the queue time-out comes to those who wait.
void Shard::PostServeQueue(int shard, uint32_t service_id) {
  (void)peers_[shard]->mailbox_->TryPost(ServeQueue{service_id});
}

void Shard::ServeOwnQueue(uint32_t service_id) {
  const auto found = queues_.find(service_id);
  if (found == queues_.end()) return;
  const SnatService* service = plan_->Find(service_id);
  // A copy: sessions leave the queue while it is walked.
  const std::deque<Session*> waiting = found->second;
  if (service == nullptr || !service->clients_alike) {
    for (Session* session : waiting) {
      if (session->state() == Session::State::kWaiting) session->TryLeaveQueue();
    }
    return;
  }
  // Every server suits every client: the first who finds no room speaks for all behind it.
  for (Session* session : waiting) {
    if (session->state() != Session::State::kWaiting) continue;
    // Another shard's client may have come before the next one here.
    if (LongestWaiting(*service->runtime) != index_) break;
    if (!session->TryLeaveQueue()) return;
  }
  ServeWaiting(*service->runtime);
}

}  // namespace fairlead::dataplane::snat
