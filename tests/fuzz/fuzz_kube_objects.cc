// Bytes of an API server: a line of a watch, a list, a Status.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "pkg/kube/object_decoder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using fairlead::kube::WatchEvent;
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto event = fairlead::kube::DecodeEvent(bytes, fairlead::kube::kVips);
  if (event.ok()) {
    const bool has_object =
        event->type == WatchEvent::Type::kUpsert || event->type == WatchEvent::Type::kDelete;
    if (has_object != (event->object != nullptr)) std::abort();
    // What is followed has a name and a version, or the next watch would have no beginning.
    if (event->type != WatchEvent::Type::kError && event->resource_version.empty()) std::abort();
    if (has_object && event->object->name.empty()) std::abort();
  }
  const auto list = fairlead::kube::DecodeList(bytes, fairlead::kube::kVips);
  if (list.ok()) {
    if (list->resource_version.empty()) std::abort();
    for (const auto& object : list->objects) {
      if (object->name.empty() || !object->json.is_object()) std::abort();
      if (object->json["metadata"].contains("managedFields")) std::abort();
    }
  }
  (void)fairlead::kube::DecodeStatus(bytes);
  return 0;
}
