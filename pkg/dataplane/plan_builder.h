// BuildPlan: from what the user asked for and what health says to what the data planes do. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "pkg/dataplane/forwarding_plan.h"
#include "pkg/model/desired_state.h"
#include "pkg/model/server_state.h"

namespace fairlead::dataplane {

// name -> stable small integer. A name keeps its id while the process lives, also when its object
// goes and comes back. Owned by the controller.
class IdRegistry {
 public:
  uint32_t ServiceId(const std::string& service_name);
  uint32_t ServerId(const std::string& service_name, const std::string& server_name);

 private:
  absl::flat_hash_map<std::string, uint32_t> ids_;
};

// What is known of one server of one VIP, beside the manifest.
struct ServerCondition {
  model::OperationalState operational = model::OperationalState::kUnknown;
  bool unreachable = false;
  // Whether the server serves the VIP when direct routing hands it a packet, and why it is said to
  // (not). Unknown: not asked yet, or not asked at all. In mode DR it is part of `operational`;
  // in mode Auto it decides between direct routing and the proxy.
  model::OperationalState direct_path = model::OperationalState::kUnknown;
  std::string direct_path_reason;
  // Clients' handshakes with the server go unanswered although its checks pass, and this is what
  // was seen: it is counted as Down above, `operational` in mode DR, `direct_path` in mode Auto,
  // but its established connections stay. "" = it is not so.
  std::string held;
  // Of its weight, in (0, 1]: less while it is tried again after that.
  double weight_share = 1;
  // Of a server with a host name: what the name stands for now; nothing = not known, and the server
  // is not used. Not looked at for the others.
  std::optional<net::IpAddress> resolved;
  // kEach checks: the ports that answer; ignored otherwise.
  net::PortSet usable_ports;
  // The state in force: the manifest's, or the one set by an operator on this node.
  model::AdminState admin = model::AdminState::kOnline;
  // Monotonic time at which `admin` became what it is (drain deadline, halt grace).
  absl::Duration admin_since;
  // What the DR data plane says of its way to the server; "" = it has one; absent: it has not
  // looked.
  std::optional<std::string> way_problem;
  // Monotonic time at which the server came back Up, for slow start; -infinity at process start.
  absl::Duration up_since = -absl::InfiniteDuration();
};

// (VIP's qualified name, server name) -> condition. A missing entry is the default one.
using ServerConditions = std::map<std::pair<std::string, std::string>, ServerCondition>;

// Time for established connections of a halted server to end before they are cut.
inline constexpr absl::Duration kHaltGrace = absl::Seconds(10);

struct PlanInputs {
  const model::DesiredState& desired;
  const model::ServerIndex& servers;  // of `desired`
  const ServerConditions& conditions;
  absl::Duration now;                          // monotonic
  std::shared_ptr<const ForwardingPlan> last;  // may be null; unchanged services are shared with it
  // Why no server of this host's VIPs in mode Auto is reached directly; "" = they may be.
  std::string direct_refusal{};
  // A former process left VIPs of modes DR and Auto to the kernel; for the first plan.
  bool direct_adopted = false;
};

struct PlanResult {
  // The same object as `last` when nothing changed.
  std::shared_ptr<const ForwardingPlan> plan;
  // Monotonic time at which the plan must be built anew although nothing happens (slow start
  // steps); InfiniteDuration = never.
  absl::Duration rebuild_at = absl::InfiniteDuration();
};

PlanResult BuildPlan(const PlanInputs& inputs, IdRegistry& ids);

// Why this version serves nothing of `vip` (disabled, UDP), with what to do; "" when it does.
std::string NotServedReason(const model::Vip& vip);

// Where a server is, or nothing while its host name has not been resolved.
std::optional<net::IpAddress> AddressOf(const model::ServerSpec& server,
                                        const ServerCondition& condition);

// Whether every VIP port of this server is checked on its own. A server with a translated port has
// one port behind all of them, so `port: Each` means that one.
bool ChecksEachPort(const model::Vip& vip, const model::ServerSpec& server);

// Monotonic time at which the sessions of a drained or halted server are cut; InfiniteDuration
// when it is Online.
absl::Duration AdminDeadline(const model::Vip& vip, const ServerCondition& condition);

}  // namespace fairlead::dataplane
