// What an API server sends, decoded: objects, lists, events of a watch, and its refusals. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pkg/kube/reflector.h"
#include "pkg/kube/resource.h"

namespace fairlead::kube {

// A metav1.Status, or nothing of one.
struct ApiStatus {
  int code = 0;
  std::string reason;   // "Expired"
  std::string message;  // as sent
  // The version that was asked for is none that the server has reached (504, or 410 of old ones).
  bool version_too_large = false;
};

// Any text; `kind: Status` with what it has, else all empty.
ApiStatus DecodeStatus(absl::string_view body);

struct ObjectList {
  std::vector<KubeObjectPtr> objects;
  std::string resource_version;  // not empty
  std::string continue_token;    // "" = this is the last page
};

// Error: InvalidArgument, why this is no list.
absl::StatusOr<ObjectList> DecodeList(absl::string_view body, const Resource& resource);

struct WatchEvent {
  enum class Type { kUpsert, kDelete, kBookmark, kError };
  Type type = Type::kError;
  KubeObjectPtr object;              // kUpsert, kDelete
  std::string resource_version;      // all but kError; not empty
  bool ends_initial_events = false;  // kBookmark
  ApiStatus status;                  // kError
};

// One line of a watch. Error: InvalidArgument, why this is no event.
absl::StatusOr<WatchEvent> DecodeEvent(absl::string_view line, const Resource& resource);

}  // namespace fairlead::kube
