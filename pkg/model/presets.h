// Vendor port lists: §15.1 of the load-balancing guide for Konica Minolta Dispatcher Paragon.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace fairlead::model {

struct Preset {
  absl::string_view slug;      // "konica-minolta"
  absl::string_view vendor;    // the guide's row name
  absl::string_view ports;     // as the guide writes it; PortSet::Parse accepts it
  uint16_t health_check_port;  // 0 = the guide names none: the first VIP port is checked
};

// Every row, in the guide's order. Static storage.
absl::Span<const Preset> AllPresets();
// Null when there is no such slug.
const Preset* FindPreset(absl::string_view slug);

}  // namespace fairlead::model
