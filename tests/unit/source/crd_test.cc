// The CRDs of crds/ say what the decoder says: the same fields, words, bounds and defaults.
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "pkg/model/presets.h"
#include "tests/unit/source/crd_schema.h"

namespace fairlead::source {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAreArray;

const CrdSchemas& Schemas() {
  static const auto& schemas = *new CrdSchemas(absl::StrCat(FAIRLEAD_SOURCE_DIR, "/crds"),
                                               {"vips", "realservers", "addresspools"});
  return schemas;
}

void VisitSpecs(const std::function<void(const SchemaField&)>& visit) {
  Schemas().VisitAll("spec", visit);
}

// What follows `marker` in the one error at the field, as a list.
std::vector<std::string> ListedAfter(const std::string& marker, const SchemaField& field,
                                     const std::string& value) {
  const std::vector<std::string> errors = ErrorsAt(DecodeWith(field, value), field.path());
  if (errors.size() != 1 || !absl::StrContains(errors[0], marker)) {
    ADD_FAILURE() << field.path() << ": " << absl::StrJoin(errors, "\n");
    return {};
  }
  return absl::StrSplit(errors[0].substr(errors[0].find(marker) + marker.size()), ", ");
}

TEST(CrdTest, TheDecoderKnowsTheSameFields) {
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> fields_of;
  VisitSpecs([&](const SchemaField& field) {
    fields_of[{field.kind, field.parent}].push_back(field.name);
  });
  // The decoder knows it to say that matchLabels will do.
  fields_of.at({"VIP", "spec.realServers.selector"}).push_back("matchExpressions");
  EXPECT_GE(fields_of.size(), 14u);
  for (const auto& [place, names] : fields_of) {
    const SchemaField unknown{place.first, place.second, "zzzzzzzz", nullptr};
    EXPECT_THAT(ListedAfter("unknown field; there are ", unknown, "0"),
                UnorderedElementsAreArray(names))
        << place.first << " " << place.second;
  }
}

TEST(CrdTest, TheDecoderKnowsTheSameWords) {
  int fields_count = 0;
  VisitSpecs([&](const SchemaField& field) {
    const YamlNode* words = Child(*field.schema, "enum");
    if (words == nullptr) return;
    ++fields_count;
    EXPECT_THAT(ListedAfter("must be one of ", field, "zzzzzzzz"),
                UnorderedElementsAreArray(TextsOf(words)))
        << field.path();
  });
  EXPECT_GE(fields_count, 12);
}

TEST(CrdTest, ThereAreTheSamePresets) {
  std::vector<std::string> slugs;
  for (const model::Preset& preset : model::AllPresets()) {
    slugs.emplace_back(preset.slug);
    // A rule of vips.yaml knows which presets name a port to check.
    EXPECT_EQ(preset.health_check_port != 0, preset.slug == "konica-minolta") << preset.slug;
  }
  VisitSpecs([&](const SchemaField& field) {
    if (field.path() != "spec.presets") return;
    EXPECT_EQ(TextsOf(Child(*Child(*field.schema, "items"), "enum")), slugs);
  });
}

// A value `steps` beyond a bound of the schema.
std::string Beyond(const SchemaField& field, const std::string& bound, int steps) {
  double value = 0;
  EXPECT_TRUE(absl::SimpleAtod(bound, &value)) << field.path();
  return TextAt(*field.schema, "type") == "number" ? absl::StrFormat("%.3f", value + steps * 0.001)
                                                   : absl::StrFormat("%.0f", value + steps);
}

TEST(CrdTest, NumbersHaveTheSameBounds) {
  int fields_count = 0;
  VisitSpecs([&](const SchemaField& field) {
    const std::string minimum = TextAt(*field.schema, "minimum");
    const std::string maximum = TextAt(*field.schema, "maximum");
    const std::string type = TextAt(*field.schema, "type");
    EXPECT_EQ(!minimum.empty(), !maximum.empty()) << field.path();
    if (minimum.empty()) {
      EXPECT_TRUE(type != "integer" && type != "number") << field.path();
      return;
    }
    ++fields_count;
    for (const std::string& good : {minimum, maximum}) {
      EXPECT_THAT(ErrorsAt(DecodeWith(field, good), field.path()), IsEmpty())
          << field.path() << ": " << good;
    }
    for (const std::string& bad : {Beyond(field, minimum, -1), Beyond(field, maximum, 1)}) {
      EXPECT_THAT(ErrorsAt(DecodeWith(field, bad), field.path()), Not(IsEmpty()))
          << field.path() << ": " << bad;
    }
  });
  EXPECT_GE(fields_count, 24);
}

std::string Repeat(size_t count, const std::function<std::string(size_t)>& item) {
  std::vector<std::string> items;
  for (size_t i = 0; i < count; ++i) items.push_back(item(i));
  return absl::StrCat("[", absl::StrJoin(items, ", "), "]");
}

// A value of `size` items or bytes for a field; nothing for those whose size is no matter of the
// decoder: what the values can be bounds them (addresses, words), or the API alone does, as
// crds/README.md says.
std::optional<std::string> ValueOfSize(const std::string& path, size_t size) {
  const auto address = [](size_t i) { return absl::StrCat("10.0.", i / 200, ".", i % 200 + 1); };
  if (path == "spec.addresses" || path == "spec.ranges") return Repeat(size, address);
  if (path == "spec.presets") return Repeat(size, [](size_t) { return "hp"; });
  if (path == "spec.namespaces") {
    return Repeat(size, [](size_t i) { return absl::StrCat("n", i); });
  }
  if (path == "spec.healthCheck.http.path") return "/" + std::string(size - 1, 'a');
  for (const char* text : {"spec.healthCheck.http.host", "spec.healthCheck.sendExpect.send",
                           "spec.healthCheck.sendExpect.expect", "spec.realServers.list[0].name",
                           "spec.realServers.service.name", "spec.realServers.service.port",
                           "spec.addressPoolRef.name"}) {
    if (path == text) return std::string(size, 'a');
  }
  return std::nullopt;
}

TEST(CrdTest, ListsAndTextsHaveTheSameBounds) {
  std::set<std::string> elsewhere;
  VisitSpecs([&](const SchemaField& field) {
    const std::string path = field.path();
    for (const char* bound : {"maxItems", "maxLength", "maxProperties"}) {
      size_t size = 0;
      if (!absl::SimpleAtoi(TextAt(*field.schema, bound), &size)) continue;
      const std::optional<std::string> good = ValueOfSize(path, size);
      if (!good.has_value()) {
        elsewhere.insert(path);
        continue;
      }
      EXPECT_THAT(ErrorsAt(DecodeWith(field, good), path), IsEmpty()) << path << ": " << size;
      EXPECT_THAT(ErrorsAt(DecodeWith(field, ValueOfSize(path, size + 1)), path), Not(IsEmpty()))
          << path << ": " << size + 1;
    }
  });
  EXPECT_THAT(
      elsewhere,
      UnorderedElementsAreArray(
          {"spec.address", "spec.realServers.list[0].address", "spec.fallback.address",
           "spec.source.address", "spec.healthCheck.port", "spec.healthCheck.http.expectedStatuses",
           "spec.advertise.interface",
           // The API alone has these bounds.
           "spec.ports", "spec.realServers.list", "spec.realServers.selector.matchLabels"}));
}

// The YAML text of a default.
std::string ValueText(const YamlNode& node) {
  if (node.kind == YamlNode::Kind::kSequence) return "[]";
  if (node.kind == YamlNode::Kind::kScalar) {
    return node.plain ? node.text : absl::StrCat("\"", node.text, "\"");
  }
  std::vector<std::string> fields;
  for (size_t i = 0; i < node.keys.size(); ++i) {
    fields.push_back(absl::StrCat(node.keys[i].text, ": ", ValueText(node.items[i])));
  }
  return absl::StrCat("{", absl::StrJoin(fields, ", "), "}");
}

TEST(CrdTest, DefaultsMeanTheSameAsNothing) {
  int fields_count = 0;
  VisitSpecs([&](const SchemaField& field) {
    const YamlNode* value = Child(*field.schema, "default");
    if (value == nullptr) return;
    ++fields_count;
    const DecodeResult without = DecodeWith(field, std::nullopt);
    const DecodeResult with = DecodeWith(field, ValueText(*value));
    EXPECT_EQ(with.vips.size() + with.real_servers.size() + with.address_pools.size(), 1u)
        << field.path();
    EXPECT_EQ(with.vips, without.vips) << field.path();
    EXPECT_EQ(with.real_servers, without.real_servers) << field.path();
    EXPECT_EQ(with.address_pools, without.address_pools) << field.path();
  });
  EXPECT_GE(fields_count, 40);
}

TEST(CrdTest, TheDefaultOfAnObjectIsThatOfItsFields) {
  // An object whose default is {} would get no defaults of its fields before the rules read them.
  VisitSpecs([](const SchemaField& field) {
    const YamlNode* value = Child(*field.schema, "default");
    if (value == nullptr || value->kind != YamlNode::Kind::kMapping) return;
    std::map<std::string, std::string> spelt_out;
    for (size_t i = 0; i < value->keys.size(); ++i) {
      spelt_out[value->keys[i].text] = value->items[i].text;
    }
    std::map<std::string, std::string> of_fields;
    const YamlNode& properties = *Child(*field.schema, "properties");
    for (size_t i = 0; i < properties.keys.size(); ++i) {
      const YamlNode* nested = Child(properties.items[i], "default");
      if (nested != nullptr) of_fields[properties.keys[i].text] = nested->text;
    }
    EXPECT_EQ(spelt_out, of_fields) << field.path();
  });
}

// The API server estimates what a rule may cost by the bounds of what it reads.
bool IsBounded(const YamlNode& schema) {
  const std::string type = TextAt(schema, "type");
  if (type == "array") {
    return Child(schema, "maxItems") != nullptr && IsBounded(*Child(schema, "items"));
  }
  if (type == "object" && Child(schema, "additionalProperties") != nullptr) {
    return Child(schema, "maxProperties") != nullptr &&
           IsBounded(*Child(schema, "additionalProperties"));
  }
  if (type == "string" || type.empty()) {
    return Child(schema, "maxLength") != nullptr || Child(schema, "enum") != nullptr ||
           TextAt(schema, "format") == "date-time";
  }
  return true;
}

TEST(CrdTest, EveryFieldIsDescribedAndBounded) {
  for (const char* section : {"spec", "status"}) {
    Schemas().VisitAll(section, [](const SchemaField& field) {
      EXPECT_TRUE(IsBounded(*field.schema)) << field.kind << " " << field.path();
      const std::string description = TextAt(*field.schema, "description");
      EXPECT_TRUE(absl::EndsWith(description, ".")) << field.path() << ": " << description;
    });
  }
}

}  // namespace
}  // namespace fairlead::source
