// FindingCollector: gathers what is wrong with one object. Used on one thread.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "pkg/model/object.h"

namespace fairlead::model {

// Further findings of one object are dropped: nobody reads them, and a hostile manifest could hold
// a million.
inline constexpr size_t kFindingsOfObjectMax = 1000;

class FindingCollector {
 public:
  FindingCollector(const ObjectId& id, const SourceLocation& location)
      : object_(id.ToString()), location_(location) {}

  // `field` is the path from the object's root: "spec.ports", "spec.realServers.list[2].address".
  void Error(std::string field, std::string message) {
    Add(Severity::kError, std::move(field), std::move(message));
  }
  void Warning(std::string field, std::string message) {
    Add(Severity::kWarning, std::move(field), std::move(message));
  }
  // An error unless `problem` is empty.
  void ErrorIf(std::string problem, std::string field) {
    if (!problem.empty()) Error(std::move(field), std::move(problem));
  }

  std::vector<Finding> Take() { return std::move(findings_); }

 private:
  void Add(Severity severity, std::string field, std::string message) {
    if (findings_.size() >= kFindingsOfObjectMax) return;
    findings_.push_back({severity, object_, location_, std::move(field), std::move(message)});
  }

  const std::string object_;
  const SourceLocation location_;
  std::vector<Finding> findings_;
};

// What a field says whose feature this version does not have. Such a field is refused, never
// ignored.
inline std::string NotSupportedYet(absl::string_view what) {
  return absl::StrCat("not supported yet in this version: ", what);
}

}  // namespace fairlead::model
