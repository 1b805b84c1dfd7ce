#include "pkg/cluster/json_access.h"

namespace fairlead::cluster {

using nlohmann::json;

const json& At(const json& object, std::initializer_list<const char*> path) {
  static const json& nothing = *new json();
  const json* value = &object;
  for (const char* field : path) {
    if (!value->is_object()) return nothing;
    const auto found = value->find(field);
    if (found == value->end()) return nothing;
    value = &*found;
  }
  return *value;
}

std::string TextAt(const json& object, std::initializer_list<const char*> path) {
  const json& value = At(object, path);
  return value.is_string() ? value.get<std::string>() : "";
}

int64_t NumberAt(const json& object, std::initializer_list<const char*> path) {
  const json& value = At(object, path);
  return value.is_number_integer() ? value.get<int64_t>() : 0;
}

bool BoolAt(const json& object, std::initializer_list<const char*> path, bool fallback) {
  const json& value = At(object, path);
  return value.is_boolean() ? value.get<bool>() : fallback;
}

absl::Time TimeAt(const json& object, std::initializer_list<const char*> path) {
  absl::Time time = absl::InfinitePast();
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, TextAt(object, path), &time, &error)) {
    return absl::InfinitePast();
  }
  return time;
}

const json& ListAt(const json& object, std::initializer_list<const char*> path) {
  static const json& nothing = *new json(json::array());
  const json& value = At(object, path);
  return value.is_array() ? value : nothing;
}

std::string Annotation(const json& object, const char* key) {
  return TextAt(object, {"metadata", "annotations", key});
}

std::string ApiTime(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%SZ", time, absl::UTCTimeZone());
}

std::string Clipped(const std::string& text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace fairlead::cluster
