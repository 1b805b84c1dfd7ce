#include "pkg/dataplane/snat/listener_set.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"

namespace fairlead::dataplane::snat {
namespace {

// listen(2): capped by net.core.somaxconn.
constexpr int kBacklog = 65535;
// Listeners leave the last descriptors to others: whoever declared too many ports must be able to
// have the correction read, and the status shown.
constexpr rlim_t kDescriptorsLeft = 64;

std::string BindAdvice(int error, const net::Endpoint& endpoint) {
  switch (error) {
    case EADDRINUSE:
      return absl::StrCat(
          "another process listens there; find it with: ss -ltnp 'sport = :", endpoint.port, "'");
    case EACCES:
      return "ports below 1024 need sysctl net.ipv4.ip_unprivileged_port_start=0 or "
             "CAP_NET_BIND_SERVICE";
    case EMFILE:
    case ENFILE:
      return "out of file descriptors; raise the limit (ulimit -n, docker --ulimit nofile) or use "
             "fewer shards or ports";
    default:
      return "";
  }
}

absl::Status ListenError(int error, absl::string_view call, const net::Endpoint& endpoint) {
  const std::string advice = BindAdvice(error, endpoint);
  return base::ErrnoStatus(
      error, absl::StrCat(call, " ", endpoint.ToString(), advice.empty() ? "" : " (", advice,
                          advice.empty() ? "" : ")"));
}

bool SetOption(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

absl::Status SetListenerOptions(int fd, const net::Endpoint& endpoint) {
  // ip(7) IP_FREEBIND: the address may come to this host later (or go and come back).
  const bool ok = SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
                  SetOption(fd, SOL_SOCKET, SO_REUSEPORT, 1) &&
                  SetOption(fd, SOL_IP, IP_FREEBIND, 1) &&
                  // Accepted sockets inherit it (tcp(7)): no call per connection.
                  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1) &&
                  (endpoint.address.is_ipv4() || SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  return ok ? absl::OkStatus() : ListenError(errno, "setsockopt for", endpoint);
}

// socket(7) SO_ATTACH_FILTER on a listener runs before the handshake: "return 0" drops the SYN.
absl::Status AttachDropFilter(int fd, const net::Endpoint& endpoint) {
  sock_filter drop[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
  const sock_fprog program{1, drop};
  if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0) {
    return ListenError(errno, "attach the drop filter to", endpoint);
  }
  return absl::OkStatus();
}

absl::StatusOr<base::UniqueFd> OpenListener(const net::Endpoint& endpoint, ListenerKind kind) {
  const net::SocketAddress address(endpoint);
  base::UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ListenError(errno, "socket for", endpoint);
  // open(2): a new descriptor is the lowest that is free.
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
      static_cast<rlim_t>(fd.get()) + kDescriptorsLeft >= limit.rlim_cur) {
    return ListenError(EMFILE, "socket for", endpoint);
  }
  if (absl::Status status = SetListenerOptions(fd.get(), endpoint); !status.ok()) return status;
  if (::bind(fd.get(), &address.generic, address.length) != 0) {
    return ListenError(errno, "bind", endpoint);
  }
  if (kind == ListenerKind::kDrop) {
    if (absl::Status status = AttachDropFilter(fd.get(), endpoint); !status.ok()) return status;
  }
  if (::listen(fd.get(), kBacklog) != 0) return ListenError(errno, "listen on", endpoint);
  return fd;
}

}  // namespace

void ListenerSet::Inherit(std::vector<ListeningSocket> sockets) {
  for (ListeningSocket& socket : sockets) {
    inherited_[socket.endpoint].push_back(std::move(socket.fd));
  }
}

absl::Status ListenerSet::Open(const net::Endpoint& endpoint, ListenerKind kind) {
  Entry entry;
  entry.kind = kind;
  if (kind == ListenerKind::kAccept) {
    if (auto node = inherited_.extract(endpoint); !node.empty()) {
      entry.sockets = std::move(node.mapped());
    }
  }
  while (entry.sockets.size() < static_cast<size_t>(shards_)) {
    absl::StatusOr<base::UniqueFd> fd = OpenListener(endpoint, kind);
    if (!fd.ok()) return fd.status();
    entry.sockets.push_back(*std::move(fd));
    // Nothing is accepted: one socket drops everything.
    if (kind == ListenerKind::kDrop) break;
  }
  entries_[endpoint] = std::move(entry);
  return absl::OkStatus();
}

std::optional<ListenerKind> ListenerSet::KindOf(const net::Endpoint& endpoint) const {
  const auto found = entries_.find(endpoint);
  if (found == entries_.end()) return std::nullopt;
  return found->second.kind;
}

std::vector<base::UniqueFd> ListenerSet::Take(const net::Endpoint& endpoint) {
  auto node = entries_.extract(endpoint);
  return node.empty() ? std::vector<base::UniqueFd>{} : std::move(node.mapped().sockets);
}

std::vector<net::Endpoint> ListenerSet::endpoints() const {
  std::vector<net::Endpoint> endpoints;
  for (const auto& [endpoint, entry] : entries_) endpoints.push_back(endpoint);
  return endpoints;
}

std::vector<ShardListener> ListenerSet::ListenersOf(const net::Endpoint& endpoint) const {
  std::vector<ShardListener> listeners;
  const auto found = entries_.find(endpoint);
  if (found == entries_.end()) return listeners;
  for (size_t i = 0; i < found->second.sockets.size(); ++i) {
    listeners.push_back({endpoint, found->second.kind, static_cast<int>(i) % shards_,
                         found->second.sockets[i].get()});
  }
  return listeners;
}

std::vector<ListeningSocket> ListenerSet::Duplicate() const {
  std::vector<ListeningSocket> copies;
  for (const auto& [endpoint, entry] : entries_) {
    if (entry.kind != ListenerKind::kAccept) continue;
    for (const base::UniqueFd& fd : entry.sockets) {
      base::UniqueFd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
      if (copy.valid()) copies.push_back({endpoint, std::move(copy)});
    }
  }
  return copies;
}

size_t ListenerSet::sockets_count() const {
  size_t sockets_count = 0;
  for (const auto& [endpoint, entry] : entries_) sockets_count += entry.sockets.size();
  return sockets_count;
}

}  // namespace fairlead::dataplane::snat
