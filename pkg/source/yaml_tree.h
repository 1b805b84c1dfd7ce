// YAML text as a tree of plain values with the place of each. The one door to yaml-cpp: its types
// and its exceptions stop in yaml_tree.cc.
//
// Bounded for hostile input: aliases are refused (no "billion laughs"), nesting and the number of
// values have a maximum, so that neither stack nor memory grows beyond the size of the text.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fairlead::source {

inline constexpr int kYamlDepthMax = 32;
// 10,000 real servers with every field are about 250,000 values.
inline constexpr size_t kYamlNodesMax = 1'000'000;

struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMapping };

  Kind kind = Kind::kNull;
  // kScalar: not quoted and not a block, so that it may be a number or a boolean.
  bool plain = false;
  int line = 0;  // from 1
  int column = 0;
  std::string text;  // kScalar
  // kSequence: the items. kMapping: the value of keys[i] is items[i]; in the order of the text,
  // duplicates included.
  std::vector<YamlNode> keys;
  std::vector<YamlNode> items;
};

struct YamlProblem {
  int line = 0;
  int column = 0;
  std::string message;
};

// One document of a stream, as text.
struct YamlChunk {
  absl::string_view text;  // borrowed from the stream
  int first_line = 1;      // of `text` in the stream
};

// Splits a stream at its document markers ("---", "..." at the start of a line, YAML 1.2 §9.1.2:
// no content can hold such a line). So a syntax error in one document loses no other.
std::vector<YamlChunk> SplitYamlDocuments(absl::string_view text);

struct YamlDocument {
  std::vector<YamlNode> roots;         // none for an empty document
  std::optional<YamlProblem> problem;  // `roots` holds what came before it
};

YamlDocument ParseYamlDocument(const YamlChunk& chunk);

}  // namespace fairlead::source
