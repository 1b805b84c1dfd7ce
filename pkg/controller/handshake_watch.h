// HandshakeWatch: gives the HandshakeRule of each VIP what the data plane counts and what the
// records say, and tells what changes. Controller thread only.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pkg/controller/event_log.h"
#include "pkg/controller/handshake_rule.h"
#include "pkg/controller/server_records.h"
#include "pkg/dataplane/data_plane.h"
#include "pkg/dataplane/forwarding_plan.h"
#include "pkg/model/desired_state.h"

namespace fairlead::controller {

using HandshakeVerdicts = std::map<ServerKey, HandshakeVerdict>;

class HandshakeWatch {
 public:
  // At each tick. The verdicts on the servers of all VIPs that have the rule; a server that is not
  // among them has none.
  HandshakeVerdicts Look(const model::DesiredState& desired, const dataplane::ForwardingPlan& plan,
                         const dataplane::PlaneObservation& observation,
                         const std::map<ServerKey, ServerRecord>& records, absl::Duration now);
  // The verdicts that end because no other server of the VIP serves any more.
  HandshakeVerdicts ReleaseLast(const std::map<ServerKey, ServerRecord>& records);
  void Forget(const ServerKey& key);
  // What the last Look has to tell of whole VIPs, and of servers that are not held all the same.
  std::vector<Event> TakeEvents() { return std::exchange(events_, {}); }

 private:
  using RuleKey = std::pair<std::string, net::IpFamily>;  // VIP's qualified name
  void TellAll(const std::string& vip, bool most_look_alike);
  void TellSpared(const ServerKey& key, const HandshakeVerdict& verdict);

  std::map<RuleKey, HandshakeRule> rules_;
  std::vector<Event> events_;
};

}  // namespace fairlead::controller
