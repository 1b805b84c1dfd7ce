// metav1.Condition: what is true of an object, with a reason for programs and a message for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace fairlead::cluster {

enum class Truth { kTrue, kFalse, kUnknown };
const char* TruthName(Truth truth);  // "True", "False", "Unknown"

struct Condition {
  std::string type;  // "Ready"
  Truth status = Truth::kUnknown;
  std::string reason;   // "NoServers": [A-Za-z][A-Za-z0-9_]*
  std::string message;  // a sentence
  friend bool operator==(const Condition&, const Condition&) = default;
};

// The list for a status, in the order of `conditions`. lastTransitionTime is that of `present` (the
// list as it is) unless the status of the condition flips.
nlohmann::json ConditionsToJson(const std::vector<Condition>& conditions, int64_t generation,
                                const nlohmann::json& present, absl::Time now);

// The status of a condition in such a list; Unknown when it is not there.
Truth TruthOf(const nlohmann::json& conditions, const std::string& type);

}  // namespace fairlead::cluster
