// The part of Reconciler about the operator's commands: drain, halt, online.
#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "pkg/base/counted.h"
#include "pkg/controller/reconciler.h"
#include "pkg/model/suggestion.h"

namespace fairlead::controller {
namespace {

// "the admin API's client 127.0.0.1:40312 (user root, as it says)", or "user admin of the web page
// (10.0.0.9:40312)".
std::string RequesterText(const SetServerState& command) {
  constexpr size_t kUserBytesMax = 64;
  if (command.signed_in) {
    return absl::StrCat("user ", model::Printable(command.user, kUserBytesMax),
                        " of the web page (", command.client, ")");
  }
  std::string text = command.client.empty()
                         ? "an operator on this node"
                         : absl::StrCat("the admin API's client ", command.client);
  if (!command.user.empty()) {
    absl::StrAppend(&text, " (user ", model::Printable(command.user, kUserBytesMax),
                    ", as it says)");
  }
  return text;
}

}  // namespace

absl::StatusOr<SetServerStateResult> Reconciler::SetState(const SetServerState& command) {
  const std::vector<ServerKey> keys = Match(command);
  if (keys.empty()) return NothingMatches(command);
  const std::string requester = RequesterText(command);
  SetServerStateResult result;
  std::vector<std::string> lines;
  for (const ServerKey& key : keys) {
    const model::AdminState before = records_.records().at(key).condition.admin;
    records_.SetState(key, command.state, requester);
    if (command.state == model::AdminState::kOnline) {
      handshakes_.Forget(key);
      records_.SetHandshakes(key, {});
    }
    ServerStateChange change = Describe(key);
    change.before = before;
    lines.push_back(absl::StrCat("real server ", change.server, " of VIP ", change.vip, ": ",
                                 model::AdminStateName(change.before), " -> ",
                                 model::AdminStateName(change.after), ", ",
                                 change.connections_active.has_value()
                                     ? base::Counted(*change.connections_active, "connection")
                                     : "connections not known"));
    if (!AnyServerOnline(key.first)) {
      lines.push_back(absl::StrCat("attention: no real server of VIP ", key.first,
                                   " is Online and healthy now: new clients are not served"));
    }
    result.changes.push_back(std::move(change));
  }
  result.message = absl::StrJoin(lines, "\n");
  if (const absl::Status saved = SaveOverrides(); !saved.ok()) {
    result.warning = absl::StrCat("the state is in force, but will be forgotten at a restart: ",
                                  saved.message());
  }
  targets_dirty_ = true;
  causes_.insert("operator");
  return result;
}

bool Reconciler::AnyServerOnline(const std::string& vip) const {
  const auto& records = records_.records();
  return std::any_of(records.begin(), records.end(), [&](const auto& entry) {
    const dataplane::ServerCondition& condition = entry.second.condition;
    return entry.first.first == vip && condition.admin == model::AdminState::kOnline &&
           condition.operational != model::OperationalState::kDown;
  });
}

bool Reconciler::MatchesVip(const std::string& wanted, const std::string& vip) {
  return wanted.empty() || vip == wanted || vip.substr(vip.find('/') + 1) == wanted;
}

std::vector<ServerKey> Reconciler::Match(const SetServerState& command) const {
  std::vector<ServerKey> by_name;
  std::vector<ServerKey> by_address;
  for (const auto& [key, record] : records_.records()) {
    const std::string& vip = key.first;  // "default/dispatcher"
    const bool vip_matches =
        command.vip.empty() || vip == command.vip || vip.substr(vip.find('/') + 1) == command.vip;
    if (!vip_matches) continue;
    if (key.second == command.server) by_name.push_back(key);
    const std::optional<net::IpAddress>& resolved = record.condition.resolved;
    if (record.AddressText() == command.server ||
        (resolved.has_value() && resolved->ToString() == command.server)) {
      by_address.push_back(key);
    }
  }
  return by_name.empty() ? by_address : by_name;
}

absl::Status Reconciler::NothingMatches(const SetServerState& command) const {
  std::set<absl::string_view> vips;
  std::set<absl::string_view> servers;
  for (const auto& [key, record] : records_.records()) {
    vips.insert(key.first);
    if (MatchesVip(command.vip, key.first)) servers.insert(key.second);
  }
  if (vips.empty()) {
    return absl::NotFoundError(
        absl::StrCat("no real server ", model::Quoted(command.server),
                     ": the configuration in force has no real server at all"));
  }
  const bool vip_unknown = servers.empty();
  const std::set<absl::string_view>& known = vip_unknown ? vips : servers;
  const std::string& wanted = vip_unknown ? command.vip : command.server;
  const std::vector<absl::string_view> names(known.begin(), known.end());
  constexpr size_t kNamesShown = 20;
  const std::vector<absl::string_view> shown(
      names.begin(), names.begin() + static_cast<ptrdiff_t>(std::min(names.size(), kNamesShown)));
  return absl::NotFoundError(absl::StrCat(
      vip_unknown ? "no VIP with real servers is called " : "no real server is called ",
      model::Quoted(wanted), model::DidYouMean(wanted, names),
      "; there are: ", absl::StrJoin(shown, ", "), names.size() > kNamesShown ? ", ..." : ""));
}

ServerStateChange Reconciler::Describe(const ServerKey& key) const {
  const ServerRecord& record = records_.records().at(key);
  ServerStateChange change;
  change.vip = key.first;
  change.server = key.second;
  change.after = record.condition.admin;
  const std::shared_ptr<const ControlView> view = View();
  for (const VipView& vip : view->vips) {
    if (vip.QualifiedName() != key.first) continue;
    for (const ServerView& server : vip.servers) {
      if (server.name != key.second || !server.counters.counts_active) continue;
      change.connections_active = server.counters.connections_active;
    }
  }
  for (const model::Vip& vip : desired_->vips) {
    if (vip.id.QualifiedName() != key.first) continue;
    const absl::Duration deadline = dataplane::AdminDeadline(vip, record.condition);
    if (deadline != absl::InfiniteDuration()) {
      change.deadline = clock_.Now() + (deadline - clock_.Monotonic());
    }
  }
  return change;
}

absl::Status Reconciler::SaveOverrides() {
  const absl::Status saved = store_.Save(records_.overrides());
  if (saved.ok()) {
    state_warning_.clear();
    return saved;
  }
  state_warning_ = std::string(saved.message());
  Event event;
  event.level = base::LogLevel::kWarning;
  event.message = "states set on this node could not be kept";
  event.reason = state_warning_;
  events_.Record(event);
  return saved;
}

}  // namespace fairlead::controller
