#include "cmd/fairlead/cluster_text.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cmd/fairlead/format.h"
#include "cmd/fairlead/json_field.h"
#include "cmd/fairlead/table.h"
#include "pkg/base/counted.h"

namespace fairlead::cmd {
namespace {

using nlohmann::json;

constexpr char kNoStatus[] =
    "no status yet: the operator has not looked at it; does it run? (kubectl get pods -A -l "
    "app.kubernetes.io/name=fairlead)";

const json& MetadataOf(const json& object) { return ObjectOf(object, "metadata"); }
const json& SpecOf(const json& object) { return ObjectOf(object, "spec"); }
const json& StatusOf(const json& object) { return ObjectOf(object, "status"); }

std::string NameOf(const json& object) {
  return absl::StrCat(TextOf(MetadataOf(object), "namespace"), "/",
                      TextOf(MetadataOf(object), "name"));
}

bool HasStatus(const json& object) { return !ListOf(StatusOf(object), "conditions").empty(); }

// The status is of an older version of the object.
bool IsBehind(const json& object) {
  return CountOf(StatusOf(object), "observedGeneration") <
         CountOf(MetadataOf(object), "generation");
}

const json& ConditionOf(const json& object, const char* type) {
  static const json kNone = json::object();
  for (const json& condition : ListOf(StatusOf(object), "conditions")) {
    if (TextOf(condition, "type") == type) return condition;
  }
  return kNone;
}

bool IsTrue(const json& condition) { return TextOf(condition, "status") == "True"; }

std::string SpecStateOf(const json& server) {
  const std::string state = TextOf(SpecOf(server), "state");
  return state.empty() ? "Online" : state;
}

// A row and how urgent it is: 0 first.
struct Row {
  int urgency = 0;
  std::string order;
  std::vector<Cell> cells;
};

void AddSorted(std::vector<Row> rows, Table* table) {
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::pair(a.urgency, a.order) < std::pair(b.urgency, b.order);
  });
  for (Row& row : rows) table->Add(std::move(row.cells));
}

// What is wrong with an object, or that nothing is.
struct Verdict {
  std::string word;    // "Ready", "Degraded", or the reason of the first condition that is false
  std::string reason;  // a sentence; "" when all is well
  bool serves = false;
};

Verdict VerdictOf(const json& object) {
  if (!HasStatus(object)) return {"Unknown", kNoStatus, false};
  Verdict verdict = {"Ready", "", IsTrue(ConditionOf(object, "Ready"))};
  for (const char* type : {"Accepted", "ResolvedRefs", "Programmed", "Ready"}) {
    const json& condition = ConditionOf(object, type);
    if (condition.empty() || IsTrue(condition)) continue;
    verdict.word = TextOf(condition, "reason");
    verdict.reason = TextOf(condition, "message");
    break;
  }
  if (IsBehind(object)) {
    absl::StrAppend(&verdict.reason, verdict.reason.empty() ? "" : "; ",
                    "the status is of an older version of the object");
  }
  return verdict;
}

Verdict VipVerdictOf(const json& vip) {
  Verdict verdict = VerdictOf(vip);
  if (verdict.word != "Ready") return verdict;
  std::vector<std::string> down;
  for (const json& server : ListOf(StatusOf(vip), "servers")) {
    if (TextOf(server, "health") == "Up" && TextOf(server, "state") == "Online") continue;
    down.push_back(TextOf(server, "name"));
  }
  if (down.empty()) return verdict;
  verdict.word = "Degraded";
  verdict.reason = absl::StrCat(down.size() == 1 ? "takes" : "take",
                                " no new clients: ", absl::StrJoin(down, ", "),
                                verdict.reason.empty() ? "" : "; ", verdict.reason);
  return verdict;
}

Style StyleOf(const Verdict& verdict) {
  if (verdict.word == "Ready") return Style::kGood;
  return verdict.serves || verdict.word == "Disabled" ? Style::kWarning : Style::kBad;
}

std::string AddressesOf(const json& vip) {
  std::set<std::string> addresses;
  for (const json& place : ListOf(StatusOf(vip), "addresses")) {
    addresses.insert(TextOf(place, "address"));
  }
  if (addresses.empty()) {
    for (const json& address : ListOf(SpecOf(vip), "addresses")) {
      if (address.is_string()) addresses.insert(address.get<std::string>());
    }
  }
  return absl::StrJoin(addresses, ",");
}

// "10.0.0.1@eth0", of a daemon.
std::string PlacesOf(const json& node) {
  std::vector<std::string> places;
  for (const json& place : ListOf(node, "addresses")) {
    const std::string interface = TextOf(place, "interface");
    places.push_back(
        absl::StrCat(TextOf(place, "address"), interface.empty() ? "" : "@", interface));
  }
  return absl::StrJoin(places, ",");
}

std::string DaemonsOf(const json& vip) {
  size_t programmed = 0;
  const json& nodes = ListOf(StatusOf(vip), "nodes");
  for (const json& node : nodes) programmed += FlagOf(node, "programmed") ? 1 : 0;
  return absl::StrCat(programmed, "/", nodes.size());
}

