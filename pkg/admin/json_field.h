// Reading fields of a JSON answer without exceptions: what is absent or of another type is the
// fallback.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/time/time.h"

namespace fairlead::admin {

inline std::string TextOf(const nlohmann::json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

inline double RealOf(const nlohmann::json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

inline uint64_t CountOf(const nlohmann::json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (found == object.end() || !found->is_number_integer()) return 0;
  return found->is_number_unsigned() || found->get<int64_t>() >= 0 ? found->get<uint64_t>() : 0;
}

// Not known: null.
inline bool IsNull(const nlohmann::json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_null();
}

inline bool FlagOf(const nlohmann::json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

// An empty array when it is absent.
inline const nlohmann::json& ListOf(const nlohmann::json& object, const char* name) {
  static const nlohmann::json kEmpty = nlohmann::json::array();
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_array() ? *found : kEmpty;
}

// An empty object when it is absent.
inline const nlohmann::json& ObjectOf(const nlohmann::json& object, const char* name) {
  static const nlohmann::json kEmpty = nlohmann::json::object();
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_object() ? *found : kEmpty;
}

// InfinitePast when there is none.
inline absl::Time TimeOf(const nlohmann::json& object, const char* name) {
  absl::Time time;
  std::string error;
  return absl::ParseTime(absl::RFC3339_full, TextOf(object, name), &time, &error)
             ? time
             : absl::InfinitePast();
}

}  // namespace fairlead::admin
