// The admin API without its server: a request in, a response out. Thread-safe.
//
//   GET  /healthz                 the process answers
//   GET  /readyz                  200 when clients are served by the newest plan, else 503 and why
//   GET  /metrics[?detail=vip]    Prometheus text
//   GET  /api/v1/status           everything that `fairlead status` shows
//   GET  /api/v1/findings         errors and warnings of the configuration
//   GET  /api/v1/explain?client=&vip=
//   GET  /api/v1/version
//   POST /api/v1/servers/state    {"server": "srv-1", "vip": "dispatcher", "state": "Drain",
//                                 "user": "root"}; the user is for the log only
//   POST /api/v1/pair             {"switch": "Takeover" or "Standby", "user": "root"}
//
// Errors are {"error": "..."} with a fitting status code. A listener that strangers reach serves
// the first three alone (ApiScope::kMetrics).
#pragma once

#include <map>
#include <string>

#include "pkg/admin/backend.h"

namespace fairlead::admin {

struct ApiRequest {
  std::string method;  // "GET", "HEAD", "POST"
  std::string path;
  std::map<std::string, std::string> query;
  std::string content_type;
  std::string body;
  std::string client;  // who asks: "127.0.0.1:40312"
  // The user of the web page who has signed in; "" = none. Then a body's "user" says nothing.
  std::string signed_in{};
};

struct ApiResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

enum class ApiScope {
  kEverything,  // for whoever may drain real servers
  kMetrics,     // /healthz, /readyz and /metrics: changes nothing and names no manifest's line
};

ApiResponse HandleApiRequest(const AdminBackend& backend, const ApiRequest& request,
                             ApiScope scope = ApiScope::kEverything);

// {"error": message}.
ApiResponse ErrorResponse(int status, const std::string& message);

}  // namespace fairlead::admin
