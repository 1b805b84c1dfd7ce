// The parts of Validate() that have a file of their own. For pkg/model only.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "pkg/model/finding_collector.h"
#include "pkg/model/limits.h"
#include "pkg/model/server_fit.h"
#include "pkg/model/vip.h"

namespace fairlead::model {

void CheckServerSpec(const ServerSpec& spec, const std::string& path, FindingCollector& findings);
void CheckHealthCheck(const Vip& vip, FindingCollector& findings);
void CheckDirectRouting(const Vip& vip, FindingCollector& findings);

inline void CheckLimits(int64_t value, const Limits<int64_t>& limits, std::string field,
                        FindingCollector& findings) {
  if (limits.Contain(value)) return;
  findings.Error(std::move(field), absl::StrCat(value, " ", DescribeLimits(limits)));
}

inline void CheckLimits(absl::Duration value, const Limits<absl::Duration>& limits,
                        std::string field, FindingCollector& findings) {
  if (limits.Contain(value)) return;
  findings.Error(std::move(field),
                 absl::StrCat(absl::ToDoubleSeconds(value), " ", DescribeLimits(limits)));
}

}  // namespace fairlead::model
