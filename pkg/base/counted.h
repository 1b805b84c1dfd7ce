// "1 VIP", "3 VIPs": a count and its noun, for messages.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace fairlead::base {

// `noun` is the singular; its plural is formed with an s.
inline std::string Counted(uint64_t count, absl::string_view noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

}  // namespace fairlead::base
