// From an accepted client to an established pair: choose a server, connect, try the next one,
// queue, or refuse.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "pkg/dataplane/snat/proxy_header.h"
#include "pkg/dataplane/snat/server_picker.h"
#include "pkg/dataplane/snat/shard.h"

namespace fairlead::dataplane::snat {
namespace {

// When an established session is first looked at: then it gets keepalive and its idle time is
// checked. A shorter idle time-out is looked at when it ends.
constexpr uint32_t kFirstCheckMs = 30'000;
// tcp(7) TCP_QUICKACK: not a mode for good, but it saves the first segment without payload.
constexpr int kQuickAckOff = 0;
constexpr int kQuickAckOn = 1;

constexpr uint32_t kQueueTimeoutFactor = 5;  // queue time-out = connect time-out x 5

uint32_t ToMs(absl::Duration duration) {
  return static_cast<uint32_t>(absl::ToInt64Milliseconds(duration));
}

Rejection RejectionOf(int error) {
  switch (error) {
    case EMFILE:
    case ENFILE:
      return Rejection::kNoDescriptor;
    case ENOMEM:
    case ENOBUFS:
      return Rejection::kNoMemory;
    case EADDRNOTAVAIL:
      return Rejection::kNoSourcePort;
    case EPERM:
    case EACCES:
      return Rejection::kNotPermitted;
    default:
      return Rejection::kConnectFailed;
  }
}

size_t LatencyBucket(uint64_t latency_ns) {
  const double seconds = static_cast<double>(latency_ns) * 1e-9;
  return std::lower_bound(kConnectLatencyBounds.begin(), kConnectLatencyBounds.end(), seconds) -
         kConnectLatencyBounds.begin();
}

}  // namespace

void Session::Start(const Listener& listener, const SnatService& service, int client_fd) {
  service_ = service.runtime.get();
  service_->connections.fetch_add(1, std::memory_order_relaxed);
  service_->shards[shard_.index()].connections.Add();
  port_ = &listener.port->shards[shard_.index()];
  port_->connections.Add();
  fds_[0] = client_fd;
  flags_ = 0;
  last_activity_ms_ = shard_.now_ms();
  idle_ms_ = ToMs(service.spec->timeouts.idle);
  state_ = State::kConnecting;
  connect_ = shard_.GetConnectState();
  connect_->vip = listener.endpoint;
  connect_->listener_fd = listener.fd;
  connect_->deadline_ms = shard_.now_ms() + ToMs(service.spec->timeouts.connect);
  if (service.needs_client_address) {
    net::SocketAddress address;
    address.length = sizeof(address.ipv6);
    if (::getpeername(client_fd, &address.generic, &address.length) != 0) {
      return End(EndReason::kClientReset);  // ENOTCONN: it is gone already
    }
    connect_->client = address.ToEndpoint().value_or(net::Endpoint{});
    connect_->client_known = true;
  }
  // The first request is then acknowledged by its answer, not by a segment of its own.
  shard_.ring().SetOption(client_fd, IPPROTO_TCP, TCP_QUICKACK, &kQuickAckOff);
  // What the client says meanwhile is received and waits; it is sent to no server before the
  // connection stands, so that another server can be tried.
  StartReceive(0);
  // Nobody overtakes who waits.
  if (service.clients_alike && service_->waiting.load(std::memory_order_relaxed) > 0) {
    return Enqueue(service);
  }
  ChooseServer();
}

const SnatService* Session::CurrentService() const { return shard_.plan()->Find(service_->id); }

void Session::ChooseServer() {
  const SnatService* service = CurrentService();
  if (service == nullptr) return Reject(Rejection::kNoServer);
  const PickRequest request{
      *service,           shard_.index(),
      connect_->vip.port, connect_->client_known ? &connect_->client : nullptr,
      connect_->tried,    shard_.now_seconds()};
  if (service->needs_client_address && !connect_->client_known) {
    // The rule changed after this client was accepted; its address was not asked for.
    return Reject(Rejection::kNoServer);
  }
  while (true) {
    const Pick pick = PickServer(request, shard_.persistence());
    switch (pick.kind) {
      case Pick::Kind::kServer:
        if (!TakeServer(request, pick)) continue;
        return ConnectTo(*service, pick.index);
      case Pick::Kind::kWait:
        return Enqueue(*service);
      case Pick::Kind::kNone:
        if (service->spec->fallback.action == model::Fallback::Action::kServer &&
            !connect_->is_fallback) {
          return ConnectToFallback(*service);
        }
        return Reject(connect_->tried.empty() ? Rejection::kNoServer
                                              : RejectionOf(connect_->last_error));
    }
  }
}

void Session::ConnectTo(const SnatService& service, int index) {
  const PlanServer& server = service.spec->servers[index];
  server_ = service.servers[index].get();
  StartConnect(service, {server.address, server.port != 0 ? server.port : connect_->vip.port});
}

void Session::ConnectToFallback(const SnatService& service) {
  const net::Endpoint& fallback = service.spec->fallback.server;
  server_ = &service_->fallback;
  server_->connections.fetch_add(1, std::memory_order_relaxed);
  service_->shards[shard_.index()].fallbacks.Add();
  connect_->is_fallback = true;
  connect_->deadline_ms = shard_.now_ms() + ToMs(service.spec->timeouts.connect);
  StartConnect(service,
               {fallback.address, fallback.port != 0 ? fallback.port : connect_->vip.port});
}

void Session::StartConnect(const SnatService& service, const net::Endpoint& target) {
  state_ = State::kConnecting;
  connect_->target = net::SocketAddress(target);
  connect_->started_ns = shard_.now_ns();
  const int fd = shard_.TakeSocket(connect_->target.family());
  if (fd < 0) return Reject(RejectionOf(errno));
  fds_[1] = fd;
  if (service.spec->client_address != model::ClientAddress::kNone ||
      service.spec->source.type != model::SourceAddress::Type::kAuto) {
    if (const int error = BindSource(service, fd); error != 0) return OnConnectFailed(error);
  }
  // The last ACK of the handshake then travels with the first data.
  shard_.ring().SetOption(fd, IPPROTO_TCP, TCP_QUICKACK, &kQuickAckOff);
  shard_.ring().Connect(fd, &connect_->target.generic, connect_->target.length,
                        UserData(Operation::kConnect));
  Submitted(Operation::kConnect);
  // Each attempt gets half of what is left of the budget, so that a silent server leaves time for
  // the next; the last one that can be tried gets all.
  const uint64_t left_ms = connect_->deadline_ms - shard_.now_ms();
  const bool last = connect_->is_fallback || service.servers.size() <= connect_->tried.size() + 1;
  shard_.wheel().Set(*this, shard_.now_ms() + (last ? left_ms : left_ms / 2));
}

// 0 or an errno: EPERM without CAP_NET_ADMIN or CAP_NET_RAW for a transparent source, EADDRNOTAVAIL
// for an address that is not on this host.
int Session::BindSource(const SnatService& service, int fd) {
  net::Endpoint source{connect_->vip.address, 0};
  const int on = 1;
  if (service.spec->client_address == model::ClientAddress::kTransparent) {
    source = {connect_->client.address, 0};
    if (::setsockopt(fd, SOL_IP, IP_TRANSPARENT, &on, sizeof(on)) != 0) {
      return errno;
    }
  } else if (service.spec->source.type == model::SourceAddress::Type::kAddress) {
    source = {service.spec->source.address, 0};
  } else if (service.spec->source.type == model::SourceAddress::Type::kAuto) {
    return 0;
  }
  // ip(7): the port is chosen at connect(2), where it must be unique only together with the
  // server's, not for the whole address.
  ::setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
  const net::SocketAddress address(source);
  return ::bind(fd, &address.generic, address.length) == 0 ? 0 : errno;
}

void Session::OnConnect(int result) {
  if (result < 0) return OnConnectFailed(result == -ECANCELED ? ETIMEDOUT : -result);
  OnConnected();
}

void Session::OnConnectFailed(int error) {
  server_->shards[shard_.index()].connect_failures.Add();
  connect_->tried.push_back(server_->slot);
  shard_.ring().Close(fds_[1]);
  fds_[1] = -1;
  ReleaseServer();
  connect_->last_error = error;
  const SnatService* service = CurrentService();
  if (error == ETIMEDOUT && service != nullptr &&
      service->spec->client_address == model::ClientAddress::kTransparent) {
    service_->shards[shard_.index()].transparent_timeouts.Add();
  }
  if (connect_->is_fallback || shard_.now_ms() >= connect_->deadline_ms) {
    return Reject(RejectionOf(error));
  }
  service_->shards[shard_.index()].retries.Add();
  ChooseServer();
}

void Session::OnConnected() {
  state_ = State::kRelaying;
  last_activity_ms_ = shard_.now_ms();
  ServiceShardState& counters = service_->shards[shard_.index()];
  const uint64_t latency_ns = shard_.now_ns() - connect_->started_ns;
  counters.connect_latency[LatencyBucket(latency_ns)].Add();
  counters.connect_latency_ns_sum.Add(latency_ns);
  ServerShardState& server = server_->shards[shard_.index()];
  server.connections.Add();
  server.bytes_to_server.Add(directions_[0].queued_bytes);
  shard_.wheel().Set(*this, shard_.now_ms() + std::min(idle_ms_, kFirstCheckMs));
  if (const SnatService* service = CurrentService(); service != nullptr) {
    const std::optional<uint64_t> key = connect_->client_known && !connect_->is_fallback
                                            ? PersistenceKey(*service, connect_->client)
                                            : std::nullopt;
    if (key.has_value()) {
      shard_.persistence().Remember(*key, server_->slot, shard_.now_seconds());
    }
    const model::ClientAddress form = service->spec->client_address;
    if (connect_->client_known && (form == model::ClientAddress::kProxyProtocolV1 ||
                                   form == model::ClientAddress::kProxyProtocolV2)) {
      connect_->header = MakeProxyHeader(form, connect_->client, connect_->vip);
    }
  }
  StartReceive(1);
  if (!connect_->header.empty()) {
    // The header goes first; what the client said follows when it has been taken.
    directions_[0].send = Direction::Send::kSending;
    SetNoDelayFromSecondSend();
    shard_.ring().Send(fds_[1], connect_->header.data(), connect_->header.size(),
                       UserData(Operation::kSend0));
    Submitted(Operation::kSend0);
    return;
  }
  shard_.PutConnectState(connect_);
  connect_ = nullptr;
  if (directions_[0].queue == nullptr) {
    // Nothing to carry the last ACK of the handshake: it goes now. A server that speaks first
    // (SSH, SMTP) would learn of its client 200 ms later.
    shard_.ring().SetOption(fds_[1], IPPROTO_TCP, TCP_QUICKACK, &kQuickAckOn);
  }
  AfterSend(0);
}

void Session::Enqueue(const SnatService& service) {
  connect_->ticket = service_->next_ticket.fetch_add(1, std::memory_order_relaxed);
  state_ = State::kWaiting;
  if (!shard_.EnterQueue(*this)) {
    state_ = State::kConnecting;
    return Reject(Rejection::kQueueFull);
  }
  const uint32_t wait_ms = ToMs(service.spec->timeouts.connect) * kQueueTimeoutFactor;
  shard_.wheel().Set(*this, shard_.now_ms() + wait_ms);
  // A connection may have ended on another shard before that shard could see who waits here; and
  // this client's coming may have raised a soft limit.
  shard_.ServeWaiting(*service_);
}

bool Session::TryLeaveQueue() {
  const SnatService* service = CurrentService();
  if (service != nullptr) {
    const PickRequest request{
        *service,           shard_.index(),
        connect_->vip.port, connect_->client_known ? &connect_->client : nullptr,
        connect_->tried,    shard_.now_seconds()};
    const Pick pick = PickServer(request, shard_.persistence());
    if (pick.kind == Pick::Kind::kWait) return false;
    if (pick.kind == Pick::Kind::kServer && !TakeServer(request, pick)) return false;
    shard_.LeaveQueue(*this);
    state_ = State::kConnecting;
    connect_->deadline_ms = shard_.now_ms() + ToMs(service->spec->timeouts.connect);
    if (pick.kind == Pick::Kind::kServer) {
      ConnectTo(*service, pick.index);
      return true;
    }
  } else {
    shard_.LeaveQueue(*this);
    state_ = State::kConnecting;
  }
  ChooseServer();  // nobody is left: fallback or refusal
  return true;
}

void Session::Reject(Rejection rejection) {
  service_->shards[shard_.index()].rejections[static_cast<size_t>(rejection)].Add();
  shard_.NoteRefusal(connect_->listener_fd);
  End(EndReason::kRejected);
}

}  // namespace fairlead::dataplane::snat
