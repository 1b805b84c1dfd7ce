// The page's answers without a server: who may do what.
#include "pkg/web/web_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "pkg/web/random.h"
#include "tests/unit/web/fake_clock.h"

namespace fairlead::web {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr char kPassword[] = "correct horse";

class WebApiTest : public testing::Test {
 protected:
  WebApiTest() {
    controller::VipView vip;
    vip.name_space = "default";
    vip.name = "web";
    controller::ServerView server;
    server.name = "<script>alert(1)</script>";
    server.health = model::OperationalState::kDown;
    server.health_reason = "connect refused by 10.0.0.1:80";
    vip.servers.push_back(server);
    view_->vips.push_back(vip);
    view_->plane.engine = "epoll";
    backend_.view = [this] { return view_; };
    backend_.set_server_state = [this](const controller::SetServerState& command)
        -> absl::StatusOr<controller::SetServerStateResult> {
      commands_.push_back(command);
      return controller::SetServerStateResult{.changes = {}, .message = "done", .warning = ""};
    };
    users_ = *UserStore::Create(absl::StrCat(testing::TempDir(), "/web-", RandomToken(6)));
    api_ = Make({.setup_code = "abcd-efgh"});
  }

  std::unique_ptr<WebApi> Make(const WebApiOptions& options) {
    return std::make_unique<WebApi>(options, backend_, *users_, clock_);
  }

  WebRequest Request(const char* method, const std::string& path) {
    WebRequest request;
    request.method = method;
    request.path = path;
    request.client = *net::Endpoint::Parse("10.0.0.9:40000");
    request.headers = {{"Content-Type", "application/json"}, {"Host", "lb1:9443"}};
    if (!cookie_.empty()) request.headers["Cookie"] = cookie_;
    if (!csrf_.empty()) request.headers["X-Fairlead-Csrf"] = csrf_;
    return request;
  }
  WebResponse Get(const std::string& path) { return api_->Handle(Request("GET", path)); }
  WebResponse Post(const std::string& path, const json& body) {
    WebRequest request = Request("POST", path);
    request.body = body.dump();
    return api_->Handle(request);
  }
  // Keeps cookie and token as a browser and the page do.
  int SignIn(const std::string& path, const json& body) {
    const WebResponse response = Post(path, body);
    const auto cookie = response.headers.find("Set-Cookie");
    if (cookie == response.headers.end()) return response.status;
    cookie_ = cookie->second.substr(0, cookie->second.find(';'));
    csrf_ = json::parse(Get("/web/v1/session").body).value("csrf", "");
    return response.status;
  }
  void SetUp() override {
    ASSERT_EQ(SignIn("/web/v1/setup",
                     {{"code", "abcd-efgh"}, {"user", "admin"}, {"password", kPassword}}),
              200);
  }
  void SignOut() {
    cookie_.clear();
    csrf_.clear();
  }

