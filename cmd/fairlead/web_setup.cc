#include "cmd/fairlead/web_setup.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/base/log.h"
#include "pkg/model/suggestion.h"

namespace fairlead::cmd {
namespace {

// A page that nobody can reach from a desk is none; nothing is to be had there before somebody has
// read the code in this daemon's log.
constexpr char kDefaultWeb[] = "0.0.0.0:9443";

}  // namespace

absl::StatusOr<WebOptions> DecodeWebOptions(const Flags& flags) {
  WebOptions options;
  const std::string text = flags.Get(kWebFlag.name);
  options.off = text == "none";
  if (flags.Has(kWebFlag.name) && !options.off) {
    const absl::StatusOr<net::Endpoint> bind = net::Endpoint::Parse(text);
    if (!bind.ok() || bind->port == 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--web ", model::Quoted(text), " is neither ADDR:PORT with an IP address and a port, as ",
          kDefaultWeb, ", nor none"));
    }
    options.bind = *bind;
  }
  options.certificate_from = flags.Get(kWebCertificateFlag.name);
  options.setup_code_file = flags.Get(kWebSetupCodeFlag.name);
  return options;
}

WebPlace SettleWeb(const WebOptions& options, const std::optional<model::Node>& node) {
  if (options.off) return {};
  if (options.bind.has_value()) return {options.bind, /*asked_for=*/true};
  if (node.has_value() && node->admin_https.has_value()) {
    return {node->admin_https, /*asked_for=*/true};
  }
  return {*net::Endpoint::Parse(kDefaultWeb), /*asked_for=*/false};
}

WebPlace GiveWayToVips(WebPlace place, const std::vector<model::Vip>& vips) {
  if (!place.bind.has_value() || place.asked_for) return place;
  for (const model::Vip& vip : vips) {
    // Direct routing's packets never come to a socket of this host.
    const bool listens = vip.protocol != model::Protocol::kUdp && vip.mode != model::Mode::kDr;
    if (!listens || !vip.ports.Contains(place.bind->port)) continue;
    place.refusal = absl::StrCat("port ", place.bind->port, " is VIP ", vip.id.QualifiedName(),
                                 "'s; give the page an address by --web ADDR:PORT");
    place.bind.reset();
    break;
  }
  return place;
}

absl::Status WebSetup::Begin(const WebOptions& options, const WebPlace& place,
                             const std::string& state_directory, admin::AdminBackend backend) {
  if (!place.bind.has_value()) {
    if (!place.refusal.empty()) Warn(place.refusal);
    return absl::OkStatus();
  }
  auto server = web::WebServer::Create({.bind = *place.bind,
                                        .directory = absl::StrCat(state_directory, "/web"),
                                        .certificate_from = options.certificate_from,
                                        .setup_code_file = options.setup_code_file},
                                       std::move(backend), clock_);
  if (!server.ok()) {
    if (place.asked_for) return server.status();
    Warn(std::string(server.status().message()));
    return absl::OkStatus();
  }
  base::LogInfo("web page", {{"address", absl::StrCat("https://", place.bind->ToString(), "/")}});
  base::MutexLock lock(&mutex_);
  server_ = *std::move(server);
  return absl::OkStatus();
}

void WebSetup::Warn(const std::string& reason) {
  base::LogWarning("no web page", {{"reason", reason}});
  base::MutexLock lock(&mutex_);
  warning_ = absl::StrCat("there is no web page: ", reason);
}

void WebSetup::End() {
  std::unique_ptr<web::WebServer> server;
  {
    base::MutexLock lock(&mutex_);
    server = std::move(server_);
  }
  server.reset();  // its last answers may ask for the view
}

void WebSetup::Show(controller::ControlView* view) const {
  base::MutexLock lock(&mutex_);
  if (!warning_.empty()) view->warnings.push_back(warning_);
}

}  // namespace fairlead::cmd
