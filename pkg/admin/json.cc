#include "pkg/admin/json.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace fairlead::admin {
namespace {

using controller::ControlView;
using controller::ServerView;
using controller::VipView;
using Json = nlohmann::json;

const char* EligibilityWord(model::Eligibility eligibility) {
  switch (eligibility) {
    case model::Eligibility::kAll:
      return "All";
    case model::Eligibility::kPersistentOnly:
      return "PersistentOnly";
    case model::Eligibility::kNone:
      return "None";
  }
  return "unknown";
}

Json HealthToJson(const ServerView& server) {
  Json health = {{"state", model::OperationalStateName(server.health)},
                 {"reason", server.health_reason},
                 {"unreachable", server.unreachable},
                 {"since", TimeToJson(server.health_since)},
                 {"checked", TimeToJson(server.checked)},
                 {"latencySeconds", absl::ToDoubleSeconds(server.check_latency)},
                 {"probes", server.probes_total},
                 {"failures", server.probe_failures_total}};
  if (server.per_port) {
    health["portsUp"] = server.ports_up;
    health["portsDown"] = server.ports_down;
  }
  return health;
}

Json PathToJson(const ServerView& server) {
  if (!server.path.has_value()) return nullptr;
  const controller::PathView& path = *server.path;
  const auto& way = server.counters.direct_path;
  return {{"state", model::OperationalStateName(path.state)},
          {"reason", path.reason},
          {"since", TimeToJson(path.since)},
          {"checked", TimeToJson(path.checked)},
          {"latencySeconds", absl::ToDoubleSeconds(path.latency)},
          {"probes", path.probes_total},
          {"failures", path.failures_total},
          {"mac", way.has_value() ? net::MacText(way->mac) : ""}};
}

// null where it is not known.
Json ActiveToJson(bool known, uint64_t connections) { return known ? Json(connections) : Json(); }

// `verdict` is null where the VIP does not judge its servers by them.
Json HandshakesToJson(const ServerView& server) {
  const auto& counted = server.counters.handshakes;
  if (!counted.has_value()) return nullptr;
  Json verdict;
  if (server.judged_by_handshakes) {
    verdict = {{"phase", controller::HandshakePhaseName(server.handshakes.phase)},
               {"seen", server.handshakes.seen},
               {"heldUntil", TimeToJson(server.held_until)},
               {"heldTotal", server.handshakes.held_total}};
  }
  return {{"watchedTotal", counted->watched_total},
          {"progressedTotal", counted->progressed_total},
          {"verdict", std::move(verdict)}};
}

Json ServerToJson(const ServerView& server) {
  const dataplane::ServerObservation& counters = server.counters;
  return {{"name", server.name},
          {"object", server.is_object},
          {"address", server.has_address() ? server.address.ToString() : ""},
          {"hostName", server.host_name},
          {"nameProblem", server.name_problem},
          {"nameFailingSince", TimeToJson(server.name_failing_since)},
          {"port", server.port},
          {"weight", server.weight},
          {"weightEffective", server.weight_effective},
          {"minConnections", server.connections_min},
          {"maxConnections", server.connections_max},
          {"state", model::AdminStateName(server.admin)},
          {"stateInManifest", model::AdminStateName(server.admin_in_manifest)},
          {"setHere", server.set_here},
          {"stateSince", TimeToJson(server.admin_since)},
          {"deadline", TimeToJson(server.deadline)},
          {"takes", EligibilityWord(server.eligibility)},
          {"way", dataplane::WayName(server.way)},
          {"wayReason", server.way_reason},
          {"problem", counters.problem},
          {"health", HealthToJson(server)},
          {"directPath", PathToJson(server)},
          {"arpProblem", server.arp_problem},
          {"connections", ActiveToJson(counters.counts_active, counters.connections_active)},
          {"handshakes", HandshakesToJson(server)},
          {"connectionsTotal", counters.connections_total},
          {"connectFailuresTotal", counters.connect_failures_total},
          {"sessionsCutTotal", counters.sessions_cut_total},
          {"resetsTotal", counters.resets_total},
          {"idleTimeoutsTotal", counters.idle_timeouts_total},
          {"bytesToServerTotal", counters.bytes_to_server_total},
          {"bytesFromServerTotal", counters.bytes_from_server_total}};
}

Json RejectionsToJson(const VipView& vip) {
  Json rejections = Json::object();
  for (size_t i = 0; i < dataplane::kRejectionCount; ++i) {
    if (vip.counters.rejections_total[i] == 0) continue;
    rejections[dataplane::RejectionName(static_cast<dataplane::Rejection>(i))] =
        vip.counters.rejections_total[i];
  }
  return rejections;
}

Json PortsToJson(const VipView& vip) {
  Json ports = Json::array();
  for (const dataplane::PortObservation& port : vip.counters.ports) {
    ports.push_back({{"port", port.port},
                     {"connectionsTotal", port.connections_total},
                     {"bytesFromClientTotal", port.bytes_from_client_total},
                     {"bytesToClientTotal", port.bytes_to_client_total}});
  }
  return ports;
}

Json AnnouncementToJson(const controller::AnnouncementView& announced) {
  return {{"state", announced.state},
          {"interface", announced.interface},
          {"reason", announced.reason},
          {"rival", announced.rival},
          {"since", TimeToJson(announced.since)},
          {"announcementsTotal", announced.announcements_total}};
}

Json AddressesToJson(const VipView& vip) {
  Json addresses = Json::array();
  for (const dataplane::AddressOutcome& outcome : vip.addresses) {
    Json address = {{"address", outcome.address.ToString()}};
    if (vip.addresses_known) {
      address["interface"] = outcome.interface;
      address["onHost"] = !outcome.interface.empty();
    }
    for (const controller::AnnouncementView& announced : vip.announcements) {
      if (announced.address == outcome.address) {
        address["announcement"] = AnnouncementToJson(announced);
      }
    }
    addresses.push_back(std::move(address));
  }
  return addresses;
}

Json FindingList(const ControlView& view) {
  Json findings = Json::array();
  for (const model::Finding& finding : view.findings) findings.push_back(FindingToJson(finding));
  return findings;
}

Json InterfacesToJson(const dataplane::PlaneObservation& plane) {
  Json interfaces = Json::array();
  for (const dataplane::InterfaceObservation& interface : plane.interfaces) {
    interfaces.push_back({{"name", interface.name},
                          {"mode", interface.mode},
                          {"reason", interface.reason},
                          {"verified", interface.verified},
                          {"verification", interface.verification}});
  }
  return interfaces;
}

Json PacketsToJson(const dataplane::PlaneObservation& plane) {
  Json packets = Json::object();
  for (const dataplane::PacketsObservation& observed : plane.packets) {
    if (observed.packets_total != 0) packets[observed.reason] = observed.packets_total;
  }
  return packets;
}

Json PlaneToJson(const dataplane::PlaneObservation& plane) {
  return {{"engine", plane.engine},
          {"engineReason", plane.engine_reason},
          {"shards", plane.shards},
          {"appliedRevision", plane.applied_revision},
          {"sessions", plane.sessions_active},
          {"sessionsMax", plane.sessions_max},
          {"buffersInUse", plane.buffers_in_use},
          {"buffersExhaustedTotal", plane.buffers_exhausted_total},
          {"acceptPausesTotal", plane.accept_pauses_total},
          {"xdpInterfaces", InterfacesToJson(plane)},
          {"xdpPacketsNotForwarded", PacketsToJson(plane)}};
}

// null on a host that is alone.
Json PairToJson(const ControlView& view) {
  if (!view.pair.has_value()) return nullptr;
  const controller::PairView& pair = *view.pair;
  return {{"state", pair.state},
          {"reason", pair.reason},
          {"since", TimeToJson(pair.since)},
          {"virtualRouterId", pair.virtual_router_id},
          {"priority", pair.priority},
          {"impairment", pair.impairment},
          {"intervalMs", absl::ToInt64Milliseconds(pair.interval)},
          {"local", pair.local},
          {"wayProblem", pair.way_problem},
          {"peer", pair.peer},
          {"peerPriority", pair.peer_priority},
          {"peerHeard", TimeToJson(pair.peer_heard)},
          {"transitionsTotal", pair.transitions_total},
          {"sentTotal", pair.sent_total},
          {"sendFailuresTotal", pair.send_failures_total},
          {"receivedTotal", pair.received_total},
          {"refusedTotal", pair.refused_total},
          {"refusedReason", pair.refused_reason}};
}

Json EventsToJson(const ControlView& view) {
  Json events = Json::array();
  for (const controller::EventView& event : view.events) events.push_back(EventToJson(event));
  return events;
}

}  // namespace

