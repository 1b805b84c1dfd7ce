// ApiClient: requests to a Kubernetes API server. The one door to the network of this room; what
// is above it (Reflector, LeaseElector, StatusWriter) is tested against any implementation.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/kube/cluster_access.h"

namespace fairlead::kube {

inline constexpr char kJson[] = "application/json";
inline constexpr char kMergePatch[] = "application/merge-patch+json";  // RFC 7396
inline constexpr char kJsonPatch[] = "application/json-patch+json";    // RFC 6902
inline constexpr char kApplyPatch[] = "application/apply-patch+yaml";  // body JSON

struct ApiRequest {
  std::string method = "GET";
  std::string target;  // path and query, encoded
  std::string body{};
  std::string content_type = kJson;
  // Of the whole request; of Stream(): until its end whatever arrives.
  absl::Duration timeout = absl::Seconds(30);
  // Between two arrivals of the answer's bytes; longer is DeadlineExceeded, too.
  absl::Duration silence_max = absl::InfiniteDuration();
  // Of Stream(): called once, when a 2xx answer has begun.
  std::function<void()> on_open{};
};

struct ApiResponse {
  int status = 0;  // HTTP
  std::string body;
  std::optional<absl::Duration> retry_after;  // of a 429 or 5xx (RFC 9110 §10.2.3)

  bool ok() const { return status >= 200 && status < 300; }
  // "422 Invalid: VIP \"x\" is invalid: spec.ports: ...": status, reason and message of the
  // metav1.Status in the body, or the begin of another body.
  std::string ErrorText() const;
};

class ApiClient {
 public:
  virtual ~ApiClient() = default;

  // Thread-safe; blocks. Every HTTP answer is a response, whatever its status. Errors: Unavailable
  // (no connection, TLS, cut off) and DeadlineExceeded, with server and cause; Cancelled.
  virtual absl::StatusOr<ApiResponse> Send(const ApiRequest& request) = 0;

  // Thread-safe; blocks. Calls `on_line` for each line of a 2xx answer as it arrives, without its
  // end, until that returns false or the answer ends. Returns the status, with the body of an
  // answer that is none of 2xx. Errors: as Send; a line of more than 16 MiB is OutOfRange.
  virtual absl::StatusOr<ApiResponse> Stream(
      const ApiRequest& request, absl::FunctionRef<bool(absl::string_view line)> on_line) = 0;

  // Thread-safe. Ends the calls that run, and those to come at once, with Cancelled. Only the
  // lookup of a server's name is waited for (getaddrinfo(3)).
  virtual void Cancel() = 0;

  // "https://10.0.0.1:6443", for messages.
  virtual std::string server() const = 0;
};

// The one that connects. Credentials that are files are read again while it lives. The process
// ignores SIGPIPE. Errors: what of the access cannot be read or is malformed, with its origin.
absl::StatusOr<std::unique_ptr<ApiClient>> MakeApiClient(const ClusterAccess& access,
                                                         const base::Clock& clock);

}  // namespace fairlead::kube
