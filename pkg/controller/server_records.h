// ServerRecords: what the controller remembers of every (VIP, real server) beside the manifest: the
// administrative state in force with its origin, what the health checks said, and since when.
//
// Three inputs (desired state, health reports, operator's commands) change records; each tells what
// changed through `on_event`. Outputs are whole: conditions for the plan, targets for the checks.
// Controller thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/controller/event_log.h"
#include "pkg/controller/handshake_rule.h"
#include "pkg/controller/override_store.h"
#include "pkg/controller/path_summary.h"
#include "pkg/dataplane/data_plane.h"
#include "pkg/dataplane/forwarding_plan.h"
#include "pkg/dataplane/plan_builder.h"
#include "pkg/health/health_monitor.h"
#include "pkg/model/desired_state.h"
#include "pkg/resolver/name_resolver.h"

namespace fairlead::controller {

// (VIP's qualified name, server name).
using ServerKey = std::pair<std::string, std::string>;

struct ServerRecord {
  // Whether the next time that the server serves begins with a slow start: it was seen Down or
  // halted, or it was added to a running VIP.
  enum class Warmth { kWarm, kCold };

  // As the manifest says; what a host name resolves to stands in the condition.
  std::string host_name;   // "" = declared by address
  net::IpAddress address;  // not used with a host name
  // Of a server with a host name: why the last lookup gave no address that can be used, and since
  // when lookups fail; "" = it did. `looked_up`: there was an answer.
  std::string name_problem;
  absl::Time name_failing_since = absl::InfinitePast();
  bool looked_up = false;
  model::AdminState admin_in_manifest = model::AdminState::kOnline;
  bool set_here = false;  // condition.admin was set by an operator
  absl::Time admin_since;
  Warmth warmth = Warmth::kWarm;
  dataplane::ServerCondition condition;

  bool per_port = false;
  // port -> the latest report; one entry (of any port) unless `per_port`; empty when not checked.
  std::map<uint16_t, health::HealthReport> reports;
  std::string health_reason;
  absl::Time health_since = absl::InfinitePast();

  model::Mode mode = model::Mode::kSnat;  // of the VIP
  // Direct routing: what the check along it is for; the way as the data plane knows it, or why
  // there is none; the latest report for each address of the VIP, none while no way is known.
  PathUse path_use = PathUse::kNone;
  std::optional<dataplane::DirectPath> direct_path;
  std::string no_path;
  std::map<net::IpAddress, health::HealthReport> path_reports;
  // And what clients' handshakes say.
  HandshakeVerdict handshakes;

  // It is somewhere else now: the data plane tells the new way.
  void ForgetPath() {
    direct_path.reset();
    no_path.clear();
  }

  // The host name or the address.
  std::string AddressText() const { return host_name.empty() ? address.ToString() : host_name; }
};

class ServerRecords {
 public:
  ServerRecords(const base::Clock& clock, std::function<void(const Event&)> on_event);

  // Overrides kept from the last run; called once, before the first Reconcile.
  void Restore(Overrides overrides) { overrides_ = std::move(overrides); }
  const Overrides& overrides() const { return overrides_; }

  // Makes the records those of `desired`, whose servers `servers` knows. True when overrides
  // changed (the manifest won over one, or its server has another address now).
  bool Reconcile(const model::DesiredState& desired, const model::ServerIndex& servers);

  // The host names of the servers, sorted, each once; urgent when one of its servers is Down.
  std::vector<resolver::WantedName> Names() const;
  // What a host name resolves to now, or why it does not. `desired` is that of the last Reconcile.
  // True when the address of a server changed, so that targets and plan must be made anew.
  bool ApplyAnswer(const model::DesiredState& desired, const resolver::Answer& answer);

  // Whether a report changed a condition, so that the plan must be built anew. kSoon: it brought
  // the first verdict along direct routing, Up; those of other servers come within moments, and a
  // plan for each of them would give their shares away and back again. Reports of targets that are
  // not wanted any more change nothing.
  enum class Effect { kNone, kSoon, kNow };
  Effect ApplyReport(const health::HealthReport& report);