Json TimeToJson(absl::Time time) {
  if (time == absl::InfinitePast() || time == absl::InfiniteFuture()) return nullptr;
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

Json FindingToJson(const model::Finding& finding) {
  return {{"severity", finding.severity == model::Severity::kError ? "error" : "warning"},
          {"object", finding.object},
          {"location", finding.location.ToString()},
          {"field", finding.field},
          {"message", finding.message}};
}

Json EventToJson(const controller::EventView& event) {
  return {{"time", TimeToJson(event.time)},
          {"level", event.level},
          {"message", event.message},
          {"object", event.object},
          {"reason", event.reason}};
}

Json VipToJson(const VipView& vip) {
  Json servers = Json::array();
  for (const ServerView& server : vip.servers) servers.push_back(ServerToJson(server));
  const Json connections =
      ActiveToJson(vip.counters.counts_active, vip.counters.connections_active);
  return {{"namespace", vip.name_space},
          {"name", vip.name},
          {"addresses", AddressesToJson(vip)},
          {"ports", vip.ports},
          {"protocol", vip.protocol},
          {"mode", vip.mode},
          {"scheduler", vip.scheduler},
          {"persistence", vip.persistence},
          {"healthCheck", vip.health_check},
          {"location", vip.location},
          {"enabled", vip.enabled},
          {"elsewhere", vip.elsewhere},
          {"stale", vip.stale},
          {"problem", vip.problem},
          {"arpProblem", vip.arp_problem},
          {"maxConnections", vip.connections_max},
          {"connections", connections},
          {"connectionsTotal", vip.counters.connections_total},
          {"connectionsPerSecond", vip.rate.connections_per_second},
          {"bytesFromClientPerSecond", vip.rate.bytes_from_client_per_second},
          {"bytesToClientPerSecond", vip.rate.bytes_to_client_per_second},
          {"queue", vip.counters.queue_length},
          {"retriesTotal", vip.counters.retries_total},
          {"fallbackTotal", vip.counters.fallback_total},
          {"fallbackProblem", vip.counters.fallback_problem},
          {"clientResetsTotal", vip.counters.client_resets_total},
          {"rejections", RejectionsToJson(vip)},
          {"portCounters", PortsToJson(vip)},
          {"servers", std::move(servers)}};
}

Json ViewToJson(const ControlView& view, const std::string& version, const std::string& revision) {
  Json vips = Json::array();
  for (const VipView& vip : view.vips) vips.push_back(VipToJson(vip));
  return {{"version", version},
          {"revision", revision},
          {"phase", controller::PhaseName(view.phase)},
          {"started", TimeToJson(view.started)},
          {"configChanged", TimeToJson(view.config_changed)},
          {"configProblem", view.config_health.has_value() ? view.config_health->problem : ""},
          {"planRevision", view.plan_revision},
          {"plane", PlaneToJson(view.plane)},
          {"pair", PairToJson(view)},
          {"vips", std::move(vips)},
          {"findings", FindingList(view)},
          {"staleObjects", view.stale_objects},
          {"warnings", view.warnings},
          {"events", EventsToJson(view)}};
}

Json FindingsToJson(const ControlView& view) {
  return {{"findings", FindingList(view)}, {"staleObjects", view.stale_objects}};
}

Json ExplanationToJson(const controller::ExplanationView& explanation) {
  return {{"vip", explanation.vip},
          {"server", explanation.server},
          {"endpoint", explanation.server_endpoint},
          {"reason", explanation.reason},
          {"details", explanation.details}};
}

Json CommandResultToJson(const controller::SetServerStateResult& result) {
  Json changes = Json::array();
  for (const controller::ServerStateChange& change : result.changes) {
    changes.push_back({{"vip", change.vip},
                       {"server", change.server},
                       {"before", model::AdminStateName(change.before)},
                       {"after", model::AdminStateName(change.after)},
                       {"connections", ActiveToJson(change.connections_active.has_value(),
                                                    change.connections_active.value_or(0))},
                       {"deadline", TimeToJson(change.deadline)}});
  }
  return {
      {"changes", std::move(changes)}, {"message", result.message}, {"warning", result.warning}};
}

std::string ToText(const Json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n";
}

}  // namespace fairlead::admin
