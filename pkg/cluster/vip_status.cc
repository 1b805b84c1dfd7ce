#include "pkg/cluster/vip_status.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "pkg/cluster/conditions.h"
#include "pkg/cluster/json_access.h"
#include "pkg/model/server_fit.h"

namespace fairlead::cluster {
namespace {

using nlohmann::json;

// Of the schema (crds/vips.yaml).
constexpr size_t kServersMax = 512;
constexpr size_t kPlacesMax = 64;
constexpr size_t kReasonBytesMax = 1024;
constexpr size_t kNodesToldMax = 4;

// Daemons in whose data plane some generation of the VIP is in force.
std::vector<const NodeReport*> Serving(const VipFacts& facts) {
  std::vector<const NodeReport*> serving;
  for (const NodeReport& report : facts.reports) {
    if (report.programmed || report.reason == "LastGoodVersion") serving.push_back(&report);
  }
  return serving;
}

bool IsDisabled(const VipFacts& facts) {
  return TextAt(facts.object, {"spec", "state"}) == "Disabled";
}

std::string OnNode(const NodeReport& report, const std::string& what) {
  return absl::StrCat("on ", report.node, ": ", what);
}

// The first few of many texts.
std::string JoinSome(const std::vector<std::string>& texts) {
  const size_t told = std::min(texts.size(), kNodesToldMax);
  std::string joined =
      absl::StrJoin(texts.begin(), texts.begin() + static_cast<ptrdiff_t>(told), "; ");
  if (told < texts.size()) absl::StrAppend(&joined, "; ", texts.size() - told, " more");
  return joined;
}

Condition ResolvedRefs(const VipFacts& facts) {
  const auto condition = [](Truth truth, std::string reason, std::string message) {
    return Condition{"ResolvedRefs", truth, std::move(reason), std::move(message)};
  };
  if (facts.grant != nullptr && facts.grant->verdict != PoolVerdict::kGiven) {
    return condition(Truth::kFalse, PoolReason(facts.grant->verdict), facts.grant->message);
  }
  if (facts.service_missing) {
    return condition(
        Truth::kFalse, "ServiceNotFound",
        absl::StrCat("there is no Service ",
                     TextAt(facts.object, {"spec", "realServers", "service", "name"}),
                     " in the namespace; create it, or correct spec.realServers.service"));
  }
  return condition(
      Truth::kTrue, "ResolvedRefs",
      facts.grant != nullptr ? facts.grant->message : "everything that the VIP refers to exists");
}

Condition Programmed(const VipFacts& facts) {
  const auto condition = [](Truth truth, std::string reason, std::string message) {
    return Condition{"Programmed", truth, std::move(reason), std::move(message)};
  };
  const int64_t generation = NumberAt(facts.object, {"metadata", "generation"});
  std::vector<std::string> done, missing;
  std::string reason;
  for (const NodeReport& report : facts.reports) {
    const bool current = report.observed_generation == generation;
    if (report.programmed && current) {
      done.push_back(report.node);
      continue;
    }
    const bool pending = report.programmed || !current;
    missing.push_back(
        OnNode(report, pending ? "this generation is not in force yet" : report.message));
    if (reason.empty()) reason = pending || report.reason.empty() ? "Pending" : report.reason;
  }
  if (done.empty() && missing.empty()) {
    if (!facts.verdict.accepted) {
      return condition(Truth::kFalse, "NotAccepted",
                       "the VIP is not accepted, and in force nowhere");
    }
    return condition(
        Truth::kFalse, "NoDaemon",
        "no daemon runs this VIP; is there one (fairlead run --in-cluster) that may use "
        "this namespace and mode?");
  }
  if (done.empty()) return condition(Truth::kFalse, reason, JoinSome(missing));
  if (missing.empty()) {
    return condition(Truth::kTrue, "Programmed", absl::StrCat("in force on ", JoinSome(done)));
  }
  return condition(Truth::kTrue, "PartlyProgrammed",
                   absl::StrCat("in force on ", JoinSome(done), "; ", JoinSome(missing)));
}

struct ReadyCount {
  int64_t ready = 0;
  int64_t total = 0;
};

// Of several daemons the one that has the fewest: clients may come to any.
ReadyCount CountReady(const VipFacts& facts) {
  const std::vector<const NodeReport*> serving = Serving(facts);
  if (serving.empty()) return {0, static_cast<int64_t>(facts.servers.size())};
  const auto fewest = std::min_element(
      serving.begin(), serving.end(),
      [](const NodeReport* a, const NodeReport* b) { return a->servers_ready < b->servers_ready; });
  return {(*fewest)->servers_ready, (*fewest)->servers_total};
}

Condition Ready(const VipFacts& facts) {
  const auto condition = [](Truth truth, std::string reason, std::string message) {
    return Condition{"Ready", truth, std::move(reason), std::move(message)};
  };
  if (IsDisabled(facts)) {
    return condition(Truth::kFalse, "Disabled", "spec.state is Disabled");
  }
  const std::vector<const NodeReport*> serving = Serving(facts);
  if (serving.empty()) {
    return condition(Truth::kFalse, "NotProgrammed",
                     "the VIP is in force in no data plane; see the condition Programmed");
  }
  std::vector<std::string> with, without;
  for (const NodeReport* report : serving) {
    if (report->servers_ready > 0) {
      with.push_back(report->node);
      continue;
    }
    const std::string why =
        report->not_ready.empty() ? "there is none" : report->not_ready.front().reason;
    without.push_back(OnNode(*report, why));
  }
  if (with.empty()) {
    return condition(Truth::kFalse, "NoServers",
                     absl::StrCat("no real server takes new clients: ", JoinSome(without)));
  }
  std::string message = absl::StrCat("clients are served on ", JoinSome(with));
  if (!without.empty()) absl::StrAppend(&message, "; no real server ", JoinSome(without));
  return condition(Truth::kTrue, "Serving", std::move(message));
}

// Where each address in force is, and those that are nowhere.
json Places(const VipFacts& facts) {
  std::vector<std::string> addresses;
  if (facts.grant != nullptr) {
    // What was given stays in the status whatever becomes of the VIP: it is the record of it.
    if (facts.grant->address.has_value()) addresses.push_back(facts.grant->address->ToString());
  } else if (facts.vip != nullptr) {
    for (const net::IpAddress& address : facts.vip->addresses) {
      addresses.push_back(address.ToString());
    }
  } else {
    for (const NodeReport* report : Serving(facts)) {  // the last good version's
      for (const NodeReport::Place& place : report->addresses) {
        const bool known =
            std::find(addresses.begin(), addresses.end(), place.address) != addresses.end();
        if (!known) addresses.push_back(place.address);
      }
    }
  }
  json places = json::array();
  for (const std::string& address : addresses) {
    const size_t before = places.size();
    for (const NodeReport* report : Serving(facts)) {
      for (const NodeReport::Place& place : report->addresses) {
        if (place.address != address || places.size() == kPlacesMax) continue;
        places.push_back({{"address", address}, {"node", report->node}});
        if (!place.interface.empty()) places.back()["interface"] = place.interface;
      }
    }
    if (places.size() == before && places.size() < kPlacesMax) {
      places.push_back({{"address", address}});
    }
  }
  return places;
}

// `since` moves only when state or health does.
json ServersToJson(const std::vector<ServerVerdict>& servers, const json& present, absl::Time now) {
  std::map<std::string, const json*> before;
  for (const json& server : present) before.emplace(TextAt(server, {"name"}), &server);
  json list = json::array();
  for (const ServerVerdict& server : servers) {
    if (list.size() == kServersMax) break;
    std::string since = ApiTime(now);
    if (const auto found = before.find(server.name); found != before.end()) {
      const json& old = *found->second;
      const bool same =
          TextAt(old, {"state"}) == server.state && TextAt(old, {"health"}) == server.health;
      if (same && !TextAt(old, {"since"}).empty()) since = TextAt(old, {"since"});
    }
    json entry = {{"name", server.name},
                  {"state", server.state},
                  {"health", server.health},
                  {"since", since}};
    if (!server.address.empty()) entry["address"] = server.address;
    if (!server.reason.empty()) entry["reason"] = Clipped(server.reason, kReasonBytesMax);
    list.push_back(std::move(entry));
  }
  return list;
}

// One server's verdict from those of the daemons that serve the VIP; `down` are the ones that say
// it takes no new clients, in the order of the daemons.
ServerVerdict JoinOne(ServerVerdict server,
                      const std::vector<std::pair<const NodeReport*, const NotReadyServer*>>& down,
                      size_t serving_count) {
  server.takes_new_clients = down.size() < serving_count;
  server.health = serving_count == 0 ? "Unknown" : "Up";
  if (serving_count == 0) server.reason = "no daemon serves the VIP";
  if (down.empty()) return server;
  std::vector<std::string> reasons;
  for (const auto& [report, said] : down) {
    if (!said->state.empty()) server.state = said->state;
    reasons.push_back(serving_count == 1 ? said->reason : OnNode(*report, said->reason));
  }
  if (!server.takes_new_clients) {
    // Of daemons that differ the best verdict: it is up for somebody.
    const auto says = [&down](const char* health) {
      return std::any_of(down.begin(), down.end(),
                         [&](const auto& pair) { return pair.second->health == health; });
    };
    server.health = says("Up") ? "Up" : says("Unknown") ? "Unknown" : "Down";
  }
  server.reason = JoinSome(reasons);
  return server;
}

}  // namespace

std::vector<ServerVerdict> JoinServers(const VipFacts& facts) {
  const std::vector<const NodeReport*> serving = Serving(facts);
  std::map<std::string, std::vector<std::pair<const NodeReport*, const NotReadyServer*>>> down;
  for (const NodeReport* report : serving) {
    for (const NotReadyServer& server : report->not_ready) {
      down[server.name].emplace_back(report, &server);
    }
  }
  std::map<std::string, ServerVerdict> servers;
  for (const model::VipServer& server : facts.servers) {
    ServerVerdict verdict;
    verdict.name = server.name;
    verdict.is_object = server.is_object;
    verdict.address = model::PlaceOf(server.spec).ToString();
    verdict.state = model::AdminStateName(server.spec.state);
    servers.emplace(server.name, std::move(verdict));
  }
  for (const auto& [name, said] : down) servers[name].name = name;
  std::vector<ServerVerdict> joined;
  for (auto& [name, server] : servers) {
    if (server.state.empty()) server.state = "Online";
    joined.push_back(JoinOne(std::move(server), down[name], serving.size()));
  }
  return joined;
}

json BuildVipStatus(const VipFacts& facts, absl::Time now) {
  const json& present = At(facts.object, {"status"});
  const int64_t generation = NumberAt(facts.object, {"metadata", "generation"});
  const ReadyCount count = CountReady(facts);
  json status = {{"observedGeneration", generation},
                 {"addresses", Places(facts)},
                 {"summary", absl::StrCat(count.ready, "/", count.total)},
                 {"servers", ServersToJson(JoinServers(facts), ListAt(present, {"servers"}), now)}};
  if (facts.grant != nullptr && facts.grant->address.has_value()) {
    status["addressPool"] = facts.grant->pool;
  }
  // Of a VIP that is not accepted its last good version is in force: what was told of that stays.
  for (const char* field : {"ports", "scheduler"}) {
    const std::string before = TextAt(present, {field});
    if (facts.vip == nullptr && !before.empty()) status[field] = before;
  }
  if (facts.vip != nullptr) {
    status["ports"] = facts.vip->ports.ToString();
    status["scheduler"] = model::SchedulerName(facts.vip->scheduler);
  }
  const Condition accepted = {"Accepted", facts.verdict.accepted ? Truth::kTrue : Truth::kFalse,
                              facts.verdict.reason, facts.verdict.message};
  status["conditions"] =
      ConditionsToJson({accepted, ResolvedRefs(facts), Programmed(facts), Ready(facts)}, generation,
                       ListAt(present, {"conditions"}), now);
  return status;
}

}  // namespace fairlead::cluster
