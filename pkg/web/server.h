// WebServer: the web page over HTTPS, on a listener and a pool of threads of its own, so that
// neither /readyz nor the command line ever waits for a browser.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "pkg/admin/backend.h"
#include "pkg/admin/http_listener.h"
#include "pkg/base/clock.h"
#include "pkg/web/certificate_keeper.h"
#include "pkg/web/user_store.h"
#include "pkg/web/web_api.h"

namespace fairlead::web {

struct WebServerOptions {
  net::Endpoint bind;
  std::string directory;         // keeps users.json (0600) and a made certificate; made (0700)
  std::string certificate_from;  // tls.crt and tls.key that the user provides; "" = made
  // What the first visitor must know; a code of the log when it is empty.
  std::string setup_code_file;
};

class WebServer {
 public:
  // Serves until the object is destroyed. Errors: the address cannot be bound, users or certificate
  // cannot be read or kept, each with what to do. `clock` outlives it.
  static absl::StatusOr<std::unique_ptr<WebServer>> Create(const WebServerOptions& options,
                                                           admin::AdminBackend backend,
                                                           const base::Clock& clock);

  const net::Endpoint& endpoint() const { return listener_->endpoint(); }

 private:
  explicit WebServer(admin::AdminBackend backend) : backend_(std::move(backend)) {}
  absl::Status Start(const WebServerOptions& options, const base::Clock& clock);

  const admin::AdminBackend backend_;
  // In this order; the listener is destroyed first.
  std::unique_ptr<UserStore> users_;
  std::unique_ptr<CertificateKeeper> certificates_;
  std::unique_ptr<WebApi> api_;
  std::unique_ptr<admin::HttpListener> listener_;
};

}  // namespace fairlead::web
