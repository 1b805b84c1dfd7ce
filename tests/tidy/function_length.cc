#include "tests/tidy/function_length.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace fairlead::tidy {
namespace {

// What an opening brace opened.
enum class Block { kScope, kFunction, kOther };

bool HasWord(absl::string_view text, absl::string_view word) {
  for (absl::string_view part : absl::StrSplit(text, absl::ByAnyChar(" \t<>(){}:,;&*"))) {
    if (part == word) return true;
  }
  return false;
}

// `head` is the text between the previous ';', '{' or '}' and the brace.
Block KindOf(absl::string_view head) {
  if (const size_t at = head.find("alignas("); at != absl::string_view::npos) {
    head = head.substr(std::min(head.find(')', at), head.size() - 1) + 1);  // class alignas(64) X
    return KindOf(absl::StrCat("class ", head));
  }
  const absl::string_view before_parameters = head.substr(0, head.find('('));
  for (const char* word : {"namespace", "class", "struct", "union"}) {
    if (HasWord(before_parameters, word) && !absl::StrContains(head, ')')) return Block::kScope;
  }
  if (absl::StrContains(before_parameters, '=') &&
      !absl::StrContains(before_parameters, "operator")) {
    return Block::kOther;
  }
  return absl::StrContains(head, '(') ? Block::kFunction : Block::kOther;
}

class Finder {
 public:
  void Take(char letter, size_t line) {
    if (letter == '{') {
      Open();
    } else if (letter == '}') {
      Close(line);
    } else if (letter == ';') {
      Forget();
    } else {
      if (head_.empty() && letter == ' ') return;
      if (head_.empty()) head_line_ = line;
      head_ += letter;
    }
  }

  std::vector<FunctionSpan> Finish() { return std::move(functions_); }

 private:
  void Open() {
    const bool in_scope =
        std::all_of(open_.begin(), open_.end(), [](Block b) { return b == Block::kScope; });
    const Block kind = in_scope ? KindOf(head_) : Block::kOther;
    if (kind == Block::kFunction) {
      const absl::string_view name = absl::string_view(head_).substr(0, head_.find('('));
      functions_.push_back({std::string(absl::StripAsciiWhitespace(name)), head_line_, 0});
    }
    open_.push_back(kind);
    Forget();
  }

  void Close(size_t line) {
    if (!open_.empty()) {
      if (open_.back() == Block::kFunction) functions_.back().last_line = line;
      open_.pop_back();
    }
    Forget();
  }

  void Forget() { head_.clear(); }

  std::vector<Block> open_;
  std::string head_;
  size_t head_line_ = 0;
  std::vector<FunctionSpan> functions_;
};

}  // namespace

std::vector<FunctionSpan> FindFunctions(const std::vector<std::string>& code) {
  Finder finder;
  bool in_directive = false;
  for (size_t index = 0; index < code.size(); ++index) {
    const std::string& line = code[index];
    const bool directive = in_directive || absl::StartsWith(line, "#");
    in_directive = directive && absl::EndsWith(line, "\\");
    if (directive) continue;
    for (const char letter : line) finder.Take(letter, index + 1);
    finder.Take(' ', index + 1);
  }
  return finder.Finish();
}

}  // namespace fairlead::tidy