std::string VipTable(const ClusterObjects& objects, const ClusterTextOptions& options) {
  Table table({{"STATE"},
               {"VIP"},
               {"ADDRESS"},
               {"PORTS"},
               {"MODE"},
               {"SERVERS", Table::Column::Align::kRight},
               {"DAEMONS", Table::Column::Align::kRight},
               {"REASON"}});
  std::vector<Row> rows;
  for (const json& vip : objects.vips) {
    const Verdict verdict = VipVerdictOf(vip);
    const json& status = StatusOf(vip);
    const std::string mode = TextOf(SpecOf(vip), "mode");
    const int urgency = !verdict.serves ? 0 : verdict.word == "Ready" ? 2 : 1;
    rows.push_back({urgency,
                    NameOf(vip),
                    {{verdict.word, StyleOf(verdict)},
                     {NameOf(vip)},
                     {AddressesOf(vip)},
                     {TextOf(status, "ports")},
                     {mode.empty() ? "SNAT" : mode},
                     {TextOf(status, "summary")},
                     {DaemonsOf(vip)},
                     {verdict.reason}}});
    if (!options.wide) continue;
    for (const json& node : ListOf(status, "nodes")) {
      rows.push_back(
          {urgency,
           absl::StrCat(NameOf(vip), " ", TextOf(node, "node")),
           {{absl::StrCat("  ", TextOf(node, "reason"))},
            {TextOf(node, "node")},
            {PlacesOf(node)},
            {""},
            {TextOf(node, "engine")},
            {absl::StrCat(CountOf(node, "serversReady"), "/", CountOf(node, "serversTotal"))},
            {""},
            {TextOf(node, "message")}}});
    }
  }
  AddSorted(std::move(rows), &table);
  return table.empty() ? "" : absl::StrCat("\n", table.ToText(options.colour));
}

struct ServerWord {
  const char* word;
  Style style;
  int urgency;
};

ServerWord WordOf(const std::string& state, const std::string& health) {
  if (state == "Halt") return {"Halt", Style::kWarning, 1};
  if (state == "Drain") return {"Drain", Style::kWarning, 1};
  if (health == "Up") return {"Up", Style::kGood, 2};
  if (health == "Down") return {"DOWN", Style::kBad, 0};
  return {"Unknown", Style::kWarning, 0};
}

std::string SinceOf(const json& entry, absl::Time now) {
  const absl::Time since = TimeOf(entry, "since");
  return since == absl::InfinitePast() ? "" : ShortDuration(now - since);
}

std::string ServerTable(const ClusterObjects& objects, const ClusterTextOptions& options,
                        size_t* count, size_t* out) {
  Table table({{"STATE"}, {"SERVER"}, {"VIP"}, {"ADDRESS"}, {"SINCE"}, {"REASON"}});
  std::vector<Row> rows;
  std::set<std::string> used;  // "namespace/name"
  for (const json& vip : objects.vips) {
    const std::string name_space = TextOf(MetadataOf(vip), "namespace");
    for (const json& server : ListOf(StatusOf(vip), "servers")) {
      const std::string name = TextOf(server, "name");
      const ServerWord word = WordOf(TextOf(server, "state"), TextOf(server, "health"));
      used.insert(absl::StrCat(name_space, "/", name));
      *out += word.urgency < 2 ? 1 : 0;
      rows.push_back({word.urgency,
                      absl::StrCat(NameOf(vip), " ", name),
                      {{word.word, word.style},
                       {name},
                       {NameOf(vip)},
                       {TextOf(server, "address")},
                       {SinceOf(server, options.now)},
                       {TextOf(server, "reason")}}});
    }
  }
  *count = rows.size();
  for (const json& server : objects.real_servers) {
    if (used.contains(NameOf(server))) continue;
    const Verdict verdict = VerdictOf(server);
    rows.push_back({1,
                    NameOf(server),
                    {{"Unused", Style::kDim},
                     {TextOf(MetadataOf(server), "name")},
                     {absl::StrCat(TextOf(MetadataOf(server), "namespace"), "/-")},
                     {TextOf(SpecOf(server), "address")},
                     {""},
                     {verdict.reason}}});
  }
  AddSorted(std::move(rows), &table);
  return table.empty() ? "" : absl::StrCat("\n", table.ToText(options.colour));
}

std::string ConditionsText(const json& object, const ClusterTextOptions& options) {
  Table table({{"CONDITION"}, {"STATUS"}, {"FOR"}, {"REASON"}, {"MESSAGE"}});
  for (const json& condition : ListOf(StatusOf(object), "conditions")) {
    const absl::Time since = TimeOf(condition, "lastTransitionTime");
    table.Add({{TextOf(condition, "type")},
               {TextOf(condition, "status"), IsTrue(condition) ? Style::kGood : Style::kBad},
               {since == absl::InfinitePast() ? "" : ShortDuration(options.now - since)},
               {TextOf(condition, "reason")},
               {TextOf(condition, "message")}});
  }
  return table.empty() ? "" : absl::StrCat("\n", table.ToText(options.colour));
}