  FakeClock clock_;
  std::shared_ptr<controller::ControlView> view_ = std::make_shared<controller::ControlView>();
  admin::AdminBackend backend_;
  std::vector<controller::SetServerState> commands_;
  std::unique_ptr<UserStore> users_;
  std::unique_ptr<WebApi> api_;
  std::string cookie_;
  std::string csrf_;
};

TEST_F(WebApiTest, TheFirstPasswordIsSetOnce) {
  EXPECT_EQ(json::parse(Get("/web/v1/session").body)["setup"], false);
  SignOut();
  EXPECT_EQ(
      Post("/web/v1/setup", {{"code", "abcd-efgh"}, {"user", "evil"}, {"password", kPassword}})
          .status,
      403);
  EXPECT_EQ(users_->List().size(), 1u);
}

TEST_F(WebApiTest, TheFirstPasswordNeedsTheCode) {
  users_ = *UserStore::Create(absl::StrCat(testing::TempDir(), "/web-", RandomToken(6)));
  api_ = Make({.setup_code = "abcd-efgh"});
  SignOut();
  for (const char* code : {"", "abcd-efgi", "abcd-efg"}) {
    EXPECT_EQ(
        Post("/web/v1/setup", {{"code", code}, {"user", "evil"}, {"password", kPassword}}).status,
        403);
  }
  EXPECT_TRUE(users_->IsEmpty());
  EXPECT_THAT(
      Post("/web/v1/setup", {{"code", "abcd-efgh"}, {"user", "a"}, {"password", "short"}}).body,
      HasSubstr("at least 10"));
}

TEST_F(WebApiTest, TheCodeMayBeAFile) {
  users_ = *UserStore::Create(absl::StrCat(testing::TempDir(), "/web-", RandomToken(6)));
  const std::string path = absl::StrCat(testing::TempDir(), "/code-", RandomToken(6));
  api_ = Make({.setup_code_file = path});
  SignOut();
  const json body = {{"code", "from-a-secret"}, {"user", "admin"}, {"password", kPassword}};
  EXPECT_THAT(Post("/web/v1/setup", body).body, HasSubstr(path));
  std::ofstream(path) << "short\n";
  EXPECT_THAT(Post("/web/v1/setup", body).body, HasSubstr("at least 8"));
  EXPECT_EQ(Post("/web/v1/setup", {{"code", ""}, {"user", "a"}, {"password", kPassword}}).status,
            400);
  std::ofstream(path) << "from-a-secret\n";
  EXPECT_EQ(SignIn("/web/v1/setup", body), 200);
}

TEST_F(WebApiTest, NothingWithoutASession) {
  SignOut();
  for (const char* path : {"/web/v1/overview", "/web/v1/users", "/api/v1/status",
                           "/api/v1/findings", "/api/v1/explain", "/api/v1/version", "/nowhere"}) {
    EXPECT_EQ(Get(path).status, 401) << path;
  }
  for (const char* path :
       {"/web/v1/users", "/web/v1/password", "/web/v1/logout", "/api/v1/servers/state"}) {
    EXPECT_EQ(Post(path, json::object()).status, 401) << path;
  }
  EXPECT_EQ(json::parse(Get("/web/v1/session").body), (json{{"setup", false}, {"setupFile", ""}}));
  EXPECT_TRUE(commands_.empty());
}

TEST_F(WebApiTest, TheCookieIsForThisPageAlone) {
  const WebResponse response = Post("/web/v1/login", {{"user", "admin"}, {"password", kPassword}});
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_THAT(response.headers.at("Set-Cookie"),
              testing::MatchesRegex("__Host-fairlead=[A-Za-z0-9_-]{43}; Path=/; Secure; HttpOnly; "
                                    "SameSite=Strict"));
}

TEST_F(WebApiTest, SigningOutEndsTheSession) {
  EXPECT_EQ(Get("/web/v1/overview").status, 200);
  const WebResponse response = Post("/web/v1/logout", json::object());
  EXPECT_THAT(response.headers.at("Set-Cookie"), HasSubstr("Max-Age=0"));
  EXPECT_EQ(Get("/web/v1/overview").status, 401);
}

TEST_F(WebApiTest, AWriteNeedsTheTokenTheOriginAndJson) {
  const json body = {{"server", "srv-1"}, {"state", "Drain"}};
  WebRequest request = Request("POST", "/api/v1/servers/state");
  request.body = body.dump();
  request.headers["X-Fairlead-Csrf"] = "wrong";
  EXPECT_EQ(api_->Handle(request).status, 403);
  request.headers.erase("X-Fairlead-Csrf");
  EXPECT_EQ(api_->Handle(request).status, 403);
  request.headers["X-Fairlead-Csrf"] = csrf_;
  request.headers["Origin"] = "https://evil.example";
  EXPECT_EQ(api_->Handle(request).status, 403);
  request.headers["Origin"] = "https://lb1:9443";
  request.headers["Content-Type"] = "text/plain";
  EXPECT_EQ(api_->Handle(request).status, 415);
  EXPECT_TRUE(commands_.empty());
  request.headers["Content-Type"] = "application/json";
  EXPECT_EQ(api_->Handle(request).status, 200);
  ASSERT_EQ(commands_.size(), 1u);
  EXPECT_EQ(commands_[0].server, "srv-1");
  EXPECT_EQ(commands_[0].state, model::AdminState::kDrain);
}

TEST_F(WebApiTest, ACommandIsTheSessionsWhateverItsBodySays) {
  Post("/api/v1/servers/state", {{"server", "srv-1"}, {"state", "Halt"}, {"user", "somebody"}});
  ASSERT_EQ(commands_.size(), 1u);
  EXPECT_EQ(commands_[0].user, "admin");
  EXPECT_TRUE(commands_[0].signed_in);
  EXPECT_EQ(commands_[0].client, "10.0.0.9:40000");
}

TEST_F(WebApiTest, AViewerChangesNothing) {
  ASSERT_EQ(
      Post("/web/v1/users", {{"name", "night"}, {"role", "Viewer"}, {"password", "0123456789"}})
          .status,
      200);
  ASSERT_EQ(SignIn("/web/v1/login", {{"user", "night"}, {"password", "0123456789"}}), 200);
  EXPECT_EQ(Get("/web/v1/overview").status, 200);
  EXPECT_EQ(Get("/web/v1/users").status, 403);
  EXPECT_EQ(Post("/api/v1/servers/state", {{"server", "a"}, {"state", "Drain"}}).status, 403);
  EXPECT_EQ(
      Post("/web/v1/users", {{"name", "night"}, {"role", "Operator"}, {"password", "0123456789"}})
          .status,
      403);
  EXPECT_TRUE(commands_.empty());
  EXPECT_EQ(Post("/web/v1/password", {{"old", "0123456789"}, {"new", "9876543210"}}).status, 200);
  EXPECT_EQ(SignIn("/web/v1/login", {{"user", "night"}, {"password", "9876543210"}}), 200);
}

TEST_F(WebApiTest, ARemovedUserIsSignedOut) {
  const std::string admin_cookie = cookie_;
  const std::string admin_csrf = csrf_;
  Post("/web/v1/users", {{"name", "night"}, {"role", "Viewer"}, {"password", "0123456789"}});
  ASSERT_EQ(SignIn("/web/v1/login", {{"user", "night"}, {"password", "0123456789"}}), 200);
  const std::string night_cookie = cookie_;
  cookie_ = admin_cookie;
  csrf_ = admin_csrf;
  EXPECT_EQ(Post("/web/v1/users", {{"name", "night"}, {"role", ""}}).status, 200);
  EXPECT_THAT(Post("/web/v1/users", {{"name", "admin"}, {"role", ""}}).body,
              HasSubstr("last operator"));
  cookie_ = night_cookie;
  EXPECT_EQ(Get("/web/v1/overview").status, 401);
}

TEST_F(WebApiTest, WrongPasswordsMustWait) {
  const json wrong = {{"user", "admin"}, {"password", "wrong horse"}};
  for (int i = 0; i < LoginLimiter::kFreeFailures; ++i) {
    EXPECT_EQ(Post("/web/v1/login", wrong).status, 403);
  }
  const WebResponse refused = Post("/web/v1/login", {{"user", "admin"}, {"password", kPassword}});
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.headers.at("Retry-After"), "2");
  clock_.Advance(absl::Seconds(2));
  EXPECT_EQ(Post("/web/v1/login", {{"user", "admin"}, {"password", kPassword}}).status, 200);
}

