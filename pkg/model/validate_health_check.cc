#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "pkg/model/suggestion.h"
#include "pkg/model/validate_internal.h"

namespace fairlead::model {
namespace {

// 9100 is the raw print port (AppSocket, JetDirect): whoever connects and closes has sent a job.
constexpr uint16_t kRawPrintPort = 9100;
// Probing each port costs ports x servers probes per interval.
constexpr size_t kEachPortsWarning = 256;

// RFC 9112 §3.2: a request target holds visible ASCII only; anything else would end the request
// line or start a header of the user's own.
bool IsVisibleAscii(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

void CheckHttp(const HealthCheck& check, const std::string& path, FindingCollector& findings) {
  if (check.http_path.empty() || check.http_path.front() != '/') {
    findings.Error(path + ".path", absl::StrCat(Quoted(check.http_path),
                                                " does not start with \"/\"; write a path such as "
                                                "\"/health\", without scheme and host"));
  }
  if (!IsVisibleAscii(check.http_path) || check.http_path.size() > kHttpPathBytesMax) {
    findings.Error(path + ".path",
                   absl::StrCat(Quoted(check.http_path), " must be at most ", kHttpPathBytesMax,
                                " visible ASCII characters without blanks; percent-encode others"));
  }
  if (!IsVisibleAscii(check.http_host) || check.http_host.size() > kHttpHostBytesMax ||
      check.http_host.find_first_of("/?#@") != std::string::npos) {
    findings.Error(path + ".host", absl::StrCat(Quoted(check.http_host),
                                                " is not a host name; write NAME or NAME:PORT"));
  }
  if (check.expected_statuses.empty() || check.expected_statuses.size() > kStatusRangesMax) {
    findings.Error(path + ".expectedStatuses",
                   absl::StrCat("1 to ", kStatusRangesMax, " codes or ranges are expected, not ",
                                check.expected_statuses.size()));
  }
  for (const StatusRange& range : check.expected_statuses) {
    if (kStatusLimits.Contain(range.first) && kStatusLimits.Contain(range.last) &&
        range.first <= range.last) {
      continue;
    }
    findings.Error(path + ".expectedStatuses",
                   absl::StrCat(range.first, "-", range.last,
                                " is not a range of HTTP statuses; write one such as 200-399"));
  }
}

void CheckSendExpect(const HealthCheck& check, const std::string& path,
                     FindingCollector& findings) {
  if (check.expect.empty()) {
    findings.Error(path + ".expect",
                   "SendExpect needs the text to expect; use type TCP to check the connect only");
  }
  if (check.expect.size() > kExpectBytesMax) {
    findings.Error(path + ".expect",
                   absl::StrCat(check.expect.size(), " bytes > ", kExpectBytesMax));
  }
  if (check.send.size() > kSendBytesMax) {
    findings.Error(path + ".send", absl::StrCat(check.send.size(), " bytes > ", kSendBytesMax));
  }
}

void CheckPort(const Vip& vip, FindingCollector& findings) {
  using Type = HealthCheck::Type;
  const HealthCheck& check = vip.health_check;
  const std::string field = "spec.healthCheck.port";
  const bool portless = check.type == Type::kIcmp || check.type == Type::kNone;
  if (portless && (check.each_port || check.port != 0)) {
    findings.Error(field, absl::StrCat("a check of type ", HealthCheckTypeName(check.type),
                                       " has no port; remove the port or use type TCP"));
    return;
  }
  if (check.each_port && vip.ports.count() > kEachPortsWarning) {
    findings.Warning(field, absl::StrCat("Each probes ", vip.ports.count(),
                                         " ports of every server; name one port instead"));
  }
  const bool raw_print =
      check.each_port ? vip.ports.Contains(kRawPrintPort) : check.port == kRawPrintPort;
  if (check.type == Type::kTcp && !check.half_open && raw_print) {
    findings.Warning(field,
                     "a full connect to port 9100 is an empty job to a raw print server; set "
                     "halfOpen: true or check another port");
  }
}

// Only direct routing sees a client's handshake and no answer; the proxy's own connects fail.
void CheckUnansweredHandshakes(const Vip& vip, FindingCollector& findings) {
  const UnansweredHandshakes& unanswered = vip.health_check.unanswered_handshakes;
  const std::string field = "spec.healthCheck.unansweredHandshakes";
  CheckLimits(unanswered.threshold, kUnansweredThresholdLimits, field + ".threshold", findings);
  CheckLimits(unanswered.percent, kUnansweredPercentLimits, field + ".percent", findings);
  CheckLimits(unanswered.window, kUnansweredWindowLimits, field + ".windowSeconds", findings);
  CheckLimits(unanswered.hold, kUnansweredHoldLimits, field + ".holdSeconds", findings);
  if (unanswered.threshold == 0) return;
  if (vip.mode == Mode::kSnat) {
    findings.Error(field,
                   "mode SNAT connects to the real servers itself, and tries the next one when one "
                   "does not answer; remove unansweredHandshakes, or use mode: DR or Auto");
  }
  if (vip.protocol == Protocol::kUdp) {
    findings.Error(field,
                   "UDP has no handshakes; remove unansweredHandshakes, or use protocol: TCP or "
                   "TCPAndUDP");
  }
}

}  // namespace

void CheckHealthCheck(const Vip& vip, FindingCollector& findings) {
  using Type = HealthCheck::Type;
  const HealthCheck& check = vip.health_check;
  CheckPort(vip, findings);
  if (check.half_open && check.type != Type::kTcp) {
    findings.Error("spec.healthCheck.halfOpen",
                   absl::StrCat("halfOpen is for type TCP only: a check of type ",
                                HealthCheckTypeName(check.type),
                                " needs more than SYN and SYN-ACK; remove it"));
  }
  CheckLimits(check.interval, kCheckIntervalLimits, "spec.healthCheck.intervalSeconds", findings);
  CheckLimits(check.timeout, kCheckTimeoutLimits, "spec.healthCheck.timeoutSeconds", findings);
  CheckLimits(check.unhealthy_threshold, kThresholdLimits, "spec.healthCheck.unhealthyThreshold",
              findings);
  CheckLimits(check.healthy_threshold, kThresholdLimits, "spec.healthCheck.healthyThreshold",
              findings);
  if (check.type == Type::kHttp || check.type == Type::kHttps) {
    CheckHttp(check, "spec.healthCheck.http", findings);
  }
  if (check.type == Type::kSendExpect) {
    CheckSendExpect(check, "spec.healthCheck.sendExpect", findings);
  }
  CheckUnansweredHandshakes(vip, findings);
}

}  // namespace fairlead::model
