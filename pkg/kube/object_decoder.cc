#include "pkg/kube/object_decoder.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pkg/model/suggestion.h"

namespace fairlead::kube {
namespace {

using Json = nlohmann::json;

Json Parse(absl::string_view text) {
  return Json::parse(text.begin(), text.end(), /*cb=*/nullptr, /*allow_exceptions=*/false);
}

// A member of an object; nullptr when there is none, or `object` is none.
const Json* Find(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::string Text(const Json* object, const char* name) {
  const Json* member = object == nullptr ? nullptr : Find(*object, name);
  return member != nullptr && member->is_string() ? member->get<std::string>() : "";
}

int64_t Number(const Json* object, const char* name) {
  const Json* member = object == nullptr ? nullptr : Find(*object, name);
  return member != nullptr && member->is_number_integer() ? member->get<int64_t>() : 0;
}

absl::Status Malformed(absl::string_view what, absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat(what, ", but ", model::Quoted(text.substr(0, 64))));
}

ApiStatus ToStatus(const Json& json) {
  ApiStatus status;
  if (Text(&json, "kind") != "Status") return status;
  status.code = static_cast<int>(Number(&json, "code"));
  status.reason = Text(&json, "reason");
  status.message = Text(&json, "message");
  status.version_too_large = absl::StrContains(status.message, "Too large resource version");
  const Json* details = Find(json, "details");
  const Json* causes = details == nullptr ? nullptr : Find(*details, "causes");
  if (causes == nullptr || !causes->is_array()) return status;
  for (const Json& cause : *causes) {
    if (Text(&cause, "reason") == "ResourceVersionTooLarge") status.version_too_large = true;
  }
  return status;
}

// nullptr: it has no name or no version. Objects within a list of a built-in type come without
// their type; it is put in, so that all look alike.
KubeObjectPtr ToObject(Json json, const Resource& resource) {
  const Json* metadata = Find(json, "metadata");
  auto object = std::make_shared<KubeObject>();
  object->name = Text(metadata, "name");
  object->resource_version = Text(metadata, "resourceVersion");
  if (object->name.empty() || object->resource_version.empty()) return nullptr;
  object->name_space = Text(metadata, "namespace");
  object->uid = Text(metadata, "uid");
  object->generation = Number(metadata, "generation");
  json["metadata"].erase("managedFields");
  if (Text(&json, "kind").empty()) json["kind"] = std::string(resource.kind);
  if (Text(&json, "apiVersion").empty()) json["apiVersion"] = resource.ApiVersion();
  object->json = std::move(json);
  return object;
}

bool EndsInitialEvents(const Json& bookmark) {
  const Json* metadata = Find(bookmark, "metadata");
  const Json* annotations = metadata == nullptr ? nullptr : Find(*metadata, "annotations");
  return Text(annotations, "k8s.io/initial-events-end") == "true";
}

}  // namespace

ApiStatus DecodeStatus(absl::string_view body) { return ToStatus(Parse(body)); }

absl::StatusOr<ObjectList> DecodeList(absl::string_view body, const Resource& resource) {
  Json json = Parse(body);
  const Json* metadata = Find(json, "metadata");
  ObjectList list;
  list.resource_version = Text(metadata, "resourceVersion");
  list.continue_token = Text(metadata, "continue");
  const Json* items = Find(json, "items");
  // `null` is how Go writes an empty list of some types.
  if (list.resource_version.empty() || items == nullptr ||
      !(items->is_array() || items->is_null())) {
    return Malformed(absl::StrCat("the answer is no list of ", resource.plural), body);
  }
  if (items->is_null()) return list;
  list.objects.reserve(items->size());
  for (Json& item : json["items"]) {
    KubeObjectPtr object = ToObject(std::move(item), resource);
    if (object == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("the list of ", resource.plural, " has an object without name or version"));
    }
    list.objects.push_back(std::move(object));
  }
  return list;
}

absl::StatusOr<WatchEvent> DecodeEvent(absl::string_view line, const Resource& resource) {
  Json json = Parse(line);
  const std::string type = Text(&json, "type");
  const Json* sent = Find(json, "object");
  if (sent == nullptr || !sent->is_object()) {
    return Malformed("a line of the watch is no event", line);
  }
  WatchEvent event;
  if (type == "ERROR") {
    event.type = WatchEvent::Type::kError;
    event.status = ToStatus(*sent);
    return event;
  }
  if (type == "BOOKMARK") {
    event.type = WatchEvent::Type::kBookmark;
    event.resource_version = Text(Find(*sent, "metadata"), "resourceVersion");
    event.ends_initial_events = EndsInitialEvents(*sent);
    if (event.resource_version.empty()) return Malformed("a bookmark has no version", line);
    return event;
  }
  if (type == "ADDED" || type == "MODIFIED") {
    event.type = WatchEvent::Type::kUpsert;
  } else if (type == "DELETED") {
    event.type = WatchEvent::Type::kDelete;
  } else {
    return Malformed("an event has an unknown type", line);
  }
  event.object = ToObject(std::move(json["object"]), resource);
  if (event.object == nullptr) return Malformed("an event's object lacks name or version", line);
  event.resource_version = event.object->resource_version;
  return event;
}

}  // namespace fairlead::kube
