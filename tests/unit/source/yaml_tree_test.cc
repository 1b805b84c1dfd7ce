#include "pkg/source/yaml_tree.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace fairlead::source {
namespace {

YamlDocument Parse(absl::string_view text) { return ParseYamlDocument({text, 1}); }

std::string ProblemOf(absl::string_view text) {
  const YamlDocument document = Parse(text);
  return document.problem.has_value() ? document.problem->message : "";
}

TEST(YamlTreeTest, KeepsKindsPlacesAndQuotes) {
  const YamlDocument document = Parse("a: 1\nb:\n  - \"2\"\n  - null\n");
  ASSERT_EQ(document.roots.size(), 1u);
  const YamlNode& root = document.roots[0];
  ASSERT_EQ(root.kind, YamlNode::Kind::kMapping);
  ASSERT_EQ(root.keys.size(), 2u);
  EXPECT_EQ(root.items[0].text, "1");
  EXPECT_TRUE(root.items[0].plain);
  const YamlNode& list = root.items[1];
  ASSERT_EQ(list.kind, YamlNode::Kind::kSequence);
  EXPECT_FALSE(list.items[0].plain);
  EXPECT_EQ(list.items[0].line, 3);
  EXPECT_EQ(list.items[0].column, 5);
  EXPECT_EQ(list.items[1].kind, YamlNode::Kind::kNull);
}

TEST(YamlTreeTest, KeepsDuplicateKeys) {
  const YamlDocument document = Parse("a: 1\na: 2\n");
  ASSERT_EQ(document.roots.size(), 1u);
  EXPECT_EQ(document.roots[0].keys.size(), 2u);
}

TEST(YamlTreeTest, ReadsJsonWithTabs) {
  const YamlDocument document = Parse("{\n\t\"a\":{\"b\":[1,2]},\t\"c\":\"x\\u00e9\\/\"\n}");
  ASSERT_FALSE(document.problem.has_value()) << document.problem->message;
  EXPECT_EQ(document.roots[0].items[1].text, "x\xc3\xa9/");
}

TEST(YamlTreeTest, RefusesAliases) {
  EXPECT_NE(ProblemOf("a: &x [1]\nb: *x\n").find("aliases"), std::string::npos);
}

TEST(YamlTreeTest, ABillionLaughsAreRefusedAtTheFirst) {
  std::string text = "a0: &a0 [lol]\n";
  for (int i = 1; i < 30; ++i) {
    absl::StrAppend(&text, "a", i, ": &a", i, " [*a", i - 1, ",*a", i - 1, "]\n");
  }
  const YamlDocument document = Parse(text);
  ASSERT_TRUE(document.problem.has_value());
  EXPECT_EQ(document.problem->line, 2);
}

TEST(YamlTreeTest, BoundsTheDepth) {
  for (const int depth : {kYamlDepthMax + 1, 1000, 200'000}) {
    EXPECT_NE(ProblemOf(std::string(depth, '[')).find("nested deeper"), std::string::npos);
    EXPECT_NE(ProblemOf(std::string(depth, '{')).find("nested deeper"), std::string::npos);
  }
  EXPECT_EQ(ProblemOf(std::string(kYamlDepthMax, '[') + std::string(kYamlDepthMax, ']')), "");
}

TEST(YamlTreeTest, BoundsTheDepthOfBlocks) {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "- ";
  EXPECT_NE(ProblemOf(text + "x").find("nested deeper"), std::string::npos);
}

TEST(YamlTreeTest, BoundsTheNumberOfValues) {
  std::string text = "[";
  for (size_t i = 0; i <= kYamlNodesMax; ++i) text += "1,";
  EXPECT_NE(ProblemOf(text + "]").find("more than 1000000 values"), std::string::npos);
}

// yaml-cpp 0.7.0 reports nulls without end here; found by fuzzing.
TEST(YamlTreeTest, EndsWhereBracketsDoNotMatch) {
  EXPECT_NE(
      ProblemOf("{\"a\": [\"b\": \"1\"},\n \"{\"c\": [\"0x {}}]}\n").find("YAML syntax error"),
      std::string::npos);
}

// Found by fuzzing: the parser's message quotes the character, here its mark of the end.
TEST(YamlTreeTest, MessagesOfTheParserArePrintable) {
  EXPECT_NE(ProblemOf("{\"a\\").find("\\x04"), std::string::npos);
}

TEST(YamlTreeTest, RefusesTagsButThatOfStrings) {
  EXPECT_NE(ProblemOf("a: !!python/object x\n").find("tag"), std::string::npos);
  EXPECT_NE(ProblemOf("a: !custom {b: 1}\n").find("tag"), std::string::npos);
  const YamlDocument document = Parse("a: !!str 80\n");
  ASSERT_FALSE(document.problem.has_value());
  EXPECT_FALSE(document.roots[0].items[0].plain);
}

TEST(YamlTreeTest, SyntaxErrorsHaveALine) {
  const YamlDocument document = ParseYamlDocument({"a: [1\nb: }\n", 11});
  ASSERT_TRUE(document.problem.has_value());
  EXPECT_GE(document.problem->line, 11);
  EXPECT_NE(document.problem->message.find("YAML syntax error"), std::string::npos);
}

std::vector<std::string> Chunks(absl::string_view text) {
  std::vector<std::string> chunks;
  for (const YamlChunk& chunk : SplitYamlDocuments(text)) {
    chunks.push_back(absl::StrCat(chunk.first_line, ":", chunk.text));
  }
  return chunks;
}

TEST(SplitYamlDocumentsTest, SplitsAtMarkersAndCountsLines) {
  using Strings = std::vector<std::string>;
  EXPECT_EQ(Chunks("a\n---\nb\n"), (Strings{"1:a\n", "2:---\nb\n"}));
  EXPECT_EQ(Chunks("---\na\n--- b\n"), (Strings{"1:---\na\n", "3:--- b\n"}));
  EXPECT_EQ(Chunks("a\n...\n# c\n---\nb"), (Strings{"1:a\n...\n", "3:# c\n---\nb"}));
  EXPECT_EQ(Chunks("# c\n%YAML 1.2\n---\na"), (Strings{"1:# c\n%YAML 1.2\n---\na"}));
  EXPECT_EQ(Chunks("a\r\n---\r\nb\r\n"), (Strings{"1:a\r\n", "2:---\r\nb\r\n"}));
}

TEST(SplitYamlDocumentsTest, OnlyMarkersSplit) {
  EXPECT_EQ(Chunks("----\n ---\n---x\na: |\n  ---\n").size(), 1u);
}

TEST(SplitYamlDocumentsTest, NothingAndCommentsAreNoDocument) {
  EXPECT_TRUE(Chunks("").empty());
  EXPECT_TRUE(Chunks("# nothing\n\n").empty());
}

TEST(SplitYamlDocumentsTest, AByteOrderMarkDoesNotHideAMarker) {
  EXPECT_EQ(Chunks("\xef\xbb\xbf---\na\n"), (std::vector<std::string>{"1:---\na\n"}));
}

}  // namespace
}  // namespace fairlead::source
