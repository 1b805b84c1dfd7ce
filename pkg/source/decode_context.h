// What the decoders of one object share: where they are, what they found, and how they read the
// fields of a mapping. Used on one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "pkg/model/limits.h"
#include "pkg/model/object.h"
#include "pkg/model/vip.h"
#include "pkg/net/ip_address.h"
#include "pkg/source/yaml_tree.h"

namespace fairlead::source {

// After so many errors of one object further ones are not told.
inline constexpr size_t kFindingsPerObjectMax = 100;

// Of the path of a field in a finding, which may hold the user's own words.
inline constexpr size_t kFieldBytesMax = 256;

class DecodeContext {
 public:
  // `object` as in model::Finding, printable already. `file` is borrowed.
  DecodeContext(const std::string& file, std::string object)
      : file_(file), object_(std::move(object)) {}

  // `field` may hold the user's own words (label keys): it is made printable.
  void Error(const YamlNode& at, std::string field, std::string message);

  model::SourceLocation LocationOf(const YamlNode& node) const {
    return {file_, node.line, node.column};
  }
  const std::string& object() const { return object_; }
  const std::vector<model::Finding>& findings() const { return findings_; }
  std::vector<model::Finding> TakeFindings() { return std::move(findings_); }

 private:
  const std::string& file_;
  const std::string object_;
  std::vector<model::Finding> findings_;
};

// "a list", "a mapping", "a string", "a number", "nothing": what a value is, for messages.
std::string DescribeKind(const YamlNode& node);

// The value of a scalar, or nothing and the problem. A quoted number is a string, and an unquoted
// word that YAML takes for something else (80, yes, 1.5) is no string: Kubernetes draws the same
// line.
std::optional<int64_t> ToInteger(const YamlNode& node, std::string* problem);
std::optional<double> ToNumber(const YamlNode& node, std::string* problem);
std::optional<bool> ToBool(const YamlNode& node, std::string* problem);
std::optional<absl::string_view> ToString(const YamlNode& node, std::string* problem);
std::optional<net::IpAddress> ToAddress(const YamlNode& node, std::string* problem);

template <typename T>
struct NamedValue {
  absl::string_view name;
  T value;
};

// Reads one mapping. Every Read leaves `*out` alone and returns false when the field is absent,
// null or wrong; what is wrong is told to the context.
class MapReader {
 public:
  // `fields` are the known ones; unknown and duplicate fields are errors. `node` and `fields` are
  // borrowed. A null node is an empty mapping.
  MapReader(DecodeContext& context, const YamlNode& node, std::string path,
            absl::Span<const absl::string_view> fields);

  // Null when the field is absent or null.
  const YamlNode* Find(absl::string_view field) const;
  // "spec.ports" for field "ports" of the mapping at "spec".
  std::string PathOf(absl::string_view field) const;
  void Error(absl::string_view field, std::string message) const;
  // An error that names the field as not supported yet, when it is there.
  void RefuseUnsupported(absl::string_view field, absl::string_view what) const;

  bool ReadString(absl::string_view field, std::string* out) const;
  bool ReadBool(absl::string_view field, bool* out) const;
  bool ReadSeconds(absl::string_view field, const model::Limits<absl::Duration>& limits,
                   absl::Duration* out) const;
  bool ReadAddress(absl::string_view field, net::IpAddress* out) const;
  // The address of a real server, which may be a host name.
  bool ReadServerAddress(absl::string_view field, model::ServerSpec* out) const;
  // T is wide enough for the limits.
  template <typename T>
  bool ReadInteger(absl::string_view field, const model::Limits<int64_t>& limits, T* out) const {
    const std::optional<int64_t> value = IntegerWithin(field, limits);
    if (value.has_value()) *out = static_cast<T>(*value);
    return value.has_value();
  }
  template <typename T>
  bool ReadEnum(absl::string_view field, absl::Span<const NamedValue<T>> values, T* out) const {
    std::vector<absl::string_view> names;
    for (const NamedValue<T>& value : values) names.push_back(value.name);
    const std::optional<size_t> index = IndexOfWord(field, names);
    if (index.has_value()) *out = values[*index].value;
    return index.has_value();
  }

  DecodeContext& context() const { return context_; }
  const YamlNode& node() const { return node_; }

 private:
  void CheckFields(absl::Span<const absl::string_view> fields) const;
  std::optional<int64_t> IntegerWithin(absl::string_view field,
                                       const model::Limits<int64_t>& limits) const;
  std::optional<size_t> IndexOfWord(absl::string_view field,
                                    absl::Span<const absl::string_view> words) const;

  DecodeContext& context_;
  const YamlNode& node_;
  const std::string path_;
};

}  // namespace fairlead::source
