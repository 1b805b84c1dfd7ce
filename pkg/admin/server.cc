#include "pkg/admin/server.h"

#include <httplib.h>

#include <utility>

#include "pkg/admin/host_check.h"

namespace fairlead::admin {
namespace {

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
  response->set_content(api.body, api.content_type);
}

HttpListenerOptions OptionsOf(ApiScope scope) {
  const bool metrics = scope == ApiScope::kMetrics;
  return {.name = metrics ? "metrics" : "admin API",
          .flag = metrics ? "--metrics ADDR:PORT" : "--admin ADDR:PORT",
          // A scrape, a probe, a few people: more at a time wait for their turn. And the largest
          // request is a server's name and a state.
          .threads = 8,
          .payload_bytes_max = 16 * 1024,
          .headers = {{"X-Content-Type-Options", "nosniff"}, {"Cache-Control", "no-store"}}};
}

}  // namespace

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
  const auto serve = [handler = std::move(handler), address = bind.address, scope](
                         const httplib::Request& request, httplib::Response& response) {
    const std::string host = request.get_header_value("Host");
    // Scrapers come by the name of a Service; where there is nothing to change they may.
    const bool allowed = scope == ApiScope::kMetrics || IsHostAllowed(host, address);
    Answer(allowed ? handler(ToApiRequest(request))
                   : ErrorResponse(403,
                                   "this Host header is not served: use the address of the admin "
                                   "API, or localhost"),
           &response);
  };
  auto listener =
      HttpListener::Create(bind, OptionsOf(scope), std::make_unique<httplib::Server>(), serve);
  if (!listener.ok()) return listener.status();
  return std::unique_ptr<AdminServer>(new AdminServer(*std::move(listener)));
}

}  // namespace fairlead::admin