// "VIP default/web is ready." or why it is not.
Explained Begin(const char* kind, const json& object, const Verdict& verdict,
                const ClusterTextOptions& options) {
  Explained explained;
  explained.ready = verdict.serves;
  const char* is = verdict.serves ? " is ready" : " is not ready";
  explained.text = absl::StrCat(kind, " ", Styled(NameOf(object), Style::kBold, options.colour), is,
                                verdict.reason.empty() ? "" : ": ",
                                Styled(verdict.reason, Style::kPlain, options.colour), "\n",
                                ConditionsText(object, options));
  return explained;
}

}  // namespace

std::string ClusterStatusText(const ClusterObjects& objects, const ClusterTextOptions& options) {
  size_t serving = 0;
  for (const json& vip : objects.vips) serving += VerdictOf(vip).serves ? 1 : 0;
  size_t servers = 0;
  size_t servers_out = 0;
  const std::string server_table = ServerTable(objects, options, &servers, &servers_out);
  const std::string vips =
      objects.vips.empty() ? "There is no VIP."
      : serving == objects.vips.size()
          ? absl::StrCat(base::Counted(serving, "VIP"), ", all ready")
          : absl::StrCat(serving, " of ", base::Counted(objects.vips.size(), "VIP"), " ready");
  const std::string told =
      objects.vips.empty() ? ""
      : servers_out == 0
          ? "."
          : absl::StrCat("; ", servers_out, " of ", base::Counted(servers, "real server"),
                         servers_out == 1 ? " takes" : " take", " no new clients.");
  return absl::StrCat(vips, told, "\n", VipTable(objects, options), server_table);
}

Explained ExplainVip(const json& vip, const ClusterTextOptions& options) {
  Explained explained = Begin("VIP", vip, VipVerdictOf(vip), options);
  Table nodes({{"DAEMON"},
               {"PROGRAMMED"},
               {"ENGINE"},
               {"ADDRESS"},
               {"SERVERS", Table::Column::Align::kRight},
               {"MESSAGE"}});
  for (const json& node : ListOf(StatusOf(vip), "nodes")) {
    const bool programmed = FlagOf(node, "programmed");
    const bool behind =
        CountOf(node, "observedGeneration") < CountOf(MetadataOf(vip), "generation");
    nodes.Add({{TextOf(node, "node")},
               {behind       ? "older version"
                : programmed ? "yes"
                             : TextOf(node, "reason"),
                programmed && !behind ? Style::kGood : Style::kBad},
               {TextOf(node, "engine")},
               {PlacesOf(node)},
               {absl::StrCat(CountOf(node, "serversReady"), "/", CountOf(node, "serversTotal"))},
               {TextOf(node, "message")}});
  }
  if (!nodes.empty()) absl::StrAppend(&explained.text, "\n", nodes.ToText(options.colour));
  ClusterObjects only;
  only.vips.push_back(vip);
  size_t count = 0;
  size_t out = 0;
  absl::StrAppend(&explained.text, ServerTable(only, options, &count, &out));
  absl::StrAppend(&explained.text,
                  "\nWhich server a client gets, its daemon knows: kubectl exec POD -- fairlead "
                  "explain --client IP --vip ADDRESS:PORT\n");
  return explained;
}

Explained ExplainRealServer(const json& server, const ClusterTextOptions& options) {
  Explained explained = Begin("Real server", server, VerdictOf(server), options);
  Table vips({{"STATE"}, {"VIP"}, {"SINCE"}, {"REASON"}});
  for (const json& vip : ListOf(StatusOf(server), "vips")) {
    const ServerWord word = WordOf(TextOf(vip, "state"), TextOf(vip, "health"));
    vips.Add({{word.word, word.style},
              {TextOf(vip, "name")},
              {SinceOf(vip, options.now)},
              {TextOf(vip, "reason")}});
  }
  if (!vips.empty()) absl::StrAppend(&explained.text, "\n", vips.ToText(options.colour));
  return explained;
}

StateProgress ProgressOf(const json& server) {
  const std::string wanted = SpecStateOf(server);
  if (!HasStatus(server)) return {false, kNoStatus};
  if (IsBehind(server)) return {false, "the operator has not looked at the change yet"};
  const json& vips = ListOf(StatusOf(server), "vips");
  if (vips.empty()) return {true, "no VIP uses the server"};
  size_t in_force = 0;
  std::string reason;
  for (const json& vip : vips) {
    const bool done =
        TextOf(vip, "state") == wanted && (wanted != "Online" || TextOf(vip, "health") == "Up");
    in_force += done ? 1 : 0;
    if (!done) reason = TextOf(vip, "reason");
  }
  return {
      in_force == vips.size(),
      absl::StrCat(wanted, wanted == "Online" ? " and up in " : " is in force in ", in_force,
                   " of ", base::Counted(vips.size(), "VIP"), reason.empty() ? "" : ": ", reason)};
}

}  // namespace fairlead::cmd