TEST_F(WebApiTest, TheOverviewSendsWhatChanged) {
  const json first = json::parse(Get("/web/v1/overview").body);
  EXPECT_EQ(first["full"], true);
  ASSERT_EQ(first["entries"].size(), 5u);
  EXPECT_EQ(first["entries"][3]["word"], "NO SERVER");
  EXPECT_EQ(first["entries"][4]["name"], "<script>alert(1)</script>");
  EXPECT_EQ(first["entries"][4]["word"], "DOWN");
  EXPECT_EQ(first["entries"][4]["rank"], "bad");
  EXPECT_EQ(first["entries"][4]["reason"], "connect refused by 10.0.0.1:80");
  WebRequest request = Request("GET", "/web/v1/overview");
  request.query = {{"epoch", first["epoch"]}, {"revision", absl::StrCat(int{first["revision"]})}};
  EXPECT_TRUE(json::parse(api_->Handle(request).body)["entries"].empty());

  auto changed = std::make_shared<controller::ControlView>(*view_);
  changed->vips[0].servers[0].health = model::OperationalState::kUp;
  changed->vips[0].servers[0].eligibility = model::Eligibility::kAll;
  view_ = changed;
  clock_.Advance(absl::Seconds(1));
  const json second = json::parse(api_->Handle(request).body);
  EXPECT_EQ(second["full"], false);
  ASSERT_EQ(second["entries"].size(), 2u);  // the VIP and its server
  EXPECT_EQ(second["entries"][1]["word"], "Up");
  request.query["epoch"] = "of another process";
  EXPECT_EQ(json::parse(api_->Handle(request).body)["full"], true);
}

TEST_F(WebApiTest, TheFilesOfThePageAreCachedByTheirContent) {
  SignOut();
  for (const char* path : {"/", "/app.js", "/app.css", "/icon.svg"}) {
    const WebResponse response = Get(path);
    EXPECT_EQ(response.status, 200) << path;
    EXPECT_FALSE(response.body.empty()) << path;
    WebRequest again = Request("GET", path);
    again.headers["If-None-Match"] = response.headers.at("ETag");
    EXPECT_EQ(api_->Handle(again).status, 304) << path;
  }
}

}  // namespace
}  // namespace fairlead::web
