#include "pkg/health/reason.h"

#include <cerrno>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "pkg/base/errno_status.h"

namespace fairlead::health {
namespace {

constexpr size_t kEscapedBytesMax = 80;  // one line of a terminal next to the rest of the reason

std::string ErrorText(absl::string_view what, int error) {
  return std::string(base::ErrnoStatus(error, what).message());
}

}  // namespace

std::string TargetName(const net::Endpoint& endpoint) {
  return endpoint.port == 0 ? endpoint.address.ToString() : endpoint.ToString();
}

ProbeOutcome ConnectFailure(const net::Endpoint& endpoint, int error) {
  const std::string name = TargetName(endpoint);
  const std::string address = endpoint.address.ToString();
  switch (error) {
    case ECONNREFUSED:
      return ProbeOutcome::Unhealthy(absl::StrCat("connect refused by ", name));
    case ECONNRESET:
    case EPIPE:
      return ProbeOutcome::Unhealthy(absl::StrCat(name, " reset the connection"));
    case ETIMEDOUT:
      return ProbeOutcome::Unreachable(absl::StrCat("connect to ", name, " timed out"));
    case EHOSTUNREACH:
    case EHOSTDOWN:
      return ProbeOutcome::Unreachable(absl::StrCat("no route to host ", address));
    case ENETUNREACH:
    case ENETDOWN:
      return ProbeOutcome::Unreachable(
          absl::StrCat("network unreachable: this host has no route to ", address));
    case EACCES:
    case EPERM:
      return ProbeOutcome::Unreachable(
          absl::StrCat(ErrorText(absl::StrCat("connect to ", name), error),
                       "; a firewall rule or a prohibit route forbids it"));
    case EADDRNOTAVAIL:
    case EAGAIN:
      return ProbeOutcome::Inconclusive(absl::StrCat(
          "cannot check ", name,
          ": no free source port or address on this host; widen net.ipv4.ip_local_port_range or "
          "add a source address"));
    case ENOBUFS:
    case ENOMEM:
      return ProbeOutcome::Inconclusive(
          absl::StrCat("cannot check ", name, ": ", ErrorText("connect", error)));
    default:
      return ProbeOutcome::Unreachable(ErrorText(absl::StrCat("connect to ", name), error));
  }
}

ProbeOutcome SocketFailure(const net::Endpoint& endpoint, absl::string_view call, int error) {
  absl::string_view advice = "";
  if (error == EMFILE || error == ENFILE) advice = "; raise the limit of open files (ulimit -n)";
  if (error == EAFNOSUPPORT) advice = "; IPv6 is switched off on this host";
  return ProbeOutcome::Inconclusive(
      absl::StrCat("cannot check ", TargetName(endpoint), ": ", ErrorText(call, error), advice));
}

ProbeOutcome ConnectTimeout(const net::Endpoint& endpoint, absl::Duration timeout) {
  return ProbeOutcome::Unreachable(absl::StrCat(
      "connect to ", TargetName(endpoint), " timed out after ", absl::FormatDuration(timeout)));
}

std::string Escaped(absl::string_view bytes) {
  const bool cut = bytes.size() > kEscapedBytesMax;
  return absl::StrCat(absl::CHexEscape(bytes.substr(0, kEscapedBytesMax)), cut ? "..." : "");
}

std::string Quoted(absl::string_view bytes) { return absl::StrCat("\"", Escaped(bytes), "\""); }

std::string LatencyText(absl::Duration latency) {
  if (latency >= absl::Seconds(1)) {
    return absl::StrFormat("%.1f s", absl::ToDoubleSeconds(latency));
  }
  return absl::StrFormat("%.1f ms", absl::ToDoubleMilliseconds(latency));
}

std::string StatusRangesText(const std::vector<model::StatusRange>& ranges) {
  return absl::StrJoin(ranges, ",", [](std::string* out, const model::StatusRange& range) {
    absl::StrAppend(out, range.first);
    if (range.last != range.first) absl::StrAppend(out, "-", range.last);
  });
}

}  // namespace fairlead::health
