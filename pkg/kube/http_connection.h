// HttpConnection: one connection to an API server, kept alive between requests. The one door to
// cpp-httplib of this room: its types and exceptions stop in http_connection.cc.
//
// The library verifies a server's certificate in ways that differ between its versions; here
// OpenSSL does it during the handshake, by the name or the address that is expected (RFC 6125),
// before a byte of a token goes out.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pkg/kube/api_client.h"
#include "pkg/kube/call_guard.h"

namespace fairlead::kube {

// Where a server is.
struct ServerUrl {
  bool tls = true;
  std::string host;  // a name or an IP address, without brackets
  int port = 443;
  std::string path_prefix;  // "" or "/k8s/clusters/c-1", without a slash at its end

  // "https://HOST[:PORT][/PREFIX]" or "http://...". Errors: InvalidArgument with the text.
  static absl::StatusOr<ServerUrl> Parse(absl::string_view text);
  std::string HostHeader() const;
};

// PEM texts, and what is expected of the server.
struct TlsSettings {
  std::string ca;  // "" = the system's authorities
  std::string certificate;
  std::string key;
  std::string server_name;  // "" = the host of the URL
  bool insecure_skip_verify = false;
  friend bool operator==(const TlsSettings&, const TlsSettings&) = default;
};

class HttpConnection {
 public:
  struct Head {
    int status = 0;
    std::string retry_after;  // the header's value
  };
  using Headers = std::vector<std::pair<std::string, std::string>>;

  // Connects with the first request. Errors: InvalidArgument, what of the settings is no PEM.
  static absl::StatusOr<std::unique_ptr<HttpConnection>> Create(const ServerUrl& url,
                                                                const TlsSettings& tls);
  ~HttpConnection();

  // Sends a request and hands the answer over as it arrives: `on_head` once, then `on_body` until
  // it returns false. Blocks until the end of the answer or of `call`. One thread at a time.
  // Ok: the answer is complete, or `on_body` had enough. Errors: Unavailable with the cause.
  absl::Status Exchange(const ApiRequest& request, const Headers& headers, CallGuard::Call& call,
                        absl::FunctionRef<void(const Head&)> on_head,
                        absl::FunctionRef<bool(absl::string_view)> on_body);
  // Whether it can carry another request: the last answer was taken to its end.
  bool reusable() const;
  bool used() const;

 private:
  struct Parts;
  explicit HttpConnection(std::unique_ptr<Parts> parts);
  const std::unique_ptr<Parts> parts_;
};

}  // namespace fairlead::kube
