#include "cmd/fairlead/format.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace fairlead::cmd {

std::string ShortDuration(absl::Duration duration) {
  const int64_t seconds = std::max<int64_t>(0, absl::ToInt64Seconds(duration));
  const int64_t minutes = seconds / 60;
  const int64_t hours = minutes / 60;
  if (minutes == 0) return absl::StrCat(seconds, "s");
  if (hours == 0) return absl::StrFormat("%dm%02ds", minutes, seconds % 60);
  if (hours < 24) return absl::StrFormat("%dh%02dm", hours, minutes % 60);
  return absl::StrFormat("%dd%02dh", hours / 24, hours % 24);
}

std::string ShortCount(uint64_t count) {
  if (count < 10000) return absl::StrCat(count);
  const char* const units[] = {"k", "M", "G", "T"};
  double scaled = static_cast<double>(count) / 1000;
  size_t unit = 0;
  while (scaled >= 1000 && unit + 1 < std::size(units)) {
    scaled /= 1000;
    ++unit;
  }
  return absl::StrFormat("%.1f%s", scaled, units[unit]);
}

std::string ShortBytes(uint64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  const char* const units[] = {"KiB", "MiB", "GiB", "TiB"};
  double scaled = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (scaled >= 1024 && unit + 1 < std::size(units)) {
    scaled /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", scaled, units[unit]);
}

std::string ShortTime(absl::Time time, absl::Time now, absl::TimeZone zone) {
  const bool today = absl::ToCivilDay(time, zone) == absl::ToCivilDay(now, zone);
  return absl::FormatTime(today ? "%H:%M:%S" : "%Y-%m-%d %H:%M", time, zone);
}

}  // namespace fairlead::cmd
