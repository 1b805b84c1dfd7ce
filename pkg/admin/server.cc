#include "pkg/admin/server.h"

#include <dirent.h>
#include <fcntl.h>
#include <httplib.h>
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
#include "pkg/admin/host_check.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/log.h"
#include "pkg/base/mutex.h"
#include "pkg/base/unique_fd.h"

namespace fairlead::admin {
namespace {

// A scrape, a probe, a few people: more at a time wait for their turn.
constexpr size_t kThreadCount = 8;
// The largest request is a server's name and a state.
constexpr size_t kPayloadBytesMax = 16 * 1024;
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

// What a listener of this scope is called, and the flag that moves it.
const char* NameOf(ApiScope scope) { return scope == ApiScope::kMetrics ? "metrics" : "admin API"; }
const char* FlagOf(ApiScope scope) {
  return scope == ApiScope::kMetrics ? "--metrics ADDR:PORT" : "--admin ADDR:PORT";
}

// The library hides why a bind failed; binding here first tells.
absl::Status CheckBindable(const net::Endpoint& bind, ApiScope scope) {
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
      base::ErrnoStatus(error, absl::StrCat(NameOf(scope), ": listen on ", bind.ToString()));
  return absl::Status(status.code(),
                      absl::StrCat(status.message(), hint, *hint == '\0' ? "" : FlagOf(scope)));
}

net::Endpoint ClientOf(const httplib::Request& request) {
  const absl::StatusOr<net::IpAddress> address = net::IpAddress::Parse(request.remote_addr);
  return {address.value_or(net::IpAddress()), static_cast<uint16_t>(request.remote_port)};
}

ApiRequest ToApiRequest(const httplib::Request& request) {
  ApiRequest api;
  api.method = request.method;
  api.path = request.path;
  for (const auto& [name, value] : request.params) api.query.emplace(name, value);
  api.content_type = request.get_header_value("Content-Type");
  api.body = request.body;
  api.client = ClientOf(request).ToString();
  return api;
}

void Answer(const ApiResponse& api, httplib::Response* response) {
  response->status = api.status;
  response->set_header("X-Content-Type-Options", "nosniff");
  response->set_header("Cache-Control", "no-store");
  response->set_content(api.body, api.content_type);
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

}  // namespace

struct AdminServer::Impl {
  net::Endpoint endpoint;
  Handler handler;
  ApiScope scope = ApiScope::kEverything;
  httplib::Server server;
  std::thread thread;
  int listener = -1;  // the server's; set while it binds
  base::Notification ended;
  base::Mutex mutex;
  // Clients whose answers are being made or sent.
  absl::flat_hash_set<net::Endpoint> answering ABSL_GUARDED_BY(mutex);

  void Configure();
  void Serve(const httplib::Request& request, httplib::Response& response);
};

void AdminServer::Impl::Serve(const httplib::Request& request, httplib::Response& response) {
  {
    base::MutexLock lock(&mutex);
    answering.insert(ClientOf(request));
  }
  const std::string host = request.get_header_value("Host");
  // Scrapers come by the name of a Service; where there is nothing to change they may.
  if (scope == ApiScope::kEverything && !IsHostAllowed(host, endpoint.address)) {
    Answer(ErrorResponse(403,
                         "this Host header is not served: use the address of the admin API, "
                         "or localhost"),
           &response);
    return;
  }
  Answer(handler(ToApiRequest(request)), &response);
}

void AdminServer::Impl::Configure() {
  server.new_task_queue = [] { return new httplib::ThreadPool(kThreadCount); };
  server.set_socket_options([this](auto socket) {
    SetSocketOptions(socket);
    listener = socket;
  });
  server.set_payload_max_length(kPayloadBytesMax);
  server.set_keep_alive_timeout(kKeepAliveSeconds);
  server.set_keep_alive_max_count(kKeepAliveRequestsMax);
  server.set_read_timeout(kReadSeconds);
  server.set_write_timeout(kWriteSeconds);
  // Without it, answers to small requests wait for the peer's delayed ACK (tcp(7)).
  server.set_tcp_nodelay(true);
  const auto serve = [this](const httplib::Request& request, httplib::Response& response) {
    Serve(request, response);
  };
  server.Get("/.*", serve);
  server.Post("/.*", serve);
  server.set_exception_handler(
      [](const httplib::Request& request, httplib::Response& response, const std::exception_ptr&) {
        base::LogError("admin API request failed", {{"path", request.path}});
        Answer(ErrorResponse(500, "internal error; see the daemon's log"), &response);
      });
  // The library logs a request when its answer has been sent.
  server.set_logger([this](const httplib::Request& request, const httplib::Response&) {
    base::MutexLock lock(&mutex);
    answering.erase(ClientOf(request));
  });
  // What the library refuses by itself (unknown methods, broken requests) has no body yet.
  server.set_error_handler([](const httplib::Request&, httplib::Response& response) {
    if (!response.body.empty()) return;
    const int status = response.status;
    Answer(ErrorResponse(status, absl::StrCat("request refused: HTTP ", status)), &response);
  });
}

AdminServer::AdminServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Create(const net::Endpoint& bind,
                                                                 AdminBackend backend,
                                                                 ApiScope scope) {
  return Create(
      bind,
      [backend = std::move(backend), scope](const ApiRequest& request) {
        return HandleApiRequest(backend, request, scope);
      },
      scope);
}

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Create(const net::Endpoint& bind,
                                                                 Handler handler, ApiScope scope) {
  if (const absl::Status bindable = CheckBindable(bind, scope); !bindable.ok()) return bindable;
  auto impl = std::make_unique<Impl>();
  impl->endpoint = bind;
  impl->handler = std::move(handler);
  impl->scope = scope;
  impl->Configure();
  const std::string host = bind.address.ToString();
  bool bound = false;
  if (bind.port == 0) {
    const int port = impl->server.bind_to_any_port(host);
    bound = port > 0;
    impl->endpoint.port = bound ? static_cast<uint16_t>(port) : 0;
  } else {
    bound = impl->server.bind_to_port(host, bind.port);
  }
  if (!bound) {
    return absl::UnavailableError(absl::StrCat(NameOf(scope), ": cannot listen on ",
                                               bind.ToString(), "; use ", FlagOf(scope)));
  }
  // The library's backlog is 5: a burst of clients would lose SYNs and wait a second. listen(2)
  // again sets a longer one.
  ::listen(impl->listener, kBacklog);
  httplib::Server* server = &impl->server;
  AdminServer::Impl* state = impl.get();
  impl->thread = std::thread([server, state] {
    server->listen_after_bind();  // returns when the last request has been answered
    state->ended.Notify();
  });
  // stop() before the loop runs would be lost.
  while (!impl->server.is_running()) absl::SleepFor(absl::Milliseconds(1));
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(impl)));
}

AdminServer::~AdminServer() {
  impl_->server.stop();
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

const net::Endpoint& AdminServer::endpoint() const { return impl_->endpoint; }

}  // namespace fairlead::admin
