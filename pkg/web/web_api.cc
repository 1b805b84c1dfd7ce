#include "pkg/web/web_api.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "pkg/admin/api.h"
#include "pkg/base/log.h"
#include "pkg/web/assets.h"
#include "pkg/web/password.h"
#include "pkg/web/random.h"

namespace fairlead::web {
namespace {

using nlohmann::json;

constexpr size_t kSetupCodeBytesMin = 8;

WebResponse Json(const json& body, int status = 200) {
  return {
      .status = status,
      .body = body.dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace) + "\n"};
}

WebResponse Error(int status, const std::string& message) {
  return Json({{"error", message}}, status);
}

WebResponse Error(const absl::Status& status) {
  const bool refused = absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status) ||
                       absl::IsNotFound(status) || absl::IsAlreadyExists(status);
  return Error(refused ? 400 : 500, std::string(status.message()));
}

WebResponse Done() { return Json({{"done", true}}); }

WebResponse FromAdmin(admin::ApiResponse response) {
  return {.status = response.status,
          .content_type = std::move(response.content_type),
          .body = std::move(response.body)};
}

std::string FieldOf(const std::map<std::string, std::string>& fields, const char* name) {
  const auto found = fields.find(name);
  return found == fields.end() ? "" : found->second;
}

bool IsJson(const std::string& content_type) {
  const std::string type = content_type.substr(0, content_type.find(';'));
  return absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(type), "application/json");
}

std::optional<WebResponse> Page(const WebRequest& request) {
  const Asset* asset = FindAsset(request.path);
  if (asset == nullptr) return std::nullopt;
  // A browser asks each time, and is told that it has it already.
  WebResponse response;
  response.content_type = std::string(asset->content_type);
  response.headers = {{"ETag", asset->etag}, {"Cache-Control", "no-cache"}};
  if (HeaderOf(request, "If-None-Match") == asset->etag) {
    response.status = 304;
  } else {
    response.body = std::string(asset->body);
  }
  return response;
}

}  // namespace

WebApi::WebApi(WebApiOptions options, const admin::AdminBackend& backend, UserStore& users,
               const base::Clock& clock)
    : options_(std::move(options)),
      backend_(backend),
      users_(users),
      sessions_(clock),
      limiter_(clock),
      overview_(backend, clock) {}

WebResponse WebApi::Handle(const WebRequest& request) {
  if (request.method == "GET" || request.method == "HEAD") return Read(request);
  if (request.method == "POST") return Write(request);
  return Error(405, "GET and POST only");
}

std::optional<WebApi::Caller> WebApi::CallerOf(const WebRequest& request) {
  const std::string cookies = HeaderOf(request, "Cookie");
  const std::string secret(CookieOf(cookies, options_.cookie_name));
  if (secret.empty()) return std::nullopt;
  // A page that only looks for news does not keep its user signed in.
  const bool by_user =
      request.path != "/web/v1/overview" || FieldOf(request.query, "active") == "1";
  std::optional<Session> session = sessions_.Find(secret, by_user);
  if (!session.has_value()) return std::nullopt;
  return Caller{secret, *std::move(session)};
}

WebResponse WebApi::Read(const WebRequest& request) {
  if (std::optional<WebResponse> page = Page(request)) return *std::move(page);
  if (request.path == "/web/v1/session") return ShowSession(request);
  const std::optional<Caller> caller = CallerOf(request);
  if (!caller.has_value()) return Error(401, "sign in first");
  if (request.path == "/web/v1/overview") {
    uint64_t seen = 0;
    if (!absl::SimpleAtoi(FieldOf(request.query, "revision"), &seen)) seen = 0;
    return {.body = overview_.Answer(FieldOf(request.query, "epoch"), seen)};
  }
  if (request.path == "/web/v1/users") {
    return caller->session.role == Role::kOperator ? ListUsers()
                                                   : Error(403, "only operators see the users");
  }
  if (absl::StartsWith(request.path, "/api/v1/")) {
    admin::ApiRequest api;
    api.method = request.method;
    api.path = request.path;
    api.query = request.query;
    return FromAdmin(admin::HandleApiRequest(backend_, api));
  }
  return Error(404, absl::StrCat("no such page: ", request.path));
}

