#include "pkg/cluster/object_status.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/cluster/conditions.h"
#include "pkg/cluster/json_access.h"
#include "pkg/model/object.h"

namespace fairlead::cluster {
namespace {

using nlohmann::json;

constexpr size_t kUsesMax = 64;  // of the schema (crds/realservers.yaml)
constexpr size_t kReasonBytesMax = 1024;

json UsesToJson(const std::vector<ServerUse>& uses, const json& present, absl::Time now) {
  std::map<std::string, const json*> before;
  for (const json& use : present) before.emplace(TextAt(use, {"name"}), &use);
  json list = json::array();
  for (const ServerUse& use : uses) {
    if (list.size() == kUsesMax) break;
    std::string since = ApiTime(now);
    if (const auto found = before.find(use.vip); found != before.end()) {
      const json& old = *found->second;
      const bool same = TextAt(old, {"state"}) == use.verdict.state &&
                        TextAt(old, {"health"}) == use.verdict.health;
      if (same && !TextAt(old, {"since"}).empty()) since = TextAt(old, {"since"});
    }
    json entry = {{"name", use.vip},
                  {"state", use.verdict.state},
                  {"health", use.verdict.health},
                  {"since", since}};
    if (!use.verdict.reason.empty()) entry["reason"] = Clipped(use.verdict.reason, kReasonBytesMax);
    list.push_back(std::move(entry));
  }
  return list;
}

Condition Accepted(const Verdict& verdict) {
  return {"Accepted", verdict.accepted ? Truth::kTrue : Truth::kFalse, verdict.reason,
          verdict.message};
}

Condition ServerReady(const Verdict& verdict, const std::vector<ServerUse>& uses) {
  const auto serving = std::find_if(
      uses.begin(), uses.end(), [](const ServerUse& use) { return use.verdict.takes_new_clients; });
  if (serving != uses.end()) {
    return {"Ready", Truth::kTrue, "Serving",
            absl::StrCat("takes new clients of VIP ", serving->vip)};
  }
  if (!verdict.accepted) {
    return {"Ready", Truth::kFalse, "NotAccepted", "the object is not accepted"};
  }
  if (uses.empty()) return {"Ready", Truth::kFalse, "Unused", "no VIP uses the server"};
  const ServerUse& use = uses.front();
  const std::string reason = use.verdict.state != "Online"  ? use.verdict.state
                             : use.verdict.health == "Down" ? "Down"
                                                            : "NotServing";
  return {"Ready", Truth::kFalse, reason,
          absl::StrCat("takes no new clients of VIP ", use.vip, ": ", use.verdict.reason)};
}

}  // namespace

json BuildServerStatus(const json& object, const Verdict& verdict,
                       const std::vector<ServerUse>& uses, absl::Time now) {
  const json& present = At(object, {"status"});
  const int64_t generation = NumberAt(object, {"metadata", "generation"});
  const auto up = std::count_if(uses.begin(), uses.end(),
                                [](const ServerUse& use) { return use.verdict.health == "Up"; });
  const Condition resolved =
      uses.empty()
          ? Condition{"ResolvedRefs", Truth::kFalse, "NoVip",
                      absl::StrCat("no VIP of the namespace selects the server, or can use it; "
                                   "label it ",
                                   model::kVipLabel, ": VIP-NAME")}
          : Condition{"ResolvedRefs", Truth::kTrue, "ResolvedRefs",
                      absl::StrCat("VIP ", uses.front().vip, " uses the server")};
  return {{"observedGeneration", generation},
          {"summary", absl::StrCat(up, "/", uses.size())},
          {"vips", UsesToJson(uses, ListAt(present, {"vips"}), now)},
          {"conditions", ConditionsToJson({Accepted(verdict), resolved, ServerReady(verdict, uses)},
                                          generation, ListAt(present, {"conditions"}), now)}};
}

json BuildPoolStatus(const json& object, const Verdict& verdict, const std::optional<PoolUse>& use,
                     absl::Time now) {
  const int64_t generation = NumberAt(object, {"metadata", "generation"});
  json status = {{"observedGeneration", generation}};
  Condition ready = {"Ready", Truth::kFalse, "NotAccepted", "the pool is not accepted"};
  if (use.has_value()) {
    status["summary"] = absl::StrCat(use->given, "/", use->size);
    const bool left = use->given < use->size;
    ready = {"Ready", left ? Truth::kTrue : Truth::kFalse, left ? "AddressesLeft" : "Exhausted",
             left ? "there are addresses to give out"
                  : "every address is given out; add a range, or delete VIPs"};
  }
  status["conditions"] = ConditionsToJson({Accepted(verdict), ready}, generation,
                                          ListAt(object, {"status", "conditions"}), now);
  return status;
}

}  // namespace fairlead::cluster
