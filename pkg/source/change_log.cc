#include "pkg/source/change_log.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "pkg/base/log.h"
#include "pkg/source/same_intent.h"

namespace fairlead::source {
namespace {

using base::LogLevel;

// Counts lines of one kind, and says in the end how many were left out.
class LineBudget {
 public:
  explicit LineBudget(absl::string_view what) : what_(what) {}
  ~LineBudget() {
    if (count_ <= kChangeLinesMax) return;
    base::LogInfo("more lines were left out",
                  {{"of", std::string(what_)}, {"count", absl::StrCat(count_ - kChangeLinesMax)}});
  }
  bool Take() { return ++count_ <= kChangeLinesMax; }

 private:
  const absl::string_view what_;
  int count_ = 0;
};

template <typename T>
void LogObject(absl::string_view message, const T& object, LineBudget* budget) {
  if (!budget->Take()) return;
  base::LogInfo(message, {{"object", object.id.ToString()}, {"file", object.location.ToString()}});
}

// Both sorted by id.
template <typename T>
void LogObjectChanges(const std::vector<T>& before, const std::vector<T>& after) {
  LineBudget budget("configuration changes");
  auto old_object = before.begin();
  auto new_object = after.begin();
  while (old_object != before.end() || new_object != after.end()) {
    const bool is_removed = new_object == after.end() ||
                            (old_object != before.end() && old_object->id < new_object->id);
    if (is_removed) {
      LogObject("object removed", *old_object++, &budget);
    } else if (old_object == before.end() || new_object->id < old_object->id) {
      LogObject("object added", *new_object++, &budget);
    } else {
      if (!SameIntent(*old_object, *new_object)) LogObject("object changed", *new_object, &budget);
      ++old_object;
      ++new_object;
    }
  }
}

void LogFindings(const model::DesiredState& before, const model::DesiredState& after) {
  absl::flat_hash_set<std::string> known;
  for (const model::Finding& finding : before.findings) known.insert(finding.ToString());
  LineBudget budget("findings");
  for (const model::Finding& finding : after.findings) {
    if (known.contains(finding.ToString()) || !budget.Take()) continue;
    const bool is_error = finding.severity == model::Severity::kError;
    base::Log(is_error ? LogLevel::kError : LogLevel::kWarning,
              is_error ? "configuration error" : "configuration warning",
              {{"object", finding.object},
               {"place", finding.location.ToString()},
               {"field", finding.field},
               {"problem", finding.message}});
  }
}

}  // namespace

void LogChanges(const model::DesiredState& before, const model::DesiredState& after) {
  LogObjectChanges(before.vips, after.vips);
  LogObjectChanges(before.real_servers, after.real_servers);
  LogObjectChanges(before.address_pools, after.address_pools);
  LogFindings(before, after);
  std::vector<model::ObjectId> newly_stale;
  std::set_difference(after.stale.begin(), after.stale.end(), before.stale.begin(),
                      before.stale.end(), std::back_inserter(newly_stale));
  LineBudget budget("objects in their last good version");
  for (const model::ObjectId& id : newly_stale) {
    if (!budget.Take()) continue;
    base::LogWarning("object stays in force in its last good version", {{"object", id.ToString()}});
  }
}

}  // namespace fairlead::source