WebResponse WebApi::Write(const WebRequest& request) {
  if (!IsJson(HeaderOf(request, "Content-Type"))) {
    return Error(415, "the body must be JSON with Content-Type: application/json");
  }
  if (!IsOwnOrigin(HeaderOf(request, "Origin"), HeaderOf(request, "Host"))) {
    base::LogWarning("web page: request of a foreign page refused",
                     {{"client", request.client.ToString()},
                      {"origin", HeaderOf(request, "Origin")},
                      {"host", HeaderOf(request, "Host")}});
    return Error(403, "this request came from another site's page");
  }
  const std::optional<Fields> fields = ParseFields(request.body);
  if (!fields.has_value()) return Error(400, "the body must be a JSON object of strings");
  if (request.path == "/web/v1/setup") return SetUp(request, *fields);
  if (request.path == "/web/v1/login") return LogIn(request, *fields);
  const std::optional<Caller> caller = CallerOf(request);
  if (!caller.has_value()) return Error(401, "sign in first");
  if (!EqualSecrets(HeaderOf(request, "X-Fairlead-Csrf"), caller->session.csrf_token)) {
    base::LogWarning("web page: request without its session's token refused",
                     {{"client", request.client.ToString()}, {"user", caller->session.user}});
    return Error(403, "X-Fairlead-Csrf is not this session's token: load the page again");
  }
  return WriteAs(request, *caller, *fields);
}

WebResponse WebApi::WriteAs(const WebRequest& request, const Caller& caller, const Fields& fields) {
  if (request.path == "/web/v1/logout") {
    sessions_.End(caller.secret);
    base::LogInfo("web page: signed out",
                  {{"user", caller.session.user}, {"client", request.client.ToString()}});
    WebResponse response = Done();
    response.headers["Set-Cookie"] = absl::StrCat(SetCookie(""), "; Max-Age=0");
    return response;
  }
  if (request.path == "/web/v1/password") return ChangePassword(request, caller, fields);
  if (caller.session.role != Role::kOperator) {
    return Error(403, absl::StrCat("user ", caller.session.user,
                                   " is a Viewer and changes nothing; sign in as an Operator"));
  }
  if (request.path == "/web/v1/users") return ChangeUser(request, caller, fields);
  if (request.path == "/api/v1/servers/state") return SetServerState(request, caller, fields);
  return Error(404, absl::StrCat("no such page: ", request.path));
}

WebResponse WebApi::ShowSession(const WebRequest& request) {
  json body = {{"setup", users_.IsEmpty()}, {"setupFile", options_.setup_code_file}};
  if (const std::optional<Caller> caller = CallerOf(request)) {
    body["user"] = caller->session.user;
    body["role"] = RoleName(caller->session.role);
    body["csrf"] = caller->session.csrf_token;
  }
  return Json(body);
}

std::string WebApi::SetCookie(const std::string& secret) const {
  return absl::StrCat(options_.cookie_name, "=", secret,
                      "; Path=/; Secure; HttpOnly; SameSite=Strict");
}

WebResponse WebApi::Started(const std::string& user, Role role) {
  const std::string secret = sessions_.Begin(user, role);
  WebResponse response = Done();
  response.headers["Set-Cookie"] = SetCookie(secret);
  return response;
}

std::optional<WebResponse> WebApi::RefuseTry(const WebRequest& request) {
  const absl::Duration wait = limiter_.WaitOf(request.client.address);
  if (wait == absl::ZeroDuration()) return std::nullopt;
  const int64_t seconds = absl::ToInt64Seconds(absl::Ceil(wait, absl::Seconds(1)));
  WebResponse response =
      Error(429, absl::StrCat("too many wrong passwords; try again in ", seconds, " s"));
  response.headers["Retry-After"] = absl::StrCat(seconds);
  return response;
}

absl::StatusOr<std::string> WebApi::SetupCode() const {
  if (options_.setup_code_file.empty()) return options_.setup_code;
  std::ifstream file(options_.setup_code_file);
  std::string code;
  if (!file || !std::getline(file, code)) {
    return absl::FailedPreconditionError(absl::StrCat("the file with the setup code, ",
                                                      options_.setup_code_file,
                                                      " (--web-setup-code-file), cannot be read"));
  }
  code = std::string(absl::StripAsciiWhitespace(code));
  if (code.size() < kSetupCodeBytesMin) {
    return absl::FailedPreconditionError(
        absl::StrCat("the setup code in ", options_.setup_code_file, " must have at least ",
                     kSetupCodeBytesMin, " characters"));
  }
  return code;
}

WebResponse WebApi::SetUp(const WebRequest& request, const Fields& fields) {
  if (!users_.IsEmpty()) return Error(403, "the first password has been set already; sign in");
  base::MutexLock lock(&hashing_);
  if (std::optional<WebResponse> refusal = RefuseTry(request)) return *std::move(refusal);
  const absl::StatusOr<std::string> code = SetupCode();
  if (!code.ok()) return Error(code.status());
  if (!EqualSecrets(absl::StripAsciiWhitespace(FieldOf(fields, "code")), *code)) {
    limiter_.Failed(request.client.address);
    base::LogWarning("web page: wrong setup code", {{"client", request.client.ToString()}});
    return Error(403, "that is not the setup code; it stands in the log of the running daemon");
  }
  const User user = {FieldOf(fields, "user"), Role::kOperator, ""};
  if (absl::Status status = CheckUserName(user.name); !status.ok()) return Error(status);
  const std::string password = FieldOf(fields, "password");
  if (absl::Status status = CheckNewPassword(password); !status.ok()) return Error(status);
  const absl::StatusOr<std::string> hash = HashPassword(password);
  if (!hash.ok()) return Error(hash.status());
  const absl::Status put = users_.PutFirst({user.name, user.role, *hash});
  if (!put.ok()) return Error(put);
  base::LogInfo("web page: first password set; the setup code is void",
                {{"user", user.name}, {"client", request.client.ToString()}});
  return Started(user.name, user.role);
}