  // Takes over what the data plane knows of the ways to the servers of `plan`. True when that
  // changed, so that targets and plan must be made anew.
  bool ObservePaths(const dataplane::ForwardingPlan& plan,
                    const dataplane::PlaneObservation& observation);

  // What the DR data plane says of its way to a server (ServerCondition::way_problem). True when
  // that changed.
  bool SetWayProblem(const ServerKey& key, const std::string& problem);

  // What clients' handshakes say of a server that clients reach directly. True when that changed
  // its condition.
  bool SetHandshakes(const ServerKey& key, const HandshakeVerdict& verdict);

  // Sets the operator's state; the record must exist. The caller rebuilds and saves the overrides.
  void SetState(const ServerKey& key, model::AdminState state, const std::string& cause);

  dataplane::ServerConditions Conditions() const;
  // What to probe now: nothing for halted servers and for VIPs that are not served. In the order of
  // the records, so that equal wishes compare equal.
  std::vector<health::ProbeTarget> Targets(const model::DesiredState& desired,
                                           const model::ServerIndex& servers);

  const std::map<ServerKey, ServerRecord>& records() const { return records_; }

 private:
  // A server that is declared by a host name.
  struct NameUser {
    ServerKey key;
    size_t vip_index;  // in DesiredState::vips
    std::optional<uint16_t> port;
  };
  bool AdoptAnswer(const model::Vip& vip, const NameUser& user, const resolver::Answer& answer);
  void TellName(const NameUser& user, const ServerRecord& before, const resolver::Answer& answer);
  ServerRecord MakeRecord(const ServerKey& key, const model::ServerSpec& spec,
                          bool* overrides_changed);
  void UpdateRecord(const ServerKey& key, const model::ServerSpec& spec, ServerRecord* record,
                    bool* overrides_changed);
  void ChangeAdmin(const ServerKey& key, model::AdminState state, const std::string& cause,
                   ServerRecord* record);
  bool DropOverride(const ServerKey& key, absl::string_view why);
  struct TargetOwner {
    ServerKey key;
    uint16_t port;
    std::optional<net::IpAddress> vip_address{};  // of a check along direct routing
  };
  Effect ApplyPathReport(const TargetOwner& owner, const health::HealthReport& report);
  // Adds the checks of a server along direct routing, which are made while it is checked at all.
  void AddPathTargets(const model::Vip& vip, const model::VipServer& server,
                      const net::IpAddress& address, ServerRecord* record,
                      std::vector<health::ProbeTarget>* targets);
  // What they say; `plain` is the verdict of the plain check.
  static PathSummary PathOf(const ServerRecord& record, model::OperationalState plain);
  void TellPath(const ServerKey& key, const ServerRecord& record) const;
  // Makes a server that is held Down, in mode Auto its path, when its checks say Up.
  static void JoinHandshakes(ServerRecord* record, HealthSummary* summary, PathSummary* path);
  // `report` with the real server named whose MAC answered, if it is one.
  health::HealthReport WithName(const ServerKey& key, health::HealthReport report) const;
  // The checks of a target became impossible, or possible again.
  void TellCheckable(const TargetOwner& owner, const health::HealthReport& report) const;
  // Joins the reports of a record into its condition; true when that changed.
  bool UpdateCondition(const ServerKey& key, ServerRecord* record);
  void TellFlip(const ServerKey& key, const ServerRecord& record,
                model::OperationalState before) const;

  const base::Clock& clock_;
  const std::function<void(const Event&)> on_event_;
  std::map<ServerKey, ServerRecord> records_;
  Overrides overrides_;
  bool first_reading_ = true;
  std::map<std::string, std::vector<NameUser>> name_users_;
  std::map<std::string, resolver::Answer> answers_;  // the last of each of these names
  std::map<net::MacAddress, std::set<ServerKey>> servers_of_mac_;
  // Target id -> whose it is.
  absl::flat_hash_map<std::string, TargetOwner> target_owners_;
};

}  // namespace fairlead::controller
