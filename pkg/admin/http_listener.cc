#include "pkg/admin/http_listener.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "pkg/admin/api.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/log.h"
#include "pkg/base/mutex.h"
#include "pkg/base/unique_fd.h"

namespace fairlead::admin {
namespace {

// An idle connection holds a thread of the pool: one request each, and a client that sends none is
// let go soon.
constexpr time_t kKeepAliveSeconds = 2;
constexpr size_t kKeepAliveRequestsMax = 1;
constexpr int kBacklog = 128;
constexpr time_t kReadSeconds = 5;
constexpr time_t kWriteSeconds = 10;
// Stopping: time for answers that are under way.
constexpr absl::Duration kStopPatience = absl::Milliseconds(500);

// SO_REUSEADDR alone: the library would set SO_REUSEPORT, and a second daemon would then share our
// port (socket(7)) and answer every other request.
void SetSocketOptions(int socket) {
  const int yes = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
}

// The library hides why a bind failed; binding here first tells.
absl::Status CheckBindable(const net::Endpoint& bind, const HttpListenerOptions& options) {
  const net::SocketAddress address(bind);
  const base::UniqueFd probe(
      ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, /*protocol=*/0));
  if (!probe.valid()) return base::LastErrnoStatus("socket for HTTP");
  SetSocketOptions(probe.get());
  if (::bind(probe.get(), &address.generic, address.length) == 0 && ::listen(probe.get(), 1) == 0) {
    return absl::OkStatus();
  }
  const int error = errno;
  const char* hint = "";
  if (error == EADDRINUSE) {
    hint = "; another process (another fairlead?) listens there: stop it, or use ";
  } else if (error == EADDRNOTAVAIL) {
    hint = "; no interface of this host has that address: use ";
  } else if (error == EACCES) {
    hint = "; ports below 1024 need CAP_NET_BIND_SERVICE: use ";
  }
  const absl::Status status =
      base::ErrnoStatus(error, absl::StrCat(options.name, ": listen on ", bind.ToString()));
  return absl::Status(status.code(),
                      absl::StrCat(status.message(), hint, *hint == '\0' ? "" : options.flag));
}

// Who is at the other end of `fd` when it is a connection to `server`, an endpoint of this process.
std::optional<net::Endpoint> ClientOf(int fd, const net::Endpoint& server) {
  net::SocketAddress address;
  address.length = sizeof(address.ipv6);
  if (::getsockname(fd, &address.generic, &address.length) != 0) return std::nullopt;
  const absl::StatusOr<net::Endpoint> local = address.ToEndpoint();
  if (!local.ok() || local->port != server.port) return std::nullopt;
  if (local->address != server.address && !server.address.is_unspecified()) return std::nullopt;
  address.length = sizeof(address.ipv6);
  if (::getpeername(fd, &address.generic, &address.length) != 0) return std::nullopt;
  const absl::StatusOr<net::Endpoint> client = address.ToEndpoint();
  return client.ok() ? std::optional(*client) : std::nullopt;
}

// Shuts the connections to `server` down, but those of `spared` clients. The library tells nobody
// its descriptors, so that they are found among the process's own.
void ShutDownConnections(const net::Endpoint& server,
                         const absl::flat_hash_set<net::Endpoint>& spared) {
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return;
  while (const dirent* entry = ::readdir(directory)) {
    int fd = -1;
    if (!absl::SimpleAtoi(entry->d_name, &fd) || fd == ::dirfd(directory)) continue;
    // A copy: nobody can close it, and open something else as the same number, meanwhile.
    const base::UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!copy.valid()) continue;
    const std::optional<net::Endpoint> client = ClientOf(copy.get(), server);
    if (client.has_value() && !spared.contains(*client)) ::shutdown(copy.get(), SHUT_RDWR);
  }
  ::closedir(directory);
}

void AnswerError(int status, const std::string& message, httplib::Response* response) {
  response->status = status;
  response->set_content(ErrorResponse(status, message).body, "application/json");
}

}  // namespace

net::Endpoint ClientOf(const httplib::Request& request) {
  const absl::StatusOr<net::IpAddress> address = net::IpAddress::Parse(request.remote_addr);
  return {address.value_or(net::IpAddress()), static_cast<uint16_t>(request.remote_port)};
}

struct HttpListener::Impl {
  net::Endpoint endpoint;
  HttpListenerOptions options;
  std::unique_ptr<httplib::Server> server;
  Handler handler;
  std::thread thread;
  int listener = -1;  // the server's; set while it binds
  base::Notification ended;
  base::Mutex mutex;
  // Clients whose answers are being made or sent.
  absl::flat_hash_set<net::Endpoint> answering ABSL_GUARDED_BY(mutex);

