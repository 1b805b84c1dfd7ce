#include "pkg/health/http_dialogue.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "pkg/health/http_response.h"
#include "pkg/health/reason.h"

namespace fairlead::health {
namespace {

// RFC 9110 §7.2: the port is left out when it is the scheme's own.
std::string HostHeader(const net::Endpoint& endpoint, const model::HealthCheck& check) {
  if (!check.http_host.empty()) return check.http_host;
  const uint16_t own_port = check.type == model::HealthCheck::Type::kHttps ? 443 : 80;
  if (endpoint.port != own_port) return endpoint.ToString();
  const std::string address = endpoint.address.ToString();
  return endpoint.address.is_ipv4() ? address : absl::StrCat("[", address, "]");
}

std::string Request(const net::Endpoint& endpoint, const model::HealthCheck& check) {
  return absl::StrCat("GET ", check.http_path.empty() ? "/" : check.http_path,
                      " HTTP/1.1\r\nHost: ", HostHeader(endpoint, check),
                      "\r\nUser-Agent: fairlead\r\nAccept: */*\r\nConnection: close\r\n\r\n");
}

// A TLS record of type alert or handshake (RFC 8446 §5.1) as the answer to plain text.
bool LooksLikeTls(absl::string_view received) {
  return received.size() >= 2 && (received[0] == 0x15 || received[0] == 0x16) &&
         received[1] == 0x03;
}

}  // namespace

HttpDialogue::HttpDialogue(const net::Endpoint& endpoint, const model::HealthCheck& check)
    : name_(TargetName(endpoint)),
      request_(Request(endpoint, check)),
      expected_(check.expected_statuses) {}

std::optional<ProbeOutcome> HttpDialogue::Judge(absl::string_view received, bool complete) const {
  const HttpResponse response = ParseHttpResponse(received);
  switch (response.parse) {
    case HttpResponse::Parse::kIncomplete:
      if (!complete) return std::nullopt;
      return ProbeOutcome::Unhealthy(
          absl::StrCat("incomplete HTTP answer from ", name_, ": ", Quoted(received)));
    case HttpResponse::Parse::kMalformed:
      return ProbeOutcome::Unhealthy(
          absl::StrCat("answer of ", name_, " is not HTTP: ", Quoted(received),
                       LooksLikeTls(received) ? " (this is TLS: use type HTTPS)" : ""));
    case HttpResponse::Parse::kComplete:
      break;
  }
  const bool expected =
      std::any_of(expected_.begin(), expected_.end(), [&response](const model::StatusRange& range) {
        return range.first <= response.status && response.status <= range.last;
      });
  if (expected) return ProbeOutcome::Healthy(absl::StrCat("HTTP ", response.status));
  const std::string phrase = Escaped(response.reason_phrase);
  return ProbeOutcome::Unhealthy(absl::StrCat("HTTP ", response.status, " from ", name_,
                                              phrase.empty() ? "" : ": ", phrase, " (expected ",
                                              StatusRangesText(expected_), ")"));
}

}  // namespace fairlead::health
