// The part of ServerRecords about host names: what an answer of the resolver changes.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "pkg/controller/name_choice.h"
#include "pkg/controller/server_records.h"

namespace fairlead::controller {
namespace {

std::string AddressesText(const resolver::Answer& answer) {
  return absl::StrJoin(*answer.addresses, ", ", [](std::string* out, const auto& address) {
    absl::StrAppend(out, address.ToString());
  });
}

}  // namespace

std::vector<resolver::WantedName> ServerRecords::Names() const {
  std::vector<resolver::WantedName> names;
  for (const auto& [name, users] : name_users_) {
    const bool urgent = std::any_of(users.begin(), users.end(), [this](const NameUser& user) {
      return records_.at(user.key).condition.operational == model::OperationalState::kDown;
    });
    names.push_back({name, urgent});
  }
  return names;
}

bool ServerRecords::ApplyAnswer(const model::DesiredState& desired,
                                const resolver::Answer& answer) {
  const auto users = name_users_.find(answer.name);
  if (users == name_users_.end()) return false;
  answers_.insert_or_assign(answer.name, answer);
  bool changed = false;
  for (const NameUser& user : users->second) {
    changed |= AdoptAnswer(desired.vips[user.vip_index], user, answer);
  }
  return changed;
}

bool ServerRecords::AdoptAnswer(const model::Vip& vip, const NameUser& user,
                                const resolver::Answer& answer) {
  ServerRecord& record = records_.at(user.key);
  const ServerRecord before = record;
  NameChoice choice = ChooseAddress(vip, user.port, record.condition.resolved, answer);
  record.looked_up = true;
  record.name_problem = std::move(choice.problem);
  if (before.name_problem.empty() && !record.name_problem.empty()) {
    record.name_failing_since = clock_.Now();
  }
  const bool moved = choice.address != before.condition.resolved;
  // A machine in another place has no load yet; the first one is where it has been all the time.
  if (moved && before.condition.resolved.has_value()) record.warmth = ServerRecord::Warmth::kCold;
  if (moved) record.ForgetPath();
  record.condition.resolved = choice.address;
  TellName(user, before, answer);
  return moved;
}

void ServerRecords::TellName(const NameUser& user, const ServerRecord& before,
                             const resolver::Answer& answer) {
  const ServerRecord& record = records_.at(user.key);
  const std::optional<net::IpAddress>& address = record.condition.resolved;
  const std::optional<net::IpAddress>& old_address = before.condition.resolved;
  Event event;
  event.kind = "vip";
  event.subject = user.key.first;
  event.server = user.key.second;
  if (!record.name_problem.empty()) {
    if (!before.name_problem.empty()) return;
    event.level = base::LogLevel::kWarning;
    event.message = "real server's name does not resolve";
    event.reason = absl::StrCat(
        answer.name, ": ", record.name_problem, "; ",
        address.has_value()
            ? absl::StrCat("its last known address ", address->ToString(), " stays in use")
            : "the server is not used until it does");
  } else if (old_address.has_value() && old_address != address) {
    event.message = "real server's address has changed";
    event.reason =
        absl::StrCat(answer.name, ": ", old_address->ToString(), " -> ", address->ToString(),
                     " (the name resolves to ", AddressesText(answer),
                     "); new connections go there, established ones stay");
  } else if (!before.name_problem.empty() || !old_address.has_value()) {
    event.message = before.name_problem.empty() ? "real server's name is resolved"
                                                : "real server's name resolves again";
    event.reason = absl::StrCat(answer.name, ": ", address->ToString());
  } else {
    return;
  }
  on_event_(event);
}

}  // namespace fairlead::controller
