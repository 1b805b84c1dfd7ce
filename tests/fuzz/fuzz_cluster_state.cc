// ClusterState over any JSON: objects as an API server might send them, and the text that another
// process kept. No crash; what is kept is read again and means the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/string_view.h"
#include "pkg/kube/cluster_object.h"
#include "pkg/kube/cluster_state.h"

namespace {

using fairlead::kube::ClusterState;
using fairlead::kube::ClusterStateOptions;
using fairlead::kube::KubeObject;
using fairlead::kube::Resource;
using fairlead::kube::StringAt;
using Json = nlohmann::json;

void Require(bool condition) {
  if (!condition) std::abort();
}

// Whatever it is, it is the object of this name.
void Upsert(const Resource& resource, Json json, ClusterState* state) {
  if (!json.is_object()) return;
  if (!json["metadata"].is_object()) json["metadata"] = Json::object();
  json["metadata"]["name"] = "a";
  json["metadata"]["namespace"] = "default";
  auto object = std::make_shared<KubeObject>();
  object->name_space = "default";
  object->name = "a";
  object->json = std::move(json);
  state->Upsert(resource, object);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fairlead;  // NOLINT(google-build-using-namespace): a program of one function
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const ClusterStateOptions options = {.modes = {model::Mode::kSnat}, .admin = {}};
  ClusterState kept(options);
  (void)kept.Restore(text, "o");
  (void)kept.Merge();

  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return 0;
  ClusterState state(options);
  for (const Resource* resource : {&kube::kVips, &kube::kRealServers, &kube::kEndpointSlices}) {
    Upsert(*resource, json, &state);
  }
  const auto merged = state.Merge();
  ClusterState next(options);
  Require(next.Restore(state.Encode("o"), "o").ok());
  const auto again = next.Merge();
  Require(again->vips == merged->vips && again->real_servers == merged->real_servers &&
          again->services == merged->services);
  return 0;
}
