#include "pkg/kube/api_client.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "pkg/base/log.h"
#include "pkg/base/mutex.h"
#include "pkg/kube/call_guard.h"
#include "pkg/kube/credentials.h"
#include "pkg/kube/http_connection.h"
#include "pkg/kube/line_splitter.h"
#include "pkg/kube/object_decoder.h"
#include "pkg/model/suggestion.h"

namespace fairlead::kube {
namespace {

constexpr size_t kBodyBytesMax = 256 << 20;  // a page of 500 objects of 0.5 MiB
constexpr size_t kErrorBytesMax = 1 << 20;
constexpr size_t kErrorTextBytesMax = 512;
constexpr size_t kIdleConnectionsMax = 4;
// Servers and balancers before them close idle connections after 60 s and more.
constexpr absl::Duration kIdleTime = absl::Seconds(30);
constexpr char kUserAgent[] = "fairlead";

// RFC 9110 §10.2.3: seconds or a date.
std::optional<absl::Duration> ParseRetryAfter(int status, const std::string& value,
                                              absl::Time now) {
  if (value.empty() || (status != 429 && status < 500)) return std::nullopt;
  int seconds = 0;
  if (absl::SimpleAtoi(value, &seconds)) return absl::Seconds(std::max(seconds, 0));
  absl::Time date;
  if (!absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", value, &date, nullptr)) return std::nullopt;
  return std::max(date - now, absl::ZeroDuration());
}

class HttpApiClient final : public ApiClient {
 public:
  HttpApiClient(ServerUrl url, std::string server, const base::Clock& clock,
                std::unique_ptr<Credentials> credentials, std::unique_ptr<CallGuard> guard)
      : url_(std::move(url)),
        server_(std::move(server)),
        clock_(clock),
        credentials_(std::move(credentials)),
        guard_(std::move(guard)) {}

  absl::StatusOr<ApiResponse> Send(const ApiRequest& request) override;
  absl::StatusOr<ApiResponse> Stream(
      const ApiRequest& request, absl::FunctionRef<bool(absl::string_view line)> on_line) override;
  void Cancel() override { guard_->Cancel(); }
  std::string server() const override { return server_; }

  // Errors: as HttpConnection::Create.
  absl::StatusOr<std::unique_ptr<HttpConnection>> NewConnection(const TlsSettings& tls);

 private:
  struct Idle {
    std::unique_ptr<HttpConnection> connection;
    TlsSettings tls;
    absl::Duration since;  // monotonic
  };
  // Gets the response so far, whose body it may keep.
  using OnBody = absl::FunctionRef<bool(ApiResponse&, absl::string_view)>;

  // One request and its answer; once more when the token was refused and there is a newer one.
  absl::StatusOr<ApiResponse> Perform(const ApiRequest& request, OnBody on_body);
  // On a connection that was kept, else (or when that one was closed meanwhile) on a new one.
  absl::StatusOr<ApiResponse> Exchange(const ApiRequest& request,
                                       const Credentials::Current& credentials,
                                       CallGuard::Call& call, OnBody on_body);
  absl::Status ExchangeOn(HttpConnection& connection, const ApiRequest& request,
                          const std::string& token, CallGuard::Call& call, OnBody on_body,
                          ApiResponse* response);
  std::unique_ptr<HttpConnection> TakeIdle(const TlsSettings& tls);
  void Keep(std::unique_ptr<HttpConnection> connection, const TlsSettings& tls);
  // The words for an error of a request.
  absl::Status Explain(const ApiRequest& request, const CallGuard::Call& call,
                       const absl::Status& error) const;

  const ServerUrl url_;
  const std::string server_;
  const base::Clock& clock_;
  const std::unique_ptr<Credentials> credentials_;
  const std::unique_ptr<CallGuard> guard_;
  base::Mutex mutex_;
  std::vector<Idle> idle_ ABSL_GUARDED_BY(mutex_);
  std::optional<TlsSettings> good_tls_ ABSL_GUARDED_BY(mutex_);
};

std::unique_ptr<HttpConnection> HttpApiClient::TakeIdle(const TlsSettings& tls) {
  std::vector<Idle> outdated;  // closed without the lock
  base::MutexLock lock(&mutex_);
  while (!idle_.empty()) {
    Idle last = std::move(idle_.back());
    idle_.pop_back();
    if (last.tls == tls && clock_.Monotonic() - last.since < kIdleTime) {
      return std::move(last.connection);
    }
    outdated.push_back(std::move(last));
  }
  return nullptr;
}

void HttpApiClient::Keep(std::unique_ptr<HttpConnection> connection, const TlsSettings& tls) {
  Idle oldest;  // closed without the lock
  base::MutexLock lock(&mutex_);
  if (idle_.size() >= kIdleConnectionsMax) {
    oldest = std::move(idle_.front());
    idle_.erase(idle_.begin());
  }
  idle_.push_back({std::move(connection), tls, clock_.Monotonic()});
}

absl::StatusOr<std::unique_ptr<HttpConnection>> HttpApiClient::NewConnection(
    const TlsSettings& tls) {
  auto connection = HttpConnection::Create(url_, tls);
  base::MutexLock lock(&mutex_);
  if (connection.ok()) {
    good_tls_ = tls;
    return connection;
  }
  if (!good_tls_.has_value()) return connection;
  // Files that are being replaced: a new certificate with the old key.
  base::LogWarning("certificates for the API server cannot be used",
                   {{"server", server_},
                    {"cause", std::string(connection.status().message())},
                    {"action", "the last good ones stay in use"}});
  return HttpConnection::Create(url_, *good_tls_);
}

absl::Status HttpApiClient::ExchangeOn(HttpConnection& connection, const ApiRequest& request,
                                       const std::string& token, CallGuard::Call& call,
                                       OnBody on_body, ApiResponse* response) {
  HttpConnection::Headers headers = {
      {"Accept", kJson}, {"Accept-Encoding", "identity"}, {"User-Agent", kUserAgent}};
  if (!token.empty()) headers.emplace_back("Authorization", absl::StrCat("Bearer ", token));
  if (!request.body.empty()) headers.emplace_back("Content-Type", request.content_type);
  return connection.Exchange(
      request, headers, call,
      [&](const HttpConnection::Head& head) {
        response->status = head.status;
        response->retry_after = ParseRetryAfter(head.status, head.retry_after, clock_.Now());
        call.Touch();
        if (response->ok() && request.on_open != nullptr) request.on_open();
      },
      [&](absl::string_view data) {
        call.Touch();
        return on_body(*response, data);
      });
}

absl::StatusOr<ApiResponse> HttpApiClient::Exchange(const ApiRequest& request,
                                                    const Credentials::Current& credentials,
                                                    CallGuard::Call& call, OnBody on_body) {
  std::unique_ptr<HttpConnection> connection = TakeIdle(credentials.tls);
  while (true) {
    const bool is_kept = connection != nullptr;
    if (!is_kept) {
      auto made = NewConnection(credentials.tls);
      if (!made.ok()) return made.status();
      connection = *std::move(made);
    }
    ApiResponse response;
    const absl::Status done =
        ExchangeOn(*connection, request, credentials.token, call, on_body, &response);
    if (done.ok()) {
      if (connection->reusable()) Keep(std::move(connection), credentials.tls);
      return response;
    }
    connection.reset();
    // A kept connection may have been closed by the server at this very moment. POST is not sent
    // twice: it might have been carried out (RFC 9110 §9.2.2).
    const bool again = is_kept && response.status == 0 && request.method != "POST";
    if (!again || !call.verdict().ok()) return done;
  }
}

absl::Status HttpApiClient::Explain(const ApiRequest& request, const CallGuard::Call& call,
                                    const absl::Status& error) const {
  const std::string what = absl::StrCat(request.method, " ", server_, request.target);
  const absl::Status verdict = call.verdict();
  if (absl::IsCancelled(verdict)) return absl::CancelledError(absl::StrCat(what, ": cancelled"));
  if (absl::IsDeadlineExceeded(verdict)) {
    return absl::DeadlineExceededError(
        absl::StrCat(what, ": no complete answer within ", absl::FormatDuration(request.timeout)));
  }
  return absl::Status(error.code(), absl::StrCat(what, ": ", error.message()));
}

absl::StatusOr<ApiResponse> HttpApiClient::Perform(const ApiRequest& request, OnBody on_body) {
  CallGuard::Call call(*guard_, request.timeout, request.silence_max);
  if (const absl::Status early = call.verdict(); !early.ok()) {
    return Explain(request, call, early);
  }
  const auto is_over = [&call] { return !call.verdict().ok(); };
  const auto credentials = credentials_->Get(is_over);
  if (!credentials.ok()) return Explain(request, call, credentials.status());
  absl::StatusOr<ApiResponse> response = Exchange(request, *credentials, call, on_body);
  if (response.ok() && response->status == 401) {
    credentials_->Refuse(credentials->token);
    const auto renewed = credentials_->Get(is_over);
    if (renewed.ok() &&
        (renewed->token != credentials->token || !(renewed->tls == credentials->tls))) {
      response = Exchange(request, *renewed, call, on_body);
    }
  }
  if (!response.ok()) return Explain(request, call, response.status());
  return response;
}

bool MayHold(const ApiRequest& request) {
  return std::all_of(request.target.begin(), request.target.end(),
                     [](char c) { return c > ' ' && c < 0x7f; }) &&
         !request.target.empty() && request.target.front() == '/';
}

absl::Status WrongTarget(const ApiRequest& request) {
  return absl::InvalidArgumentError(
      absl::StrCat("request target ", model::Quoted(request.target), " is not encoded"));
}

absl::StatusOr<ApiResponse> HttpApiClient::Send(const ApiRequest& request) {
  if (!MayHold(request)) return WrongTarget(request);
  bool is_too_large = false;
  auto response = Perform(request, [&](ApiResponse& answer, absl::string_view data) {
    is_too_large = answer.body.size() + data.size() > kBodyBytesMax;
    if (!is_too_large) absl::StrAppend(&answer.body, data);
    return !is_too_large;
  });
  if (is_too_large) {
    return absl::OutOfRangeError(absl::StrCat(request.method, " ", server_, request.target,
                                              ": the answer is larger than ", kBodyBytesMax,
                                              " bytes"));
  }
  return response;
}

absl::StatusOr<ApiResponse> HttpApiClient::Stream(
    const ApiRequest& request, absl::FunctionRef<bool(absl::string_view line)> on_line) {
  if (!MayHold(request)) return WrongTarget(request);
  LineSplitter splitter(kLineBytesMax);
  bool had_enough = false;
  auto response = Perform(request, [&](ApiResponse& answer, absl::string_view data) {
    if (!answer.ok()) {
      absl::StrAppend(&answer.body, data.substr(0, kErrorBytesMax - answer.body.size()));
      return answer.body.size() < kErrorBytesMax;
    }
    had_enough = !splitter.Add(data, on_line);
    return !had_enough;
  });
  if (splitter.overflowed()) {
    return absl::OutOfRangeError(absl::StrCat(request.method, " ", server_, request.target,
                                              ": a line is longer than ", kLineBytesMax, " bytes"));
  }
  if (!response.ok()) return response;
  if (response->ok() && !had_enough) splitter.End(on_line);
  return response;
}

}  // namespace

std::string ApiResponse::ErrorText() const {
  const ApiStatus told = DecodeStatus(body);
  if (!told.message.empty() || !told.reason.empty()) {
    return absl::StrCat(status, told.reason.empty() ? "" : " ", model::Printable(told.reason, 64),
                        ": ", model::Printable(told.message, kErrorTextBytesMax));
  }
  if (body.empty()) return absl::StrCat(status, " without a body");
  return absl::StrCat(status, ": ", model::Printable(body, kErrorTextBytesMax));
}

absl::StatusOr<std::unique_ptr<ApiClient>> MakeApiClient(const ClusterAccess& access,
                                                         const base::Clock& clock) {
  auto url = ServerUrl::Parse(access.server);
  if (!url.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(access.origin, ": ", url.status().message()));
  }
  auto credentials = Credentials::Create(access, clock);
  if (!credentials.ok()) return credentials.status();
  const Credentials::Current first = (*credentials)->read();
  auto guard = CallGuard::Start(clock);
  if (!guard.ok()) return guard.status();
  auto client = std::make_unique<HttpApiClient>(*std::move(url), access.server, clock,
                                                *std::move(credentials), *std::move(guard));
  // What is no certificate is told now, not with each request.
  if (const auto tried = client->NewConnection(first.tls); !tried.ok()) {
    return absl::Status(tried.status().code(),
                        absl::StrCat(access.origin, ": ", tried.status().message()));
  }
  return client;
}

}  // namespace fairlead::kube
