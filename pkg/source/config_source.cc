#include "pkg/source/config_source.h"

#include "absl/strings/str_cat.h"

namespace fairlead::source {

std::string StaleText(const SourceHealth& health) {
  if (health.problem.empty()) return "";
  const std::string since =
      health.current == absl::InfinitePast()
          ? ""
          : absl::StrCat(" since ",
                         absl::FormatTime(absl::RFC3339_sec, health.current, absl::UTCTimeZone()));
  return absl::StrCat("the configuration is not followed", since,
                      ", what is in force stays: ", health.problem);
}

}  // namespace fairlead::source