  void Configure();
  void Serve(const httplib::Request& request, httplib::Response& response);
  bool Bind();
};

void HttpListener::Impl::Serve(const httplib::Request& request, httplib::Response& response) {
  {
    base::MutexLock lock(&mutex);
    answering.insert(ClientOf(request));
  }
  handler(request, response);
}

void HttpListener::Impl::Configure() {
  server->new_task_queue = [this] { return new httplib::ThreadPool(options.threads); };
  server->set_socket_options([this](auto socket) {
    SetSocketOptions(socket);
    listener = socket;
  });
  httplib::Headers headers;
  for (const auto& [name, value] : options.headers) headers.emplace(name, value);
  server->set_default_headers(std::move(headers));
  server->set_payload_max_length(options.payload_bytes_max);
  server->set_keep_alive_timeout(kKeepAliveSeconds);
  server->set_keep_alive_max_count(kKeepAliveRequestsMax);
  server->set_read_timeout(kReadSeconds);
  server->set_write_timeout(kWriteSeconds);
  // Without it, answers to small requests wait for the peer's delayed ACK (tcp(7)).
  server->set_tcp_nodelay(true);
  const auto serve = [this](const httplib::Request& request, httplib::Response& response) {
    Serve(request, response);
  };
  server->Get("/.*", serve);
  server->Post("/.*", serve);
  server->set_exception_handler([this](const httplib::Request& request, httplib::Response& response,
                                       const std::exception_ptr&) {
    base::LogError("request failed", {{"server", options.name}, {"path", request.path}});
    AnswerError(500, "internal error; see the daemon's log", &response);
  });
  // The library logs a request when its answer has been sent.
  server->set_logger([this](const httplib::Request& request, const httplib::Response&) {
    base::MutexLock lock(&mutex);
    answering.erase(ClientOf(request));
  });
  // What the library refuses by itself (unknown methods, broken requests) has no body yet.
  server->set_error_handler([](const httplib::Request&, httplib::Response& response) {
    if (!response.body.empty()) return;
    AnswerError(response.status, absl::StrCat("request refused: HTTP ", response.status),
                &response);
  });
}

bool HttpListener::Impl::Bind() {
  const std::string host = endpoint.address.ToString();
  if (endpoint.port != 0) return server->bind_to_port(host, endpoint.port);
  const int port = server->bind_to_any_port(host);
  if (port > 0) endpoint.port = static_cast<uint16_t>(port);
  return port > 0;
}

HttpListener::HttpListener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<HttpListener>> HttpListener::Create(
    const net::Endpoint& bind, HttpListenerOptions options, std::unique_ptr<httplib::Server> server,
    Handler handler) {
  if (const absl::Status bindable = CheckBindable(bind, options); !bindable.ok()) return bindable;
  auto impl = std::make_unique<Impl>();
  impl->endpoint = bind;
  impl->options = std::move(options);
  impl->server = std::move(server);
  impl->handler = std::move(handler);
  impl->Configure();
  if (!impl->Bind()) {
    return absl::UnavailableError(absl::StrCat(impl->options.name, ": cannot listen on ",
                                               bind.ToString(), "; use ", impl->options.flag));
  }
  // The library's backlog is 5: a burst of clients would lose SYNs and wait a second. listen(2)
  // again sets a longer one.
  ::listen(impl->listener, kBacklog);
  impl->thread = std::thread([state = impl.get()] {
    state->server->listen_after_bind();  // returns when the last request has been answered
    state->ended.Notify();
  });
  // stop() before the loop runs would be lost.
  while (!impl->server->is_running()) absl::SleepFor(absl::Milliseconds(1));
  return std::unique_ptr<HttpListener>(new HttpListener(std::move(impl)));
}

HttpListener::~HttpListener() {
  impl_->server->stop();
  // The library would wait for clients that say nothing, or only half of a request, until their
  // time is up. Again and again, for one may have been accepted just now.
  const absl::Time patience_ends = absl::Now() + kStopPatience;
  while (!impl_->ended.WaitForNotificationWithTimeout(absl::Milliseconds(5))) {
    absl::flat_hash_set<net::Endpoint> spared;
    if (absl::Now() < patience_ends) {
      base::MutexLock lock(&impl_->mutex);
      spared = impl_->answering;
    }
    ShutDownConnections(impl_->endpoint, spared);
  }
  impl_->thread.join();
}

const net::Endpoint& HttpListener::endpoint() const { return impl_->endpoint; }

}  // namespace fairlead::admin
