// The JSON forms of the views. Field names are a promise to scripts: add, do not rename. Times are
// RFC 3339 in UTC, null when there is none; durations are seconds.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "pkg/controller/command.h"
#include "pkg/controller/view.h"

namespace fairlead::admin {

nlohmann::json ViewToJson(const controller::ControlView& view, const std::string& version,
                          const std::string& revision);
// An element of its "vips", "findings", "events".
nlohmann::json VipToJson(const controller::VipView& vip);
nlohmann::json FindingToJson(const model::Finding& finding);
nlohmann::json EventToJson(const controller::EventView& event);
// RFC 3339 in UTC; null for an infinite time.
nlohmann::json TimeToJson(absl::Time time);
nlohmann::json FindingsToJson(const controller::ControlView& view);
nlohmann::json ExplanationToJson(const controller::ExplanationView& explanation);
nlohmann::json CommandResultToJson(const controller::SetServerStateResult& result);

// One line; bytes that are not UTF-8 are replaced.
std::string ToText(const nlohmann::json& json);

}  // namespace fairlead::admin
