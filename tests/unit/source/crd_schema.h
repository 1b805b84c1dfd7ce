// The schemas of crds/, and manifests that hold one field of them, for crd_test.cc.
#pragma once

#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "pkg/source/yaml_tree.h"
#include "tests/unit/source/source_testing.h"

namespace fairlead::source {

// Null when the mapping has no such key.
inline const YamlNode* Child(const YamlNode& mapping, absl::string_view key) {
  for (size_t i = 0; i < mapping.keys.size(); ++i) {
    if (mapping.keys[i].text == key) return &mapping.items[i];
  }
  return nullptr;
}

inline std::string TextAt(const YamlNode& mapping, absl::string_view key) {
  const YamlNode* child = Child(mapping, key);
  return child == nullptr ? "" : child->text;
}

inline std::vector<std::string> TextsOf(const YamlNode* sequence) {
  std::vector<std::string> texts;
  if (sequence == nullptr) return texts;
  for (const YamlNode& item : sequence->items) texts.push_back(item.text);
  return texts;
}

// One field of the schema. `path` as in findings: "spec.realServers.list[0].weight".
struct SchemaField {
  std::string kind;
  std::string parent;
  std::string name;
  const YamlNode* schema;

  std::string path() const { return absl::StrCat(parent, ".", name); }
};

// Calls `visit` for each field below an object, those of objects in lists included.
inline void Visit(const std::string& kind, const std::string& path, const YamlNode& object,
                  const std::function<void(const SchemaField&)>& visit) {
  const YamlNode* properties = Child(object, "properties");
  if (properties == nullptr) return;
  for (size_t i = 0; i < properties->keys.size(); ++i) {
    const SchemaField field{kind, path, properties->keys[i].text, &properties->items[i]};
    visit(field);
    const YamlNode* items = Child(*field.schema, "items");
    Visit(kind, items == nullptr ? field.path() : field.path() + "[0]",
          items == nullptr ? *field.schema : *items, visit);
  }
}

// The other fields that an object needs so that its field `child` is allowed there.
inline std::map<std::string, std::string> Siblings(const std::string& kind, const std::string& path,
                                                   absl::string_view child) {
  if (path == "spec") {
    if (kind == "VIP" && child == "addressPoolRef") return {{"ports", "80"}};
    if (kind == "VIP") return {{"addresses", "[10.0.0.1]"}, {"ports", "80"}};
    if (kind == "RealServer") return {{"address", "10.0.0.2"}};
    return {{"ranges", "[10.0.0.1]"}};
  }
  if (path == "spec.healthCheck" && child == "http") return {{"type", "HTTP"}};
  if (path == "spec.healthCheck" && child == "sendExpect") return {{"type", "SendExpect"}};
  if (path == "spec.healthCheck.sendExpect") return {{"expect", "a"}};
  if (path == "spec.fallback" && child != "action") {
    return {{"action", "Server"}, {"address", "10.0.0.9"}};
  }
  if (path == "spec.source" && child == "address") return {{"type", "Address"}};
  if (path == "spec.realServers.service") return {{"name", "a"}};
  if (path == "spec.realServers.selector") return {{"matchLabels", "{a: b}"}};
  if (path == "spec.realServers.list[0]") return {{"name", "a"}, {"address", "10.0.0.2"}};
  return {};
}

// A manifest with `value` as the field, and what it needs around it. Without a value only the
// latter.
inline std::string ManifestWith(const SchemaField& field, std::optional<std::string> value) {
  std::string path = field.parent;
  std::string child = field.name;
  while (true) {
    std::string object;
    for (const auto& [sibling, text] : Siblings(field.kind, path, child)) {
      if (sibling != child) absl::StrAppend(&object, sibling, ": ", text, ", ");
    }
    if (value.has_value()) absl::StrAppend(&object, child, ": ", *value);
    const bool in_list = absl::EndsWith(path, "[0]");
    value = in_list ? absl::StrCat("[{", object, "}]") : absl::StrCat("{", object, "}");
    if (path == "spec") break;
    const std::string named(absl::StripSuffix(path, "[0]"));
    const size_t dot = named.rfind('.');
    child = named.substr(dot + 1);
    path = named.substr(0, dot);
  }
  return absl::StrCat(Header(field.kind, "a"), "spec: ", *value, "\n");
}

inline DecodeResult DecodeWith(const SchemaField& field, std::optional<std::string> value) {
  return DecodeManifests(ManifestWith(field, std::move(value)), "t.yaml", nullptr,
                         Origin::kCluster);
}

// The errors about this field, and about what is in it.
inline std::vector<std::string> ErrorsAt(const DecodeResult& result, const std::string& path) {
  std::vector<std::string> errors;
  for (const model::Finding& finding : result.findings) {
    const bool is_in = finding.field == path || absl::StartsWith(finding.field, path + ".") ||
                       absl::StartsWith(finding.field, path + "[");
    if (is_in && finding.severity == model::Severity::kError) errors.push_back(finding.message);
  }
  return errors;
}

// The parsed crds/*.yaml, by kind.
class CrdSchemas {
 public:
  CrdSchemas(const std::string& folder, const std::vector<std::string>& plurals) {
    for (const std::string& plural : plurals) {
      std::ifstream file(absl::StrCat(folder, "/", plural, ".yaml"), std::ios::binary);
      std::stringstream text;
      text << file.rdbuf();
      const std::string owned = text.str();
      YamlDocument document = ParseYamlDocument({owned, 1});
      EXPECT_FALSE(document.problem.has_value()) << plural << ": " << document.problem->message;
      EXPECT_EQ(document.roots.size(), 1u) << plural;
      roots_.push_back(std::move(document.roots.at(0)));
    }
  }

  // Calls `visit` for each field below `section` ("spec" or "status") of each kind.
  void VisitAll(const std::string& section,
                const std::function<void(const SchemaField&)>& visit) const {
    for (const YamlNode& root : roots_) {
      const YamlNode& spec = *Child(root, "spec");
      const YamlNode& version = Child(spec, "versions")->items.at(0);
      const YamlNode& schema = *Child(*Child(version, "schema"), "openAPIV3Schema");
      Visit(Child(*Child(spec, "names"), "kind")->text, section,
            *Child(*Child(schema, "properties"), section), visit);
    }
  }

 private:
  std::vector<YamlNode> roots_;
};

}  // namespace fairlead::source
