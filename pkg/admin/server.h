// AdminServer: the admin API over HTTP/1.1, for the command line, Prometheus and orchestrators.
// A small server on a thread pool of its own, so that nothing else can make /readyz wait. Loopback
// by default; it has no login, so main warns about any other address. With ApiScope::kMetrics it is
// what probes and scrapers on the network may reach.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "pkg/admin/api.h"
#include "pkg/admin/backend.h"
#include "pkg/admin/http_listener.h"

namespace fairlead::admin {

class AdminServer {
 public:
  // Listens on `bind` (port 0 = any) and serves until the object is destroyed. Errors as
  // HttpListener::Create.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Create(
      const net::Endpoint& bind, AdminBackend backend, ApiScope scope = ApiScope::kEverything);
  // The same listener for a process that is no daemon: `handler` answers every request, on any
  // thread. `scope` says who may ask, and how the listener is called in errors.
  using Handler = std::function<ApiResponse(const ApiRequest&)>;
  static absl::StatusOr<std::unique_ptr<AdminServer>> Create(const net::Endpoint& bind,
                                                             Handler handler, ApiScope scope);

  // Where it listens; the port is never 0.
  const net::Endpoint& endpoint() const { return listener_->endpoint(); }

 private:
  explicit AdminServer(std::unique_ptr<HttpListener> listener) : listener_(std::move(listener)) {}

  const std::unique_ptr<HttpListener> listener_;
};

}  // namespace fairlead::admin
