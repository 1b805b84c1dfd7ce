// HandshakeRule: which real servers of a VIP get no new clients for a while, because clients'
// handshakes with them go unanswered although their checks pass: the server lacks the VIP, or a
// firewall on it drops clients. (modes DR and Auto; model::UnansweredHandshakes has the numbers.)
//
//   kServing --failed--> kHeld --hold over, checks pass--> kTrial --answered, or time over-->
//   kServing
//                          ^----------------failed-----------'
//
// An unanswered handshake alone proves nothing: a flood of SYNs from spoofed sources, a scan, a
// port that is served nowhere or a network that is down look the same. What tells them from a
// broken server is that the *answered* ones are missing too, while other servers have theirs:
//
//  1. In the window at least `threshold` handshakes, and `percent` of those watched, went
//     unanswered. A handshake has kPatience to be answered, so a burst of SYNs is no failure.
//  2. The server's answered handshakes are `percent` fewer than its share of its witness's, by
//     weight. The witness is the lower median of the other servers that serve: so when more than
//     half of them look alike, the witness does too, and nobody fails. A flood hits all servers,
//     by a hash with a secret key, and leaves all of them their answered handshakes.
//  3. While the witness has many unanswered ones too, chance must not explain what is missing: it
//     must be 4 standard deviations of the difference of two counts.
//
// A single client can aim SYNs that it never completes at one server only where clients are bound
// to servers (SourceHash, persistence), and even then 2. protects each server that has other
// clients. At most half of the servers are held at once, and never the last that serves: when all
// others are gone, held ones serve again (in mode Auto a held server is proxied). Established
// connections stay with a held server.
//
// Hold: `hold`, and twice as long each time that the server fails again before it has served for 4
// times its last hold, up to 32 times. After it the server is tried with kTrialShare of its weight,
// for a window or until some handshakes are answered; a tenth of the threshold, 3 at least, fails
// it again.
//
// One rule for one VIP and family of addresses, whose clients can go to each other's servers.
// Values in, values out; not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "pkg/model/health_check.h"
#include "pkg/net/ip_address.h"

namespace fairlead::controller {

// What the rule is told of a server at one moment.
struct HandshakeInput {
  net::IpAddress address;  // a server that moved begins anew
  uint64_t watched_total = 0;
  uint64_t progressed_total = 0;
  double weight = 0;    // effective; with the sum of all it is the server's share of new clients
  bool usable = false;  // Online, its checks pass, and clients reach it directly (but for a hold)
};
using HandshakeInputs = std::map<std::string, HandshakeInput>;  // by server name

struct HandshakeVerdict {
  enum class Phase { kServing, kHeld, kTrial };
  Phase phase = Phase::kServing;
  std::string seen;           // kHeld, kTrial: what failed it
  absl::Duration hold{};      // kHeld: how long
  absl::Duration held_until;  // kHeld: monotonic
  uint64_t held_total = 0;
  // It failed, but is not held, as half of the servers are: what was seen. "" = it did not fail.
  std::string spared;
  friend bool operator==(const HandshakeVerdict&, const HandshakeVerdict&) = default;
};
// "Serving", "Held", "Trial".
const char* HandshakePhaseName(HandshakeVerdict::Phase phase);

class HandshakeRule {
 public:
  // A client sends its SYN again after 1 s (RFC 6298 §2), and that one may be answered.
  static constexpr absl::Duration kPatience = absl::Seconds(2);
  static constexpr double kTrialShare = 0.1;
  static constexpr int kTrialFailuresMin = 3;
  static constexpr int kHoldsDoubledMax = 5;
  static constexpr int kCalmHolds = 4;
  static constexpr double kDeviations = 4;

  // Follows the counters to `now` (monotonic; at least once in some seconds) and judges all.
  void Look(const model::UnansweredHandshakes& limits, const HandshakeInputs& inputs,
            absl::Duration now);
  bool AnyServes() const;
  // Who is held serves again: the last of the others is gone.
  void ReleaseHeld();
  // The operator says that the server is fine.
  void Forget(const std::string& server) { servers_.erase(server); }

  HandshakeVerdict VerdictOf(const std::string& server) const;
  // Most servers have unanswered handshakes beyond the limits: the network, or a flood.
  bool most_look_alike() const { return most_look_alike_; }

 private:
  // A moment: of the handshakes that began up to kPatience before it, and those answered by then.
  struct Sample {
    absl::Duration time;
    uint64_t watched = 0;
    uint64_t progressed = 0;
  };
  struct Server {
    HandshakeInput input;
    std::deque<Sample> recent;   // as counted, of the last kPatience
    std::deque<Sample> history;  // of the last window, thinned out
    HandshakeVerdict verdict;
    int holds_doubled = 0;
    absl::Duration serving_since = -absl::InfiniteDuration();
    absl::Duration trial_until;
  };
  struct Figures {
    uint64_t watched = 0;
    uint64_t unanswered = 0;
    absl::Duration span;
    uint64_t answered() const { return watched - unanswered; }
  };

  static void Follow(const HandshakeInput& input, absl::Duration window, absl::Duration now,
                     Server* server);
  // `recent` begins at `time` or just before.
  static uint64_t WatchedAt(absl::Duration time, const std::deque<Sample>& recent);
  static Figures FiguresOf(const Server& server, absl::Duration since);
  static bool Serves(const Server& server);
  void Judge(const model::UnansweredHandshakes& limits, const std::string& name, absl::Duration now,
             Server* server);
  // What was seen, when the server fails by this threshold.
  std::optional<std::string> Failure(const model::UnansweredHandshakes& limits, int threshold,
                                     const std::string& name, const Server& server) const;
  const std::pair<const std::string, Server>* WitnessFor(const std::string& name,
                                                         absl::Duration since) const;
  bool MayHoldOneMore() const;
  void CompareAll(const model::UnansweredHandshakes& limits);
  static void Hold(const model::UnansweredHandshakes& limits, std::string seen, absl::Duration now,
                   Server* server);

  std::map<std::string, Server> servers_;
  bool most_look_alike_ = false;
};

}  // namespace fairlead::controller
