// Numbers and times as people read them. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace fairlead::cmd {

// "0s", "42s", "3m12s", "5h04m", "3d07h": two units at most.
std::string ShortDuration(absl::Duration duration);
// "999", "12.3k", "4.5M": three digits at most before the unit.
std::string ShortCount(uint64_t count);
// "512 B", "1.5 KiB", "2.0 GiB".
std::string ShortBytes(uint64_t bytes);
// "14:05:09" in the local time zone; with the date when it is not today.
std::string ShortTime(absl::Time time, absl::Time now, absl::TimeZone zone);

}  // namespace fairlead::cmd
