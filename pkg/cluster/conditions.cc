#include "pkg/cluster/conditions.h"

#include "pkg/cluster/json_access.h"

namespace fairlead::cluster {
namespace {

using nlohmann::json;

constexpr size_t kMessageBytesMax = 4096;  // the schema takes 32768; nobody reads that

const json* FindCondition(const json& conditions, const std::string& type) {
  if (!conditions.is_array()) return nullptr;
  for (const json& condition : conditions) {
    if (TextAt(condition, {"type"}) == type) return &condition;
  }
  return nullptr;
}

}  // namespace

const char* TruthName(Truth truth) {
  switch (truth) {
    case Truth::kTrue:
      return "True";
    case Truth::kFalse:
      return "False";
    case Truth::kUnknown:
      return "Unknown";
  }
  return "Unknown";
}

json ConditionsToJson(const std::vector<Condition>& conditions, int64_t generation,
                      const json& present, absl::Time now) {
  json list = json::array();
  for (const Condition& condition : conditions) {
    const json* before = FindCondition(present, condition.type);
    std::string since = ApiTime(now);
    if (before != nullptr && TextAt(*before, {"status"}) == TruthName(condition.status)) {
      since = TextAt(*before, {"lastTransitionTime"});
    }
    list.push_back({{"type", condition.type},
                    {"status", TruthName(condition.status)},
                    {"observedGeneration", generation},
                    {"lastTransitionTime", since},
                    {"reason", condition.reason},
                    {"message", Clipped(condition.message, kMessageBytesMax)}});
  }
  return list;
}

Truth TruthOf(const json& conditions, const std::string& type) {
  const json* condition = FindCondition(conditions, type);
  if (condition == nullptr) return Truth::kUnknown;
  const std::string status = TextAt(*condition, {"status"});
  if (status == "True") return Truth::kTrue;
  return status == "False" ? Truth::kFalse : Truth::kUnknown;
}

}  // namespace fairlead::cluster
