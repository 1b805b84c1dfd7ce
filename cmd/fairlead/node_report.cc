#include "cmd/fairlead/node_report.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "pkg/kube/cluster_object.h"

namespace fairlead::cmd {
namespace {

using controller::ControlView;
using controller::ServerView;
using controller::VipView;
using kube::NodeEntry;

// The errors of each object ("VIP default/web"), as one text.
std::map<std::string, std::string> ErrorsByObject(const ControlView& view) {
  std::map<std::string, std::string> errors;
  for (const model::Finding& finding : view.findings) {
    if (finding.severity != model::Severity::kError) continue;
    std::string& text = errors[finding.object];
    absl::StrAppend(&text, text.empty() ? "" : "; ", finding.field,
                    finding.field.empty() ? "" : ": ", finding.message);
  }
  return errors;
}

std::string EngineOf(const VipView& vip, const std::string& proxy) {
  if (vip.mode == model::ModeName(model::Mode::kSnat)) return proxy;
  if (vip.mode == model::ModeName(model::Mode::kDr)) return "XDP";
  return absl::StrCat("XDP, ", proxy);
}

// Why a server takes no new clients.
std::string ServerReason(const ServerView& server) {
  if (server.admin != model::AdminState::kOnline) {
    return absl::StrCat(server.set_here ? "set to " : "declared ",
                        model::AdminStateName(server.admin),
                        server.set_here ? " on this node" : "");
  }
  if (!server.counters.problem.empty()) return server.counters.problem;
  if (server.health == model::OperationalState::kUp && server.weight == 0) return "weight 0";
  return server.health_reason.empty() ? "not checked yet" : server.health_reason;
}

std::string MissingAddresses(const VipView& vip) {
  if (!vip.addresses_known) return "";
  std::vector<std::string> missing;
  for (const dataplane::AddressOutcome& outcome : vip.addresses) {
    if (outcome.interface.empty()) missing.push_back(outcome.address.ToString());
  }
  if (missing.empty()) return "";
  return absl::StrCat(absl::StrJoin(missing, ", "), " is on no interface of this node");
}

void Judge(const VipView& vip, const std::string& errors, NodeEntry* entry) {
  if (vip.stale) {
    entry->reason = "LastGoodVersion";
    entry->message = absl::StrCat("the version before stays in force: ", errors);
  } else if (!vip.enabled) {
    entry->reason = "Disabled";
    entry->programmed = true;
    entry->message = vip.problem;
  } else if (vip.addresses.empty()) {
    entry->reason = "WaitingForAddress";
    entry->message = vip.problem;
  } else if (!vip.problem.empty()) {
    entry->reason = "NotServed";
    entry->message = vip.problem;
  } else {
    entry->reason = "Applied";
    entry->programmed = true;
    entry->message = MissingAddresses(vip);
  }
}

NodeEntry EntryOf(const VipView& vip, const std::string& errors, const std::string& proxy) {
  NodeEntry entry;
  Judge(vip, errors, &entry);
  entry.engine = EngineOf(vip, proxy);
  for (const dataplane::AddressOutcome& outcome : vip.addresses) {
    entry.addresses.push_back({outcome.address.ToString(), outcome.interface});
  }
  entry.servers_total = vip.servers.size();
  for (const ServerView& server : vip.servers) {
    if (server.eligibility == model::Eligibility::kAll && server.counters.problem.empty()) {
      ++entry.servers_ready;
      continue;
    }
    entry.servers_not_ready.push_back({server.name, model::AdminStateName(server.admin),
                                       model::OperationalStateName(server.health),
                                       ServerReason(server)});
  }
  return entry;
}

using Views = std::map<std::string, const VipView*>;  // by qualified name

std::optional<NodeEntry> EntryFor(const kube::KubeObject& object, const Views& views,
                                  const std::map<std::string, std::string>& errors,
                                  const std::set<model::Mode>& modes, const std::string& proxy) {
  const std::string name = absl::StrCat(object.name_space, "/", object.name);
  const auto found_errors = errors.find(absl::StrCat("VIP ", name));
  const std::string& text = found_errors == errors.end() ? "" : found_errors->second;
  const auto view = views.find(name);
  if (view != views.end() && view->second->elsewhere) return std::nullopt;
  NodeEntry entry;
  if (view != views.end()) {
    entry = EntryOf(*view->second, text, proxy);
  } else {
    if (!modes.contains(kube::ModeOf(object.json))) return std::nullopt;
    entry.reason = "Rejected";
    entry.message = text;
  }
  entry.observed_generation = object.generation;
  return entry;
}

bool IsObject(const VipView& vip, const std::string& server_name) {
  return std::any_of(vip.servers.begin(), vip.servers.end(), [&](const ServerView& server) {
    return server.name == server_name && server.is_object;
  });
}

std::vector<kube::NodeEvent> EventsOf(const ControlView& view, const Views& views,
                                      const std::map<std::string, std::string>& uids,
                                      uint64_t* last_event) {
  std::vector<kube::NodeEvent> events;
  for (const controller::EventView& event : view.events) {
    if (event.number <= *last_event) continue;
    *last_event = event.number;
    const size_t slash = event.subject.find('/');
    if (event.kind != "vip" || slash == std::string::npos) continue;
    kube::NodeEvent made = {
        .time = event.time,
        .is_warning = event.level != "info",
        .message = event.message,
        .note = absl::StrCat(event.message, event.server.empty() ? "" : ": ", event.server,
                             event.reason.empty() ? "" : ": ", event.reason),
        .name_space = event.subject.substr(0, slash),
        .vip = event.subject.substr(slash + 1),
        .vip_uid = ""};
    if (const auto uid = uids.find(event.subject); uid != uids.end()) made.vip_uid = uid->second;
    const auto vip = views.find(event.subject);
    if (vip != views.end() && IsObject(*vip->second, event.server)) made.server = event.server;
    events.push_back(std::move(made));
  }
  return events;
}

}  // namespace

kube::NodeReport ReportOf(const ControlView& view, const kube::ObservedVips& observed,
                          const std::set<model::Mode>& modes, uint64_t* last_event) {
  kube::NodeReport report;
  report.is_current = view.phase == ControlView::Phase::kServing && observed.published_count > 0 &&
                      view.config_readings_total == observed.published_count &&
                      view.plane.applied_revision >= view.plan_revision;
  Views views;
  for (const VipView& vip : view.vips) views.emplace(vip.QualifiedName(), &vip);
  const std::map<std::string, std::string> errors = ErrorsByObject(view);
  std::map<std::string, std::string> uids;
  for (const kube::KubeObjectPtr& object : observed.vips) {
    uids.emplace(absl::StrCat(object->name_space, "/", object->name), object->uid);
    report.entries.push_back({object, EntryFor(*object, views, errors, modes, view.plane.engine)});
  }
  report.events = EventsOf(view, views, uids, last_event);
  return report;
}

}  // namespace fairlead::cmd
