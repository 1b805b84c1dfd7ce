#include "pkg/web/request.h"

#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace fairlead::web {
namespace {

constexpr size_t kCookieBytesMax = 128;
constexpr size_t kFieldsMax = 8;

}  // namespace

std::string HeaderOf(const WebRequest& request, const char* name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? "" : found->second;
}

absl::string_view CookieOf(absl::string_view header, absl::string_view name) {
  for (absl::string_view pair : absl::StrSplit(header, ';')) {
    pair = absl::StripAsciiWhitespace(pair);
    if (!absl::ConsumePrefix(&pair, name) || !absl::ConsumePrefix(&pair, "=")) continue;
    return pair.size() <= kCookieBytesMax ? pair : "";
  }
  return "";
}

bool IsOwnOrigin(absl::string_view origin, absl::string_view host) {
  if (origin.empty()) return true;
  return absl::ConsumePrefix(&origin, "https://") && !host.empty() &&
         absl::EqualsIgnoreCase(origin, host);
}

std::optional<std::map<std::string, std::string>> ParseFields(absl::string_view body) {
  const auto json = nlohmann::json::parse(body, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || json.size() > kFieldsMax) return std::nullopt;
  std::map<std::string, std::string> fields;
  for (const auto& [name, value] : json.items()) {
    if (!value.is_string()) return std::nullopt;
    fields.emplace(name, value.get<std::string>());
  }
  return fields;
}

}  // namespace fairlead::web
