#include "pkg/admin/api.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pkg/admin/json.h"
#include "pkg/telemetry/metrics_writer.h"

namespace fairlead::admin {
namespace {

using controller::ControlView;

ApiResponse JsonResponse(const nlohmann::json& json, int status = 200) {
  return {.status = status, .content_type = "application/json", .body = ToText(json)};
}

int HttpStatus(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return 400;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kFailedPrecondition:
      return 409;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

ApiResponse StatusResponse(const absl::Status& status) {
  return ErrorResponse(HttpStatus(status), std::string(status.message()));
}

std::vector<std::string> ReasonsNotReady(const ControlView& view) {
  switch (view.phase) {
    case ControlView::Phase::kStarting:
      return {"the configuration has not been read yet"};
    case ControlView::Phase::kStopping:
      return {"the daemon is stopping: clients are let go, new ones are not accepted"};
    case ControlView::Phase::kServing:
      break;
  }
  if (view.plan_revision == 0 || view.plane.applied_revision < view.plan_revision) {
    return {absl::StrCat("plan ", view.plan_revision, " is not in force in every shard yet (",
                         view.plane.applied_revision, " is)")};
  }
  return {};
}

ApiResponse Ready(const AdminBackend& backend) {
  const auto view = backend.view();
  const std::vector<std::string> reasons = ReasonsNotReady(*view);
  return JsonResponse(
      {{"ready", reasons.empty()},
       {"phase", controller::PhaseName(view->phase)},
       {"engine", view->plane.engine},
       {"engineReason", view->plane.engine_reason},
       {"planRevision", view->plan_revision},
       {"appliedRevision", view->plane.applied_revision},
       {"configProblem", view->config_health.has_value() ? view->config_health->problem : ""},
       {"reasons", reasons}},
      reasons.empty() ? 200 : 503);
}

std::string QueryValue(const ApiRequest& request, const std::string& name) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? "" : found->second;
}

ApiResponse Explain(const AdminBackend& backend, const ApiRequest& request) {
  const std::string client = QueryValue(request, "client");
  const std::string vip = QueryValue(request, "vip");
  if (client.empty() || vip.empty()) {
    return ErrorResponse(400, "say who: ?client=IP[:PORT]&vip=ADDRESS:PORT");
  }
  const auto explanation = backend.explain(client, vip);
  if (!explanation.ok()) return StatusResponse(explanation.status());
  return JsonResponse(ExplanationToJson(*explanation));
}

std::optional<model::AdminState> ParseState(const std::string& word) {
  for (const model::AdminState state :
       {model::AdminState::kOnline, model::AdminState::kDrain, model::AdminState::kHalt}) {
    if (absl::EqualsIgnoreCase(word, model::AdminStateName(state))) return state;
  }
  return std::nullopt;
}

// A browser form can send neither this content type nor, without our leave, a request that asks for
// it first (CORS preflight): no foreign page drains a server.
bool IsJson(const std::string& content_type) {
  const std::string type = content_type.substr(0, content_type.find(';'));
  return absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(type), "application/json");
}

// The text of an optional string field; nullopt when it is there and not a string.
std::optional<std::string> TextField(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return "";
  if (!found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

ApiResponse SetServerState(const AdminBackend& backend, const ApiRequest& request) {
  if (!IsJson(request.content_type)) {
    return ErrorResponse(415, "the body must be JSON with Content-Type: application/json");
  }
  const nlohmann::json body =
      nlohmann::json::parse(request.body, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (!body.is_object()) {
    return ErrorResponse(400, "the body must be {\"server\": ..., \"vip\": ..., \"state\": ...}");
  }
  const std::optional<std::string> server = TextField(body, "server");
  const std::optional<std::string> vip = TextField(body, "vip");
  const std::optional<std::string> state_word = TextField(body, "state");
  const std::optional<std::string> user = TextField(body, "user");
  if (!server || server->empty()) return ErrorResponse(400, "\"server\" must name a real server");
  if (!vip) return ErrorResponse(400, "\"vip\" must be a VIP's name, or left out for all");
  const auto state = ParseState(state_word.value_or(""));
  if (!state) return ErrorResponse(400, "\"state\" must be Online, Drain or Halt");
  if (!user) return ErrorResponse(400, "\"user\" must be a name, or left out");
  const bool signed_in = !request.signed_in.empty();
  const auto result = backend.set_server_state({.vip = *vip,
                                                .server = *server,
                                                .state = *state,
                                                .client = request.client,
                                                .user = signed_in ? request.signed_in : *user,
                                                .signed_in = signed_in});
  if (!result.ok()) return StatusResponse(result.status());
  return JsonResponse(CommandResultToJson(*result));
}

// The pages of ApiScope::kMetrics.
std::optional<ApiResponse> GetMetrics(const AdminBackend& backend, const ApiRequest& request) {
  const std::string& path = request.path;
  if (path == "/healthz") return JsonResponse({{"status", "ok"}});
  if (path == "/readyz") return Ready(backend);
  if (path == "/metrics") {
    return ApiResponse{.status = 200,
                       .content_type = telemetry::kMetricsContentType,
                       .body = backend.metrics(QueryValue(request, "detail") != "vip")};
  }
  return std::nullopt;
}

ApiResponse SwitchPair(const AdminBackend& backend, const ApiRequest& request) {
  if (!IsJson(request.content_type)) {
    return ErrorResponse(415, "the body must be JSON with Content-Type: application/json");
  }
  const nlohmann::json body =
      nlohmann::json::parse(request.body, /*cb=*/nullptr, /*allow_exceptions=*/false);
  const std::string word = body.is_object() ? TextField(body, "switch").value_or("") : "";
  const bool takeover = absl::EqualsIgnoreCase(word, "Takeover");
  if (!takeover && !absl::EqualsIgnoreCase(word, "Standby")) {
    return ErrorResponse(400, "the body must be {\"switch\": \"Takeover\"} or \"Standby\"");
  }
  constexpr size_t kUserBytesMax = 64;
  const std::string user = TextField(body, "user").value_or("").substr(0, kUserBytesMax);
  const auto result = backend.switch_pair(
      takeover ? controller::PairSwitch::kTakeover : controller::PairSwitch::kStandby,
      user.empty() ? request.client : absl::StrCat(request.client, " (user ", user, ")"));
  if (!result.ok()) return StatusResponse(result.status());
  return JsonResponse({{"message", *result}});
}

ApiResponse Get(const AdminBackend& backend, const ApiRequest& request) {
  const std::string& path = request.path;
  if (path == "/api/v1/status") {
    return JsonResponse(ViewToJson(*backend.view(), backend.version, backend.revision));
  }
  if (path == "/api/v1/findings") return JsonResponse(FindingsToJson(*backend.view()));
  if (path == "/api/v1/explain") return Explain(backend, request);
  if (path == "/api/v1/version") {
    return JsonResponse({{"version", backend.version}, {"revision", backend.revision}});
  }
  return ErrorResponse(404, absl::StrCat("no such page: ", path,
                                         "; there are /healthz, /readyz, /metrics, /api/v1/status, "
                                         "/api/v1/findings, /api/v1/explain and /api/v1/version"));
}

}  // namespace

ApiResponse ErrorResponse(int status, const std::string& message) {
  return JsonResponse({{"error", message}}, status);
}

ApiResponse HandleApiRequest(const AdminBackend& backend, const ApiRequest& request,
                             ApiScope scope) {
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (reads) {
    if (std::optional<ApiResponse> page = GetMetrics(backend, request)) return *std::move(page);
  }
  if (scope == ApiScope::kMetrics) {
    return ErrorResponse(reads ? 404 : 405,
                         "here are GET /healthz, /readyz and /metrics alone; the rest is the admin "
                         "API's (--admin)");
  }
  constexpr char kStatePath[] = "/api/v1/servers/state";
  if (request.path == kStatePath) {
    if (request.method == "POST") return SetServerState(backend, request);
    return ErrorResponse(405, absl::StrCat(kStatePath, " takes POST only"));
  }
  constexpr char kPairPath[] = "/api/v1/pair";
  if (request.path == kPairPath) {
    if (request.method == "POST") return SwitchPair(backend, request);
    return ErrorResponse(405, absl::StrCat(kPairPath, " takes POST only"));
  }
  if (reads) return Get(backend, request);
  return ErrorResponse(405, absl::StrCat(request.path, " takes GET only"));
}

}  // namespace fairlead::admin
