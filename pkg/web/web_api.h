// WebApi: what the web page's server answers, without the server. Thread-safe.
//
//   GET  / /app.js /app.css /icon.svg   the page
//   GET  /web/v1/session                who is signed in: {"setup", "user", "role", "csrf"}
//   POST /web/v1/setup                  {"code", "user", "password"}: the first user, an operator
//   POST /web/v1/login                  {"user", "password"}
//   POST /web/v1/logout
//   POST /web/v1/password               {"old", "new"}: the own one
//   GET  /web/v1/users                  operators; POST {"name", "role", "password"} adds or
//                                       replaces, {"name", "role": ""} removes
//   GET  /web/v1/overview               see Overview; ?epoch=&revision=[&active=1]
//   GET  /api/v1/...                    the admin API's
//   POST /api/v1/servers/state          operators; the user is the session's
//
// Nothing but the page itself, session, setup and login without a session. A request that changes
// something must be JSON, come from a page of this origin, and carry the session's token in
// X-Fairlead-Csrf. Why no list of allowed Host names against DNS rebinding: the cookie belongs to
// the name that the browser used, so that a foreign name comes without one.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "pkg/admin/backend.h"
#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/web/login_limiter.h"
#include "pkg/web/overview.h"
#include "pkg/web/request.h"
#include "pkg/web/session_table.h"
#include "pkg/web/user_store.h"

namespace fairlead::web {

struct WebApiOptions {
  // What the first visitor must know: the code itself, or a file that holds it (read when it is
  // needed, so that a secret may be mounted later).
  std::string setup_code{};
  std::string setup_code_file{};
  std::string cookie_name = "__Host-fairlead";  // two daemons of one host have different ones
};

class WebApi {
 public:
  // Everything outlives it.
  WebApi(WebApiOptions options, const admin::AdminBackend& backend, UserStore& users,
         const base::Clock& clock);

  WebResponse Handle(const WebRequest& request);

 private:
  struct Caller {
    std::string secret;
    Session session;
  };
  using Fields = std::map<std::string, std::string>;

  std::optional<Caller> CallerOf(const WebRequest& request);
  WebResponse Read(const WebRequest& request);
  WebResponse Write(const WebRequest& request);
  WebResponse ShowSession(const WebRequest& request);
  WebResponse SetUp(const WebRequest& request, const Fields& fields);
  WebResponse LogIn(const WebRequest& request, const Fields& fields);
  WebResponse ChangePassword(const WebRequest& request, const Caller& caller, const Fields& fields);
  WebResponse ChangeUser(const WebRequest& request, const Caller& caller, const Fields& fields);
  WebResponse SetServerState(const WebRequest& request, const Caller& caller, const Fields& fields);
  WebResponse WriteAs(const WebRequest& request, const Caller& caller, const Fields& fields);
  WebResponse ListUsers() const;
  WebResponse Started(const std::string& user, Role role);
  std::string SetCookie(const std::string& secret) const;
  // Absent: the client may try a password now.
  std::optional<WebResponse> RefuseTry(const WebRequest& request);
  bool IsRight(const std::string& password, const std::string& hash);
  absl::StatusOr<std::string> SetupCode() const;

  const WebApiOptions options_;
  const admin::AdminBackend& backend_;
  UserStore& users_;
  SessionTable sessions_;
  LoginLimiter limiter_;
  Overview overview_;
  base::Mutex hashing_;  // one at a time: each takes 32 MiB and a core
};

}  // namespace fairlead::web
