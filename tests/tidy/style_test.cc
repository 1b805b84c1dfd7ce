// Rules of style that clang-format and clang-tidy do not know.

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/tidy/function_length.h"
#include "tests/tidy/source_tree.h"

namespace fairlead::tidy {
namespace {

constexpr size_t kFileLinesMax = 500;
constexpr size_t kFunctionLinesMax = 70;  // a screen
constexpr size_t kColumnsMax = 100;

// Letters of a line; UTF-8 continuation bytes do not count.
size_t Columns(const std::string& line) {
  size_t count = 0;
  for (const char byte : line) count += (static_cast<unsigned char>(byte) & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

// A line inside a raw string: a manifest in a test, for instance.
bool IsData(const SourceFile& file, size_t index) {
  return absl::StripAsciiWhitespace(file.code[index]).empty() &&
         !absl::StartsWith(absl::StripAsciiWhitespace(file.lines[index]), "//");
}

TEST(StyleTest, FilesAreShort) {
  for (const SourceFile& file : CppFiles()) {
    EXPECT_LE(file.lines.size(), kFileLinesMax) << file.path << ": split it";
  }
}

TEST(StyleTest, FunctionsFitAScreen) {
  for (const SourceFile& file : CppFiles()) {
    for (const FunctionSpan& function : FindFunctions(file.code)) {
      EXPECT_LE(function.length(), kFunctionLinesMax)
          << Place(file, function.first_line) << ": " << function.name;
    }
  }
}

TEST(StyleTest, LinesFit) {
  for (const SourceFile& file : CppFiles()) {
    for (size_t index = 0; index < file.lines.size(); ++index) {
      if (IsData(file, index)) continue;
      EXPECT_LE(Columns(file.lines[index]), kColumnsMax) << Place(file, index + 1);
    }
  }
}

TEST(StyleTest, HeadersHavePragmaOnce) {
  for (const SourceFile& file : CppFiles()) {
    if (!file.is_header()) continue;
    EXPECT_EQ(std::count(file.lines.begin(), file.lines.end(), "#pragma once"), 1) << file.path;
  }
}

TEST(StyleTest, ImplementationsIncludeTheirHeaderFirst) {
  for (const SourceFile& file : CppFiles()) {
    if (file.is_header() || file.is_bpf()) continue;
    const std::string header = absl::StrReplaceAll(file.path, {{".cc", ".h"}});
    const bool has_header = std::any_of(CppFiles().begin(), CppFiles().end(),
                                        [&](const auto& other) { return other.path == header; });
    const std::vector<Include> includes = IncludesOf(file);
    if (has_header && !includes.empty()) {
      EXPECT_EQ(includes.front().target, header) << file.path;
    }
  }
}

TEST(StyleTest, NamespacesFollowTheRooms) {
  const std::regex opening(R"(^\s*(inline )?namespace ([\w:]+) \{$)");
  for (const SourceFile& file : CppFiles()) {
    const std::string room = RoomOf(file);
    if (room.empty() || file.is_bpf()) continue;  // C has no namespaces
    const std::string wanted = absl::StrCat("fairlead::", absl::StrReplaceAll(room, {{"/", "::"}}));
    bool found = false;
    for (size_t index = 0; index < file.code.size(); ++index) {
      std::smatch match;
      if (!std::regex_match(file.code[index], match, opening)) continue;
      EXPECT_EQ(match[2].str(), wanted) << Place(file, index + 1);
      found = true;
    }
    EXPECT_TRUE(found || file.path == "cmd/fairlead/main.cc") << file.path << ": not in " << wanted;
  }
}

TEST(StyleTest, ToDosNameAnIssueAndNothingIsLeftBroken) {
  // Written in pieces, so that this file does not find itself.
  const std::regex unnamed(
      "\\bTO"
      "DO\\b(?!\\(#[0-9]+\\))");
  const std::regex broken(
      "\\b(FIX"
      "ME|XX"
      "X)\\b");
  for (const SourceFile& file : TextFiles()) {
    for (size_t index = 0; index < file.lines.size(); ++index) {
      const std::string& line = file.lines[index];
      if (line.size() > 1000) continue;  // data; std::regex recurses per letter
      EXPECT_FALSE(std::regex_search(line, unnamed)) << Place(file, index + 1);
      EXPECT_FALSE(std::regex_search(line, broken)) << Place(file, index + 1);
    }
  }
}

TEST(StyleTest, NoPathOfOneMachine) {
  const std::regex machine(
      "(^|[\"'` =(:])/(work|home|roo"
      "t|Users)/[A-Za-z0-9._]");
  for (const SourceFile& file : TextFiles()) {
    for (size_t index = 0; index < file.lines.size(); ++index) {
      if (file.lines[index].size() > 1000) continue;
      EXPECT_FALSE(std::regex_search(file.lines[index], machine)) << Place(file, index + 1);
    }
  }
}

TEST(FunctionLengthTest, FindsFunctionsByTheirBraces) {
  const std::string text =
      "namespace a {\n"                     // 1
      "constexpr int kTable[] = {\n"        // 2
      "    1,\n"                            // 3
      "};\n"                                // 4
      "struct S {\n"                        // 5
      "  int Get() const { return x_; }\n"  // 6
      "  int x_{3};\n"                      // 7
      "};\n"                                // 8
      "int Sum(int left,\n"                 // 9
      "        int right) {\n"              // 10
      "  if (left) {\n"                     // 11
      "    return '{';  // {\n"             // 12
      "  }\n"                               // 13
      "  return right;\n"                   // 14
      "}\n"                                 // 15
      "}\n";
  const auto functions = FindFunctions(BlankCommentsAndLiterals(absl::StrSplit(text, '\n')));
  ASSERT_EQ(functions.size(), 2u);
  EXPECT_EQ(functions[0].name, "int Get");
  EXPECT_EQ(functions[0].length(), 1u);
  EXPECT_EQ(functions[1].name, "int Sum");
  EXPECT_EQ(functions[1].first_line, 9u);
  EXPECT_EQ(functions[1].length(), 7u);
}

TEST(BlankTest, CommentsAndLiteralsBecomeBlanks) {
  EXPECT_EQ(BlankCommentsAndLiterals({"a \"{\" b // {", "/* {", "{ */ c", "1'000 {", "'\\'' {"}),
            (std::vector<std::string>{"a     b     ", "    ", "     c", "1'000 {", "     {"}));
  EXPECT_EQ(BlankCommentsAndLiterals({"f(R\"x({", "})x\");"}),
            (std::vector<std::string>{"f(     ", "    );"}));
}

}  // namespace
}  // namespace fairlead::tidy
