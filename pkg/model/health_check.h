// HealthCheck: how the real servers of a VIP are checked, as the user declared it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace fairlead::model {

struct StatusRange {
  int first = 200;  // 100..599
  int last = 399;
  friend bool operator==(const StatusRange&, const StatusRange&) = default;
};

// Passive health, beside the checks (modes DR and Auto): clients' handshakes with a real server
// that no further packet of the client's followed. By them a server is kept from new clients
// although its checks pass; the rule is pkg/controller/handshake_rule.h.
struct UnansweredHandshakes {
  int threshold = 0;  // 0..10,000: so many of them in `window` at least; 0 = they are counted only
  int percent = 80;   // 50..100: and so many of those that were watched
  absl::Duration window = absl::Seconds(10);  // 5 s..1 h
  // For so long the server gets no new client; twice as long each time that it fails again at once.
  absl::Duration hold = absl::Seconds(30);  // 5 s..1 h
  friend bool operator==(const UnansweredHandshakes&, const UnansweredHandshakes&) = default;
};

struct HealthCheck {
  enum class Type { kTcp, kSendExpect, kHttp, kHttps, kIcmp, kNone };

  Type type = Type::kTcp;
  // The port that is checked; independent of the VIP's ports. Filled by validation: the manifest's
  // port, else the preset's check port, else the first VIP port. 0 with `each_port` and
  // kIcmp/kNone. A real server with a translated port is checked on that port unless the manifest
  // names one
  // (`port_from_manifest`).
  uint16_t port = 0;
  bool port_from_manifest = false;
  // `port: Each`: every VIP port is checked on its own, and a server is used only on the ports that
  // answer.
  bool each_port = false;
  // kTcp: SYN, SYN-ACK, RST: for ports where a completed connection is a (print) job.
  bool half_open = false;
  absl::Duration interval = absl::Seconds(2);  // 100 ms .. 1 h, +-10 % jitter
  absl::Duration timeout = absl::Seconds(1);   // 50 ms .. interval is not required, <= 60 s
  int unhealthy_threshold = 3;                 // 1..100 failures in a row: Down
  int healthy_threshold = 2;                   // 1..100 successes in a row: Up
  // kHttp, kHttps:
  std::string http_path = "/";
  std::string http_host;  // empty: the real server's address (with port unless 80/443)
  std::vector<StatusRange> expected_statuses = {StatusRange{200, 399}};
  // kSendExpect: `send` may be empty (banner check); `expect` is a substring of the first 4,096
  // bytes of the answer.
  std::string send;
  std::string expect;
  UnansweredHandshakes unanswered_handshakes;

  friend bool operator==(const HealthCheck&, const HealthCheck&) = default;
};

// "TCP", "SendExpect", "HTTP", "HTTPS", "ICMP", "None".
const char* HealthCheckTypeName(HealthCheck::Type type);

}  // namespace fairlead::model