bool WebApi::IsRight(const std::string& password, const std::string& hash) {
  // Of no user: the same time passes, so that names cannot be told from each other.
  static const std::string nobody =
      "$scrypt$ln=15,r=8,p=3$AAAAAAAAAAAAAAAAAAAAAA==$"
      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  return VerifyPassword(password, hash.empty() ? nobody : hash) && !hash.empty();
}

WebResponse WebApi::LogIn(const WebRequest& request, const Fields& fields) {
  const std::string name = FieldOf(fields, "user");
  base::MutexLock lock(&hashing_);
  if (std::optional<WebResponse> refusal = RefuseTry(request)) return *std::move(refusal);
  const std::optional<User> user = users_.Find(name);
  if (!IsRight(FieldOf(fields, "password"), user.has_value() ? user->password_hash : "")) {
    limiter_.Failed(request.client.address);
    base::LogWarning("web page: wrong user or password",
                     {{"user", name.substr(0, 64)}, {"client", request.client.ToString()}});
    return Error(403, "wrong user or password");
  }
  limiter_.Succeeded(request.client.address);
  base::LogInfo(
      "web page: signed in",
      {{"user", name}, {"role", RoleName(user->role)}, {"client", request.client.ToString()}});
  return Started(name, user->role);
}

WebResponse WebApi::ChangePassword(const WebRequest& request, const Caller& caller,
                                   const Fields& fields) {
  base::MutexLock lock(&hashing_);
  if (std::optional<WebResponse> refusal = RefuseTry(request)) return *std::move(refusal);
  std::optional<User> user = users_.Find(caller.session.user);
  if (!IsRight(FieldOf(fields, "old"), user.has_value() ? user->password_hash : "")) {
    limiter_.Failed(request.client.address);
    return Error(403, "the present password is another one");
  }
  const std::string wanted = FieldOf(fields, "new");
  if (absl::Status status = CheckNewPassword(wanted); !status.ok()) return Error(status);
  const absl::StatusOr<std::string> hash = HashPassword(wanted);
  if (!hash.ok()) return Error(hash.status());
  user->password_hash = *hash;
  if (absl::Status status = users_.Put(*user); !status.ok()) return Error(status);
  sessions_.EndAllOf(user->name, caller.secret);
  base::LogInfo("web page: password changed",
                {{"user", user->name}, {"client", request.client.ToString()}});
  return Done();
}

WebResponse WebApi::ListUsers() const {
  json list = json::array();
  for (const User& user : users_.List()) {
    list.push_back({{"name", user.name}, {"role", RoleName(user.role)}});
  }
  return Json({{"users", std::move(list)}});
}

WebResponse WebApi::ChangeUser(const WebRequest& request, const Caller& caller,
                               const Fields& fields) {
  const std::string name = FieldOf(fields, "name");
  const std::string role_word = FieldOf(fields, "role");
  absl::Status status = CheckUserName(name);
  if (role_word.empty()) {
    status = users_.Remove(name);
  } else if (status.ok()) {
    const std::optional<Role> role = ParseRole(role_word);
    if (!role.has_value()) return Error(400, "\"role\" must be Viewer or Operator");
    const std::string password = FieldOf(fields, "password");
    if (status = CheckNewPassword(password); !status.ok()) return Error(status);
    base::MutexLock lock(&hashing_);
    const absl::StatusOr<std::string> hash = HashPassword(password);
    if (!hash.ok()) return Error(hash.status());
    status = users_.Put({name, *role, *hash});
  }
  if (!status.ok()) return Error(status);
  sessions_.EndAllOf(name, caller.secret);
  base::LogInfo("web page: user changed", {{"user", name},
                                           {"role", role_word.empty() ? "removed" : role_word},
                                           {"by", caller.session.user},
                                           {"client", request.client.ToString()}});
  return Done();
}

WebResponse WebApi::SetServerState(const WebRequest& request, const Caller& caller,
                                   const Fields& fields) {
  const json body = {{"server", FieldOf(fields, "server")},
                     {"vip", FieldOf(fields, "vip")},
                     {"state", FieldOf(fields, "state")}};
  admin::ApiRequest api;
  api.method = "POST";
  api.path = request.path;
  api.content_type = "application/json";
  api.body = body.dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace);
  api.client = request.client.ToString();
  api.signed_in = caller.session.user;
  WebResponse response = FromAdmin(admin::HandleApiRequest(backend_, api));
  overview_.Expire();
  return response;
}

}  // namespace fairlead::web
