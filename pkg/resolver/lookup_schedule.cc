#include "pkg/resolver/lookup_schedule.h"

#include <algorithm>

namespace fairlead::resolver {

void LookupSchedule::SetNames(const std::vector<WantedName>& names, absl::Duration now) {
  std::map<std::string, bool> wanted;  // name -> urgent
  for (const WantedName& name : names) wanted[name.name] |= name.urgent;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    if (wanted.contains(entry->first)) {
      ++entry;
      continue;
    }
    waiting_.erase({entry->second.due, entry->first});
    entry = entries_.erase(entry);
  }
  for (const auto& [name, urgent] : wanted) {
    const auto [found, is_new] = entries_.try_emplace(name);
    Entry& entry = found->second;
    const bool hurry = urgent && !entry.urgent && entry.waiting;
    entry.urgent = urgent;
    if (!is_new && !hurry) continue;
    waiting_.erase({entry.due, name});
    Wait(name, now, &entry);
  }
}

std::optional<std::string> LookupSchedule::TakeDue(absl::Duration now) {
  if (NextDue() > now) return std::nullopt;
  std::string name = waiting_.begin()->second;
  waiting_.erase(waiting_.begin());
  entries_.at(name).waiting = false;
  return name;
}

bool LookupSchedule::Finish(const std::string& name, bool succeeded, absl::Duration now) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return false;
  Entry& entry = found->second;
  // The name was dropped and wanted again meanwhile: its own lookup is still to come.
  if (entry.waiting) return true;
  absl::Duration pause = entry.urgent ? times_.urgent : times_.refresh;
  if (succeeded) {
    entry.failures = 0;
  } else {
    // 2^16 times the first pause is beyond any refresh.
    pause = std::min(pause, times_.retry * (1 << std::min(entry.failures, 16)));
    ++entry.failures;
  }
  const double jitter = std::uniform_real_distribution<double>(0.9, 1.1)(random_);
  Wait(name, now + pause * jitter, &entry);
  return true;
}

void LookupSchedule::Wait(const std::string& name, absl::Duration due, Entry* entry) {
  entry->due = due;
  entry->waiting = true;
  waiting_.emplace(due, name);
}

}  // namespace fairlead::resolver
