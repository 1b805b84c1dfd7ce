// Reads API objects whose shape nobody promises: what is missing or of another type is null, "" or
// 0.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/time/time.h"

namespace fairlead::cluster {

// The value at object[path[0]][path[1]]...; null when there is none. Borrowed.
const nlohmann::json& At(const nlohmann::json& object, std::initializer_list<const char*> path);
std::string TextAt(const nlohmann::json& object, std::initializer_list<const char*> path);
int64_t NumberAt(const nlohmann::json& object, std::initializer_list<const char*> path);
bool BoolAt(const nlohmann::json& object, std::initializer_list<const char*> path,
            bool fallback = false);
// Of a metav1.Time, "2026-01-02T03:04:05Z"; the past when it is none.
absl::Time TimeAt(const nlohmann::json& object, std::initializer_list<const char*> path);
// The items of a list; none when it is none.
const nlohmann::json& ListAt(const nlohmann::json& object, std::initializer_list<const char*> path);

// metadata.annotations[key]; "" when there is none.
std::string Annotation(const nlohmann::json& object, const char* key);
// A metav1.Time, to the second.
std::string ApiTime(absl::Time time);
// At most `bytes_max` bytes, cut between letters (UTF-8).
std::string Clipped(const std::string& text, size_t bytes_max);

}  // namespace fairlead::cluster
