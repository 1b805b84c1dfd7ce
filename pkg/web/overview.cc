#include "pkg/web/overview.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pkg/admin/json.h"
#include "pkg/admin/json_field.h"
#include "pkg/admin/verdict.h"
#include "pkg/web/random.h"

namespace fairlead::web {
namespace {

using admin::CountOf;
using admin::ListOf;
using admin::ObjectOf;
using admin::TextOf;
using controller::ControlView;
using nlohmann::json;

constexpr absl::Duration kFresh = absl::Milliseconds(500);
constexpr size_t kEventsMax = 50;

std::string HostName() {
  char name[256] = "";
  ::gethostname(name, sizeof(name) - 1);
  return name;
}

// Without what changes at every look and is nothing to see; see ViewToJson for the names.
constexpr const char* kVipFields[] = {"namespace",
                                      "name",
                                      "ports",
                                      "protocol",
                                      "mode",
                                      "scheduler",
                                      "persistence",
                                      "healthCheck",
                                      "location",
                                      "enabled",
                                      "maxConnections",
                                      "connections",
                                      "connectionsTotal",
                                      "connectionsPerSecond",
                                      "bytesFromClientPerSecond",
                                      "bytesToClientPerSecond",
                                      "queue",
                                      "rejections"};
constexpr const char* kServerFields[] = {"name",
                                         "object",
                                         "address",
                                         "hostName",
                                         "port",
                                         "weight",
                                         "weightEffective",
                                         "maxConnections",
                                         "state",
                                         "stateInManifest",
                                         "setHere",
                                         "stateSince",
                                         "deadline",
                                         "takes",
                                         "way",
                                         "wayReason",
                                         "connections",
                                         "connectionsTotal",
                                         "connectFailuresTotal"};

template <size_t kCount>
json Chosen(const json& object, const char* const (&fields)[kCount]) {
  json chosen = json::object();
  for (const char* field : fields) {
    const auto found = object.find(field);
    if (found != object.end()) chosen[field] = *found;
  }
  return chosen;
}

const char* RankWord(admin::Rank rank) {
  switch (rank) {
    case admin::Rank::kBad:
      return "bad";
    case admin::Rank::kWarning:
      return "warning";
    case admin::Rank::kFine:
      return "fine";
  }
  return "bad";
}

void PutVerdict(const admin::Verdict& verdict, json* row) {
  (*row)["rank"] = RankWord(verdict.rank);
  (*row)["word"] = verdict.word;
  (*row)["reason"] = verdict.reason;
}

void Add(const std::string& id, json row, std::vector<Board::Entry>* entries) {
  row["id"] = id;
  entries->push_back(
      {id, row.dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace)});
}

json AddressList(const json& vip) {
  json addresses = json::array();
  for (const json& address : ListOf(vip, "addresses")) {
    addresses.push_back(Chosen(address, {"address", "interface"}));
    const json& announced = ObjectOf(address, "announcement");
    if (!announced.empty()) addresses.back()["announcement"] = TextOf(announced, "state");
  }
  return addresses;
}

void AddVip(const controller::VipView& view, std::vector<Board::Entry>* entries) {
  const json vip = admin::VipToJson(view);
  const std::string id = absl::StrCat("v ", view.QualifiedName());
  json row = Chosen(vip, kVipFields);
  PutVerdict(admin::JudgeVip(vip), &row);
  row["addresses"] = AddressList(vip);
  row["taking"] = admin::CountTaking(vip);
  Add(id, std::move(row), entries);
  for (const json& server : ListOf(vip, "servers")) {
    json line = Chosen(server, kServerFields);
    const admin::Verdict verdict = admin::JudgeServer(server);
    PutVerdict(verdict, &line);
    line["vip"] = id;
    line["leaving"] = verdict.leaving;
    line["health"] = TextOf(ObjectOf(server, "health"), "state");
    line["healthSince"] = ObjectOf(server, "health").at("since");
    Add(absl::StrCat("s ", view.QualifiedName(), " ", TextOf(server, "name")), std::move(line),
        entries);
  }
}

json MetaOf(const ControlView& view, const admin::AdminBackend& backend) {
  return {{"version", backend.version},
          {"host", HostName()},
          {"phase", controller::PhaseName(view.phase)},
          {"started", admin::TimeToJson(view.started)},
          {"configChanged", admin::TimeToJson(view.config_changed)},
          {"engine", view.plane.engine},
          {"engineReason", view.plane.engine_reason},
          {"shards", view.plane.shards},
          {"planRevision", view.plan_revision},
          {"appliedRevision", view.plane.applied_revision},
          {"sessions", view.plane.sessions_active},
          {"sessionsMax", view.plane.sessions_max},
          {"warnings", view.warnings},
          {"stale", view.stale_objects}};
}

json EventsOf(const ControlView& view) {
  json events = json::array();
  const size_t count = std::min(view.events.size(), kEventsMax);
  for (size_t i = 0; i < count; ++i) {  // newest first
    events.push_back(admin::EventToJson(view.events[view.events.size() - 1 - i]));
  }
  return {{"events", std::move(events)}};
}

json FindingsOf(const ControlView& view) {
  json findings = json::array();
  for (const model::Finding& finding : view.findings) {
    findings.push_back(admin::FindingToJson(finding));
  }
  return {{"findings", std::move(findings)}};
}

}  // namespace

Overview::Overview(const admin::AdminBackend& backend, const base::Clock& clock)
    : backend_(backend), clock_(clock), epoch_(RandomToken(9)) {}

void Overview::Refresh() {
  const std::shared_ptr<const ControlView> view = backend_.view();
  std::vector<Board::Entry> entries;
  Add("meta", MetaOf(*view, backend_), &entries);
  Add("events", EventsOf(*view), &entries);
  Add("findings", FindingsOf(*view), &entries);
  for (const controller::VipView& vip : view->vips) AddVip(vip, &entries);
  board_.Update(std::move(entries));
  refreshed_ = clock_.Monotonic();
}

std::string Overview::Answer(absl::string_view epoch, uint64_t seen) {
  base::MutexLock lock(&mutex_);
  if (clock_.Monotonic() - refreshed_ >= kFresh) Refresh();
  if (epoch != epoch_) seen = 0;
  return absl::StrCat("{\"epoch\":\"", epoch_, "\",\"revision\":", board_.revision(),
                      ",\"full\":", board_.NeedsAll(seen) ? "true" : "false",
                      ",\"now\":", admin::TimeToJson(clock_.Now()).dump(),
                      ",\"entries\":", board_.ChangedSince(seen), "}\n");
}

void Overview::Expire() {
  base::MutexLock lock(&mutex_);
  refreshed_ = -absl::InfiniteDuration();
}

}  // namespace fairlead::web
