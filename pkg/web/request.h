// A request of a browser as the web page's handlers see it, and what is read out of its bytes.
// Pure.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "pkg/controller/view.h"

namespace fairlead::web {

struct WebRequest {
  std::string method;  // "GET", "HEAD", "POST"
  std::string path;
  std::map<std::string, std::string> query;
  std::map<std::string, std::string> headers;  // those of kRequestHeaders that are there
  std::string body;
  net::Endpoint client;
};

inline constexpr const char* kRequestHeaders[] = {"Content-Type",  "Cookie", "Host",
                                                  "If-None-Match", "Origin", "X-Fairlead-Csrf"};

struct WebResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::map<std::string, std::string> headers{};
};

// The value of header `name`; "" when it is absent.
std::string HeaderOf(const WebRequest& request, const char* name);

// The value of the first cookie of that name in a Cookie header (RFC 6265 §4.2.1: "a=1; b=2"); ""
// when there is none, or when it is longer than any of ours.
absl::string_view CookieOf(absl::string_view header, absl::string_view name);

// Whether the page that sent this came from here: Origin (RFC 6454 §7) is https:// and the Host
// that the request was sent to. A request without Origin comes from no page.
bool IsOwnOrigin(absl::string_view origin, absl::string_view host);

// The string fields of a JSON object; nullopt when `body` is none, or a field is no string. The
// bodies of ours have few fields and no nesting: anything else is refused.
std::optional<std::map<std::string, std::string>> ParseFields(absl::string_view body);

}  // namespace fairlead::web
