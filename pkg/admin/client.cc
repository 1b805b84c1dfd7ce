#include "pkg/admin/client.h"

#include <httplib.h>

#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace fairlead::admin {
namespace {

constexpr time_t kConnectSeconds = 2;
constexpr time_t kReadSeconds = 15;  // more than any command may take

absl::StatusCode CodeOf(int http_status) {
  switch (http_status) {
    case 400:
    case 405:
    case 415:
      return absl::StatusCode::kInvalidArgument;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 503:
      return absl::StatusCode::kUnavailable;
    case 504:
      return absl::StatusCode::kDeadlineExceeded;
    default:
      return absl::StatusCode::kInternal;
  }
}

std::string ErrorText(const std::string& body, int http_status) {
  const auto json = nlohmann::json::parse(body, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (json.is_object() && json.contains("error") && json["error"].is_string()) {
    return json["error"].get<std::string>();
  }
  return absl::StrCat("HTTP ", http_status, ", and not from Fairlead's admin API");
}

std::string CauseText(httplib::Error error) {
  if (error == httplib::Error::Connection) return "connection refused or timed out";
  if (error == httplib::Error::Read) return "it closed the connection without an answer";
  return httplib::to_string(error);
}

absl::StatusOr<std::string> ToBody(const net::Endpoint& admin, const httplib::Result& result) {
  if (!result) {
    return absl::UnavailableError(absl::StrCat(
        "no daemon answers at ", admin.ToString(), " (", CauseText(result.error()),
        "); is `fairlead run` running on this host? If its admin API listens elsewhere, use "
        "--admin ADDR:PORT or set FAIRLEAD_ADMIN"));
  }
  if (result->status >= 200 && result->status < 300) return result->body;
  return absl::Status(CodeOf(result->status), ErrorText(result->body, result->status));
}

// The library may throw (allocation, locale); nothing of it leaves this file.
template <typename Call>
absl::StatusOr<std::string> Request(const net::Endpoint& admin, Call call) {
  try {
    httplib::Client client(admin.address.ToString(), admin.port);
    client.set_connection_timeout(kConnectSeconds);
    client.set_read_timeout(kReadSeconds);
    return ToBody(admin, call(client));
  } catch (const std::exception& error) {
    return absl::InternalError(
        absl::StrCat("request to ", admin.ToString(), " failed: ", error.what()));
  }
}

}  // namespace

absl::StatusOr<std::string> AdminGet(const net::Endpoint& admin, const std::string& target) {
  return Request(admin, [&](httplib::Client& client) { return client.Get(target); });
}

absl::StatusOr<std::string> AdminPostJson(const net::Endpoint& admin, const std::string& target,
                                          const std::string& body) {
  return Request(admin, [&](httplib::Client& client) {
    return client.Post(target, body, "application/json");
  });
}

std::string QueryEncode(const std::string& text) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~') {
      encoded.push_back(c);
    } else {
      absl::StrAppendFormat(&encoded, "%%%02X", byte);
    }
  }
  return encoded;
}

}  // namespace fairlead::admin
