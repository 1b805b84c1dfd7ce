#include "pkg/source/finding_location.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "pkg/model/suggestion.h"
#include "pkg/source/decode_context.h"

namespace fairlead::source {
namespace {

// Whether `path` goes on below `prefix`, or is it.
bool IsAtOrBelow(absl::string_view path, absl::string_view prefix) {
  if (!absl::ConsumePrefix(&path, prefix)) return false;
  return path.empty() || path.front() == '.' || path.front() == '[';
}

// One step into a sequence: consumes "[2]" from `path`. Null when there is no such item.
const YamlNode* StepIntoSequence(const YamlNode& node, absl::string_view* path) {
  const size_t close = path->find(']');
  size_t index = 0;
  if (path->front() != '[' || close == absl::string_view::npos ||
      !absl::SimpleAtoi(path->substr(1, close - 1), &index) || index >= node.items.size()) {
    return nullptr;
  }
  path->remove_prefix(close + 1);
  return &node.items[index];
}

// One step into a mapping: consumes the longest key that `path` starts with, as keys may hold dots.
const YamlNode* StepIntoMapping(const YamlNode& node, absl::string_view* path) {
  absl::ConsumePrefix(path, ".");
  size_t best = node.keys.size();
  for (size_t i = 0; i < node.keys.size(); ++i) {
    const std::string& key = node.keys[i].text;
    const bool longer = best == node.keys.size() || key.size() > node.keys[best].text.size();
    if (longer && IsAtOrBelow(*path, key)) best = i;
  }
  if (best == node.keys.size()) return nullptr;
  path->remove_prefix(node.keys[best].text.size());
  return &node.items[best];
}

}  // namespace

const YamlNode& NodeAt(const YamlNode& root, absl::string_view path) {
  const YamlNode* node = &root;
  while (!path.empty()) {
    const YamlNode* next = nullptr;
    if (node->kind == YamlNode::Kind::kSequence) next = StepIntoSequence(*node, &path);
    if (node->kind == YamlNode::Kind::kMapping) next = StepIntoMapping(*node, &path);
    if (next == nullptr) return *node;
    node = next;
  }
  return *node;
}

std::vector<model::Finding> MergeFindings(std::vector<model::Finding> decoded,
                                          std::vector<model::Finding> validated,
                                          const std::string& object, const YamlNode& root) {
  std::vector<model::Finding> merged = std::move(decoded);
  const size_t decoded_count = merged.size();
  for (model::Finding& finding : validated) {
    if (merged.size() > kFindingsPerObjectMax) break;
    const auto explains = [&finding](const model::Finding& cause) {
      return IsAtOrBelow(finding.field, cause.field) || IsAtOrBelow(cause.field, finding.field);
    };
    if (std::any_of(merged.begin(), merged.begin() + decoded_count, explains)) continue;
    const YamlNode& place = NodeAt(root, finding.field);
    finding.object = object;
    finding.field = model::Printable(finding.field, kFieldBytesMax);  // label keys are any text
    finding.location.line = place.line;
    finding.location.column = place.column;
    merged.push_back(std::move(finding));
  }
  return merged;
}

}  // namespace fairlead::source
