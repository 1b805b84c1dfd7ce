// The text of `fairlead status` from the JSON of /api/v1/status. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/time/time.h"

namespace fairlead::cmd {

enum class StatusDetail { kTable, kWide };

struct StatusTextOptions {
  StatusDetail detail = StatusDetail::kTable;
  bool colour = false;
  absl::Time now;
  absl::TimeZone zone;
};

// One status sentence, the VIPs and the real servers (those with a problem first, otherwise in the
// order of their names), then warnings of the host and findings about the configuration. Fields
// that a daemon of another version does not send are left out.
std::string StatusText(const nlohmann::json& status, const StatusTextOptions& options);

}  // namespace fairlead::cmd
