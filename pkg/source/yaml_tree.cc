#include "pkg/source/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <exception>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "pkg/model/suggestion.h"

namespace fairlead::source {
namespace {

// Thrown by TreeBuilder through yaml-cpp, caught in ParseYamlDocument.
struct Refusal {
  YAML::Mark mark;
  std::string message;
};

constexpr size_t kMessageBytesMax = 256;
constexpr absl::string_view kStringTag = "tag:yaml.org,2002:str";

// Builds the tree from the parser's events.
class TreeBuilder final : public YAML::EventHandler {
 public:
  // Each value takes a byte of the text at least, and its key or separator another one. yaml-cpp
  // 0.7.0 reports nulls without end for some brackets that do not match.
  explicit TreeBuilder(const YamlChunk& chunk)
      : first_line_(chunk.first_line), nodes_possible_(2 * chunk.text.size() + 2) {}

  std::vector<YamlNode> TakeRoots() { return std::move(roots_); }

  void OnDocumentStart(const YAML::Mark&) override { open_.clear(); }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    Add(MakeNode(YamlNode::Kind::kNull, mark));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refusal{mark, "YAML aliases (*name) are not allowed here; write the value out"};
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    YamlNode node = MakeNode(YamlNode::Kind::kScalar, mark);
    node.plain = tag == "?" || tag.empty();
    if (!node.plain && tag != "!" && tag != kStringTag) RefuseTag(mark, tag);
    node.text = value;
    Add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    Open(YamlNode::Kind::kSequence, mark, tag);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    Open(YamlNode::Kind::kMapping, mark, tag);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapEnd() override { Close(); }

 private:
  [[noreturn]] static void RefuseTag(const YAML::Mark& mark, const std::string& tag) {
    throw Refusal{
        mark, absl::StrCat("the YAML tag ", model::Quoted(tag), " is not allowed here; remove it")};
  }

  YamlNode MakeNode(YamlNode::Kind kind, const YAML::Mark& mark) {
    if (++nodes_count_ > nodes_possible_) {
      throw Refusal{mark, "YAML syntax error: brackets that do not match"};
    }
    if (nodes_count_ > kYamlNodesMax) {
      throw Refusal{mark, absl::StrCat("more than ", kYamlNodesMax,
                                       " values in one document; split it into several")};
    }
    YamlNode node;
    node.kind = kind;
    node.line = first_line_ + mark.line;
    node.column = mark.column + 1;
    return node;
  }

  void Open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag) {
    if (tag != "?" && tag != "!" && !tag.empty()) RefuseTag(mark, tag);
    if (open_.size() >= kYamlDepthMax) {
      throw Refusal{mark, absl::StrCat("nested deeper than ", kYamlDepthMax, " levels")};
    }
    open_.push_back(MakeNode(kind, mark));
  }

  void Close() {
    YamlNode node = std::move(open_.back());
    open_.pop_back();
    Add(std::move(node));
  }

  // A mapping's events alternate: key, value, key, value.
  void Add(YamlNode node) {
    if (open_.empty()) {
      roots_.push_back(std::move(node));
      return;
    }
    YamlNode& parent = open_.back();
    const bool is_key =
        parent.kind == YamlNode::Kind::kMapping && parent.keys.size() == parent.items.size();
    (is_key ? parent.keys : parent.items).push_back(std::move(node));
  }

  const int first_line_;
  const size_t nodes_possible_;
  size_t nodes_count_ = 0;
  std::vector<YamlNode> open_;  // from the root to the innermost
  std::vector<YamlNode> roots_;
};

// "---" or "..." alone or followed by white space.
bool IsMarker(absl::string_view line, absl::string_view marker) {
  if (!absl::ConsumePrefix(&line, marker)) return false;
  return line.empty() || absl::ascii_isspace(line.front());
}

// A line that may stand before "---": blank, a comment or a directive.
bool IsPrologue(absl::string_view line) {
  const absl::string_view stripped = absl::StripAsciiWhitespace(line);
  return stripped.empty() || stripped.front() == '#' || line.front() == '%';
}

YamlProblem ProblemAt(const YamlChunk& chunk, const YAML::Mark& mark, std::string message) {
  const bool known = !mark.is_null();
  return {known ? chunk.first_line + mark.line : chunk.first_line, known ? mark.column + 1 : 1,
          std::move(message)};
}

}  // namespace

std::vector<YamlChunk> SplitYamlDocuments(absl::string_view text) {
  absl::ConsumePrefix(&text, "\xef\xbb\xbf");  // a byte order mark, as some editors write it
  std::vector<YamlChunk> chunks;
  size_t start = 0;
  int start_line = 1;
  bool has_content = false;
  const auto end_chunk = [&](size_t end, int next_line) {
    if (has_content) chunks.push_back({text.substr(start, end - start), start_line});
    start = end;
    start_line = next_line;
    has_content = false;
  };
  int line_number = 0;
  for (size_t line_start = 0; line_start < text.size();) {
    ++line_number;
    size_t line_end = text.find('\n', line_start);
    line_end = line_end == absl::string_view::npos ? text.size() : line_end + 1;
    const absl::string_view line = text.substr(line_start, line_end - line_start);
    if (IsMarker(line, "---")) {
      if (has_content) end_chunk(line_start, line_number);
      has_content = true;
    } else if (IsMarker(line, "...")) {
      end_chunk(line_end, line_number + 1);
    } else if (!IsPrologue(line)) {
      has_content = true;
    }
    line_start = line_end;
  }
  end_chunk(text.size(), line_number + 1);
  return chunks;
}

YamlDocument ParseYamlDocument(const YamlChunk& chunk) {
  YamlDocument document;
  TreeBuilder builder(chunk);
  try {
    std::istringstream stream{std::string(chunk.text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refusal& refusal) {
    document.problem = ProblemAt(chunk, refusal.mark, refusal.message);
  } catch (const YAML::Exception& error) {
    // The message may quote a character of the text as it is.
    document.problem = ProblemAt(
        chunk, error.mark,
        absl::StrCat("YAML syntax error: ", model::Printable(error.msg, kMessageBytesMax)));
  } catch (const std::exception& error) {
    document.problem =
        YamlProblem{chunk.first_line, 1, absl::StrCat("the YAML parser failed: ", error.what())};
  }
  document.roots = builder.TakeRoots();
  return document;
}

}  // namespace fairlead::source
