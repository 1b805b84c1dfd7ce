// WebSetup: what of the daemon serves the web page: where, with which files, and what becomes of a
// page that cannot be served.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cmd/fairlead/flags.h"
#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/controller/view.h"
#include "pkg/model/node.h"
#include "pkg/model/vip.h"
#include "pkg/web/server.h"

namespace fairlead::cmd {

inline constexpr FlagSpec kWebFlag = {
    "web", "ADDR:PORT|none",
    "web page over HTTPS; default the Node object's, or 0.0.0.0:9443 and in a cluster none"};
inline constexpr FlagSpec kWebCertificateFlag = {
    "web-certificate", "DIR",
    "tls.crt and tls.key of the web page, read again when they change; default self-signed"};
inline constexpr FlagSpec kWebSetupCodeFlag = {
    "web-setup-code-file", "PATH",
    "what the first visitor of the web page must know; default a code in the log"};

struct WebOptions {
  bool off = false;  // --web none
  std::optional<net::Endpoint> bind;
  std::string certificate_from;
  std::string setup_code_file;
};

// Errors (InvalidArgument) name the flag and what it takes.
absl::StatusOr<WebOptions> DecodeWebOptions(const Flags& flags);

// Where the page is served; absent: nowhere. Flags win over the Node object, which wins over the
// default. `asked_for`: somebody named the address.
struct WebPlace {
  std::optional<net::Endpoint> bind;
  bool asked_for = false;
  std::string refusal{};  // why it is nowhere, when nobody has said so
};
WebPlace SettleWeb(const WebOptions& options, const std::optional<model::Node>& node);

// The default page does not take the port of a VIP that is configured at the start. Pure.
WebPlace GiveWayToVips(WebPlace place, const std::vector<model::Vip>& vips);

// Thread-safe.
class WebSetup {
 public:
  // `clock` outlives it.
  explicit WebSetup(const base::Clock& clock) : clock_(clock) {}
  ~WebSetup() { End(); }

  // Serves the page. A page that somebody asked for and that cannot be served is an error. The
  // default one is not worth a daemon that does not start, for instance because port 9443 is taken
  // (it is popular): that is a warning of the host then, and VIPs are served without a page.
  absl::Status Begin(const WebOptions& options, const WebPlace& place,
                     const std::string& state_directory, admin::AdminBackend backend);
  void End();
  // Puts the warning into the view, if there is one.
  void Show(controller::ControlView* view) const;

 private:
  void Warn(const std::string& reason);

  const base::Clock& clock_;
  mutable base::Mutex mutex_;
  std::string warning_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<web::WebServer> server_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::cmd
