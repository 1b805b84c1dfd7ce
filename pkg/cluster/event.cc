#include "pkg/cluster/event.h"

#include "absl/strings/str_cat.h"
#include "pkg/cluster/json_access.h"
#include "pkg/kube/lease_record.h"

namespace fairlead::cluster {
namespace {

using nlohmann::json;

// Of the API server's validation.
constexpr size_t kNoteBytesMax = 1024;
constexpr size_t kInstanceBytesMax = 128;
constexpr size_t kNameBytesMax = 200;

}  // namespace

json RegardingOf(const kube::Resource& resource, const kube::KubeObject& object) {
  json regarding = {{"apiVersion", resource.ApiVersion()},
                    {"kind", resource.kind},
                    {"name", object.name},
                    {"uid", object.uid}};
  if (!object.name_space.empty()) regarding["namespace"] = object.name_space;
  return regarding;
}

kube::ApiRequest MakeEvent(const json& regarding, const EventText& text,
                           const std::string& identity, absl::Time now, uint64_t sequence) {
  // Events about cluster-wide objects are in "default".
  std::string name_space = TextAt(regarding, {"namespace"});
  if (name_space.empty()) name_space = "default";
  const std::string name =
      absl::StrCat(Clipped(TextAt(regarding, {"name"}), kNameBytesMax), ".",
                   absl::Hex(absl::ToUnixNanos(now)), "-", absl::Hex(sequence));
  const json event = {{"apiVersion", kube::kEvents.ApiVersion()},
                      {"kind", kube::kEvents.kind},
                      {"metadata", {{"name", name}, {"namespace", name_space}}},
                      {"eventTime", kube::MicroTime(now)},
                      {"reportingController", "lb.fairlead.dev/operator"},
                      {"reportingInstance", Clipped(identity, kInstanceBytesMax)},
                      {"action", "Reconcile"},
                      {"reason", text.reason},
                      {"regarding", regarding},
                      {"note", Clipped(text.note, kNoteBytesMax)},
                      {"type", text.warning ? "Warning" : "Normal"}};
  return {.method = "POST",
          .target = kube::kEvents.Path(name_space),
          .body = event.dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace),
          .timeout = absl::Seconds(5)};
}

}  // namespace fairlead::cluster
