#include "pkg/health/http_response.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"

namespace fairlead::health {
namespace {

constexpr absl::string_view kVersionPrefix = "HTTP/1.";
constexpr HttpResponse kIncomplete = {HttpResponse::Parse::kIncomplete, 0, {}};
constexpr HttpResponse kMalformed = {HttpResponse::Parse::kMalformed, 0, {}};
constexpr int kSwitchingProtocols = 101;

bool IsInterim(int status) { return status < 200 && status != kSwitchingProtocols; }

// False when no continuation of `bytes` can be a status line.
bool MayBeStatusLine(absl::string_view bytes) {
  const size_t size = std::min(bytes.size(), kVersionPrefix.size());
  if (bytes.substr(0, size) != kVersionPrefix.substr(0, size)) return false;
  bytes.remove_prefix(size);
  if (!bytes.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(bytes[0]))) return false;
  return bytes.size() < 2 || bytes[1] == ' ';
}

// `line` without its line end; it passed MayBeStatusLine.
HttpResponse ParseStatusLine(absl::string_view line) {
  const size_t version_size = kVersionPrefix.size() + 1;
  if (line.size() <= version_size) return kMalformed;
  line.remove_prefix(version_size);
  while (absl::ConsumePrefix(&line, " ")) {
  }
  if (line.size() < 3) return kMalformed;
  int status = 0;
  for (char c : line.substr(0, 3)) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return kMalformed;
    status = status * 10 + (c - '0');
  }
  line.remove_prefix(3);
  if (status < 100 || status > 599) return kMalformed;
  if (!line.empty() && !absl::ConsumePrefix(&line, " ")) return kMalformed;
  return {HttpResponse::Parse::kComplete, status, line};
}

// Takes one line from `bytes`, without its line end. False: no line end yet.
bool TakeLine(absl::string_view& bytes, absl::string_view& line) {
  const size_t end = bytes.find('\n');
  if (end == absl::string_view::npos) return false;
  line = absl::StripSuffix(bytes.substr(0, end), "\r");
  bytes.remove_prefix(end + 1);
  return true;
}

// Takes the header lines and the empty line behind them.
bool SkipHeaders(absl::string_view& bytes) {
  absl::string_view line;
  while (TakeLine(bytes, line)) {
    if (line.empty()) return true;
  }
  return false;
}

}  // namespace

HttpResponse ParseHttpResponse(absl::string_view bytes) {
  // Each turn takes at least one line, so the loop ends with the bytes.
  while (true) {
    if (!MayBeStatusLine(bytes)) return kMalformed;
    absl::string_view line;
    if (!TakeLine(bytes, line)) return kIncomplete;
    const HttpResponse response = ParseStatusLine(line);
    if (response.parse != HttpResponse::Parse::kComplete || !IsInterim(response.status)) {
      return response;
    }
    if (!SkipHeaders(bytes)) return kIncomplete;
  }
}

}  // namespace fairlead::health
