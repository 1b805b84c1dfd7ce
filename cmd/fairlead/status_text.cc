#include "cmd/fairlead/status_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cmd/fairlead/format.h"
#include "cmd/fairlead/json_field.h"
#include "cmd/fairlead/table.h"
#include "pkg/admin/verdict.h"
#include "pkg/base/counted.h"

namespace fairlead::cmd {
namespace {

using admin::CountRejections;
using admin::CountTaking;
using admin::JudgeVip;
using admin::Rank;
using admin::Verdict;
using nlohmann::json;
using Align = Table::Column::Align;

Style StyleOf(Rank rank) {
  switch (rank) {
    case Rank::kBad:
      return Style::kBad;
    case Rank::kWarning:
      return Style::kWarning;
    case Rank::kFine:
      return Style::kGood;
  }
  return Style::kPlain;
}

std::string VipName(const json& vip) {
  return absl::StrCat(TextOf(vip, "namespace"), "/", TextOf(vip, "name"));
}

std::string Age(absl::Time since, absl::Time now) {
  return since == absl::InfinitePast() ? "" : ShortDuration(now - since);
}

// "-" where how many there are is not known.
std::string ConnectionsText(const json& object) {
  return IsNull(object, "connections") ? "-" : absl::StrCat(CountOf(object, "connections"));
}

std::string DrainText(const json& server, const StatusTextOptions& options) {
  std::string text = IsNull(server, "connections")
                         ? "connections not known"
                         : absl::StrCat(CountOf(server, "connections"), " left");
  const absl::Time deadline = TimeOf(server, "deadline");
  if (deadline == absl::InfinitePast()) return text;
  if (deadline <= options.now) return absl::StrCat(text, ", deadline passed");
  return absl::StrCat(text, ", deadline ", ShortTime(deadline, options.now, options.zone), " (in ",
                      ShortDuration(deadline - options.now), ")");
}

// With what a server that is leaving still has.
Verdict JudgeLeaving(const json& server, const StatusTextOptions& options) {
  Verdict verdict = admin::JudgeServer(server);
  if (verdict.leaving)
    verdict.reason = absl::StrCat(DrainText(server, options), "; ", verdict.reason);
  return verdict;
}

std::string AddressesText(const json& vip) {
  std::vector<std::string> texts;
  for (const json& address : ListOf(vip, "addresses")) {
    const std::string interface = TextOf(address, "interface");
    texts.push_back(absl::StrCat(TextOf(address, "address"),
                                 interface.empty() ? "" : absl::StrCat("@", interface)));
  }
  return absl::StrJoin(texts, ",");
}

std::string RejectionsText(const json& vip) {
  std::vector<std::string> texts;
  for (const auto& [reason, count] : ObjectOf(vip, "rejections").items()) {
    if (count.is_number_unsigned()) {
      texts.push_back(absl::StrCat(reason, " ", count.get<uint64_t>()));
    }
  }
  return absl::StrJoin(texts, ", ");
}

std::string RateText(const json& object, const char* name) {
  const double rate = RealOf(object, name);
  return rate < 10 ? absl::StrFormat("%.1f", rate) : ShortCount(static_cast<uint64_t>(rate));
}

struct VipRow {
  const json* vip;
  Verdict verdict;
};

std::vector<VipRow> SortedVips(const json& status) {
  std::vector<VipRow> rows;
  for (const json& vip : ListOf(status, "vips")) rows.push_back({&vip, JudgeVip(vip)});
  std::stable_sort(rows.begin(), rows.end(), [](const VipRow& left, const VipRow& right) {
    return left.verdict.rank < right.verdict.rank;
  });
  return rows;
}

std::string VipTable(const std::vector<VipRow>& rows, const StatusTextOptions& options) {
  const bool wide = options.detail == StatusDetail::kWide;
  std::vector<Table::Column> columns = {{"STATE"},
                                        {"VIP"},
                                        {"ADDRESS"},
                                        {"PORTS"},
                                        {"SERVERS", Align::kRight},
                                        {"CONNECTIONS", Align::kRight},
                                        {"CONN/S", Align::kRight},
                                        {"QUEUE", Align::kRight},
                                        {"REJECTED", Align::kRight}};
  if (wide) {
    for (const char* title : {"TOTAL", "RETRIES"}) columns.push_back({title, Align::kRight});
    for (const char* title : {"MODE", "SCHEDULER", "PERSISTENCE", "CHECK", "FROM"}) {
      columns.push_back({title});
    }
  }
  columns.push_back({"REASON"});
  Table table(std::move(columns));
  for (const auto& [vip, verdict] : rows) {
    const uint64_t rejected = CountRejections(*vip);
    std::vector<Cell> cells = {
        {verdict.word, StyleOf(verdict.rank)},
        {VipName(*vip), Style::kBold},
        {AddressesText(*vip)},
        {TextOf(*vip, "ports")},
        {absl::StrCat(CountTaking(*vip), "/", ListOf(*vip, "servers").size())},
        {ConnectionsText(*vip)},
        {RateText(*vip, "connectionsPerSecond")},
        {absl::StrCat(CountOf(*vip, "queue"))},
        {absl::StrCat(rejected), rejected == 0 ? Style::kPlain : Style::kWarning}};
    if (wide) {
      cells.push_back({ShortCount(CountOf(*vip, "connectionsTotal"))});
      cells.push_back({ShortCount(CountOf(*vip, "retriesTotal"))});
      for (const char* field : {"mode", "scheduler", "persistence", "healthCheck", "location"}) {
        cells.push_back({TextOf(*vip, field)});
      }
    }
    const std::string rejections = wide ? RejectionsText(*vip) : "";
    cells.push_back(
        {absl::StrCat(verdict.reason, rejections.empty() ? "" : " rejected: ", rejections)});
    table.Add(std::move(cells));
  }
  return table.ToText(options.colour);
}

struct ServerRow {
  const json* vip;
  const json* server;
  Verdict verdict;
};

std::vector<ServerRow> SortedServers(const json& status, const StatusTextOptions& options) {
  std::vector<ServerRow> rows;
  for (const json& vip : ListOf(status, "vips")) {
    for (const json& server : ListOf(vip, "servers")) {
      rows.push_back({&vip, &server, JudgeLeaving(server, options)});
    }
  }
  std::stable_sort(rows.begin(), rows.end(), [](const ServerRow& left, const ServerRow& right) {
    return left.verdict.rank < right.verdict.rank;
  });
  return rows;
}

std::string ServerAddress(const json& server) {
  const std::string host_name = TextOf(server, "hostName");
  const std::string address = TextOf(server, "address");
  const uint64_t port = CountOf(server, "port");
  if (!host_name.empty()) {
    return absl::StrCat(host_name, port == 0 ? "" : absl::StrCat(":", port),
                        address.empty() ? "" : absl::StrCat(" = ", address));
  }
  if (port == 0) return address;
  return address.find(':') == std::string::npos ? absl::StrCat(address, ":", port)
                                                : absl::StrCat("[", address, "]:", port);
}

std::string WeightText(const json& server) {
  const auto weight = static_cast<double>(CountOf(server, "weight"));
  const double effective = RealOf(server, "weightEffective");
  if (effective >= weight || TextOf(server, "takes") != "All") {
    return absl::StrCat(CountOf(server, "weight"));
  }
  return absl::StrFormat("%.0f of %.0f (slow start)", effective, weight);
}

// Where clients may reach each server in another way, whether by DR or by SNAT, and why.
bool IsAuto(const json& vip) { return TextOf(vip, "mode") == "Auto"; }

std::string ReasonText(const ServerRow& row) {
  const std::string why = TextOf(*row.server, "wayReason");
  if (!IsAuto(*row.vip) || why.empty()) return row.verdict.reason;
  return absl::StrCat(row.verdict.reason, row.verdict.reason.empty() ? "" : "; ", "SNAT: ", why);
}

std::string ServerTable(const std::vector<ServerRow>& rows, const StatusTextOptions& options) {
  const bool wide = options.detail == StatusDetail::kWide;
  const bool ways =
      std::any_of(rows.begin(), rows.end(), [](const ServerRow& row) { return IsAuto(*row.vip); });
  std::vector<Table::Column> columns = {{"STATE"},
                                        {"SERVER"},
                                        {"VIP"},
                                        {"ADDRESS"},
                                        {"WEIGHT", Align::kRight},
                                        {"CONNECTIONS", Align::kRight},
                                        {"SINCE", Align::kRight}};
  if (ways) columns.push_back({"WAY"});
  if (wide) {
    for (const char* title :
         {"TOTAL", "LIMIT", "SENT", "RECEIVED", "CONNECT FAILURES", "CUT", "CHECKS", "FAILED"}) {
      columns.push_back({title, Align::kRight});
    }
    columns.push_back({"DIRECT ROUTING"});
  }
  columns.push_back({"REASON"});
  Table table(std::move(columns));
  for (const ServerRow& row : rows) {
    const auto& [vip, server, verdict] = row;
    const json& health = ObjectOf(*server, "health");
    const absl::Time since = TextOf(*server, "state") == "Online" ? TimeOf(health, "since")
                                                                  : TimeOf(*server, "stateSince");
    std::vector<Cell> cells = {{verdict.word, StyleOf(verdict.rank)},
                               {TextOf(*server, "name"), Style::kBold},
                               {VipName(*vip)},
                               {ServerAddress(*server)},
                               {WeightText(*server)},
                               {ConnectionsText(*server)},
                               {Age(since, options.now)}};
    if (ways) cells.push_back({TextOf(*server, "way")});
    if (wide) {
      const uint64_t limit = CountOf(*server, "maxConnections");
      cells.push_back({ShortCount(CountOf(*server, "connectionsTotal"))});
      cells.push_back({limit == 0 ? "-" : absl::StrCat(limit)});
      cells.push_back({ShortBytes(CountOf(*server, "bytesToServerTotal"))});
      cells.push_back({ShortBytes(CountOf(*server, "bytesFromServerTotal"))});
      cells.push_back({ShortCount(CountOf(*server, "connectFailuresTotal"))});
      cells.push_back({ShortCount(CountOf(*server, "sessionsCutTotal"))});
      cells.push_back({ShortCount(CountOf(health, "probes"))});
      cells.push_back({ShortCount(CountOf(health, "failures"))});
      const std::string path = TextOf(ObjectOf(*server, "directPath"), "state");
      cells.push_back({path.empty() ? "-" : path});
    }
    cells.push_back({ReasonText(row)});
    table.Add(std::move(cells));
  }
  return table.ToText(options.colour);
}

std::string Headline(const json& status, const std::vector<VipRow>& vips,
                     const std::vector<ServerRow>& servers, const StatusTextOptions& options) {
  const auto bad = [](const auto& row) { return row.verdict.rank == Rank::kBad; };
  const auto bad_vips = std::count_if(vips.begin(), vips.end(), bad);
  const auto bad_servers = std::count_if(servers.begin(), servers.end(), bad);
  std::string sentence;
  Style style = Style::kGood;
  if (vips.empty()) {
    sentence = "No VIP is configured.";
    style = Style::kWarning;
  } else if (bad_vips > 0) {
    sentence =
        absl::StrCat(bad_vips, " of ", base::Counted(vips.size(), "VIP"), " cannot serve clients.");
    style = Style::kBad;
  } else if (bad_servers > 0) {
    sentence = absl::StrCat("Every VIP serves clients; ", bad_servers, " of ",
                            base::Counted(servers.size(), "real server"),
                            bad_servers == 1 ? " is down." : " are down.");
    style = Style::kWarning;
  } else {
    sentence = "Every VIP serves clients.";
  }
  const json& plane = ObjectOf(status, "plane");
  const uint64_t wanted = CountOf(status, "planRevision");
  const uint64_t applied = CountOf(plane, "appliedRevision");
  const std::string plan = applied >= wanted
                               ? absl::StrCat("plan ", wanted)
                               : absl::StrCat("plan ", wanted, " (", applied, " in force)");
  return absl::StrCat(
      Styled(sentence, style, options.colour), "\n",
      Styled(absl::StrCat("Fairlead ", TextOf(status, "version"), ", ", TextOf(status, "phase"),
                          ", up ", Age(TimeOf(status, "started"), options.now), ", ",
                          TextOf(plane, "engine"), ", ",
                          base::Counted(CountOf(plane, "shards"), "shard"), ", ",
                          base::Counted(CountOf(plane, "sessions"), "session"), ", ", plan),
             Style::kDim, options.colour),
      "\n");
}

// "Pair: Master for 3m12s: ...; priority 150; peer 10.0.0.2, heard 0s ago".
std::string PairLine(const json& status, const StatusTextOptions& options) {
  const json& pair = ObjectOf(status, "pair");
  const std::string state = TextOf(pair, "state");
  if (state.empty()) return "";
  const std::string peer = TextOf(pair, "peer");
  const std::string impairment = TextOf(pair, "impairment");
  std::string text =
      absl::StrCat("Pair: ", state, " for ", Age(TimeOf(pair, "since"), options.now), ": ",
                   TextOf(pair, "reason"), "; priority ", CountOf(pair, "priority"));
  if (!impairment.empty()) absl::StrAppend(&text, " (", impairment, ")");
  absl::StrAppend(&text, "; ",
                  peer.empty() ? std::string("no peer heard yet")
                               : absl::StrCat("peer ", peer, ", heard ",
                                              Age(TimeOf(pair, "peerHeard"), options.now), " ago"));
  if (CountOf(pair, "refusedTotal") != 0) {
    absl::StrAppend(&text, "; ", CountOf(pair, "refusedTotal"),
                    " packets refused: ", TextOf(pair, "refusedReason"));
  }
  const std::string way_problem = TextOf(pair, "wayProblem");
  if (!way_problem.empty()) absl::StrAppend(&text, "; no way to the peer: ", way_problem);
  const Style style =
      state == "Fault" || !impairment.empty() || !way_problem.empty() ? Style::kBad : Style::kPlain;
  return absl::StrCat(Styled(text, style, options.colour), "\n");
}

std::string Notices(const json& status, const StatusTextOptions& options) {
  std::string text;
  const auto add = [&](const char* word, Style style, const std::string& message) {
    absl::StrAppend(&text, Styled(word, style, options.colour), ": ",
                    Styled(message, Style::kPlain, options.colour), "\n");
  };
  for (const json& warning : ListOf(status, "warnings")) {
    if (warning.is_string()) add("host", Style::kWarning, warning.get<std::string>());
  }
  const std::string engine_reason = TextOf(ObjectOf(status, "plane"), "engineReason");
  if (!engine_reason.empty()) add("engine", Style::kWarning, engine_reason);
  for (const json& interface : ListOf(ObjectOf(status, "plane"), "xdpInterfaces")) {
    const std::string reason = TextOf(interface, "reason");
    if (reason.empty() && FlagOf(interface, "verified"))
      continue;  // the fastest mode, and it works
    add("direct routing", Style::kWarning,
        absl::StrCat(TextOf(interface, "name"), " is in mode ", TextOf(interface, "mode"), ", ",
                     TextOf(interface, "verification"), reason.empty() ? "" : "; ", reason));
  }
  for (const json& object : ListOf(status, "staleObjects")) {
    if (!object.is_string()) continue;
    add("stale", Style::kWarning,
        absl::StrCat(object.get<std::string>(), ": the last good version is in force"));
  }
  for (const json& finding : ListOf(status, "findings")) {
    const bool error = TextOf(finding, "severity") == "error";
    const std::string object = TextOf(finding, "object");
    const std::string field = TextOf(finding, "field");
    add(error ? "rejected" : "warning", error ? Style::kBad : Style::kWarning,
        absl::StrCat(TextOf(finding, "location"), ": ", object, object.empty() ? "" : ": ", field,
                     field.empty() ? "" : ": ", TextOf(finding, "message")));
  }
  return text;
}

}  // namespace

std::string StatusText(const json& status, const StatusTextOptions& options) {
  const std::vector<VipRow> vips = SortedVips(status);
  const std::vector<ServerRow> servers = SortedServers(status, options);
  std::string text = Headline(status, vips, servers, options);
  absl::StrAppend(&text, PairLine(status, options));
  if (!vips.empty()) absl::StrAppend(&text, "\n", VipTable(vips, options));
  if (!servers.empty()) absl::StrAppend(&text, "\n", ServerTable(servers, options));
  const std::string notices = Notices(status, options);
  if (!notices.empty()) absl::StrAppend(&text, "\n", notices);
  return text;
}

}  // namespace fairlead::cmd
