#include "pkg/model/suggestion.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead::model {
namespace {

constexpr absl::string_view kFields[] = {"ports", "presets", "protocol", "konica-minolta"};

TEST(NearestWordTest, FindsASlip) {
  EXPECT_EQ(NearestWord("prots", kFields), "ports");
  EXPECT_EQ(NearestWord("port", kFields), "ports");
  EXPECT_EQ(NearestWord("protokol", kFields), "protocol");
}

TEST(NearestWordTest, PrefersTheSameWordInAnotherCase) {
  EXPECT_EQ(NearestWord("PORTS", kFields), "ports");
}

TEST(NearestWordTest, CompletesABeginning) {
  EXPECT_EQ(NearestWord("konica", kFields), "konica-minolta");
  EXPECT_EQ(NearestWord("konika", kFields), "konica-minolta");
}

TEST(NearestWordTest, FindsNothingForAnotherWord) {
  EXPECT_EQ(NearestWord("banana", kFields), "");
  EXPECT_EQ(NearestWord("", kFields), "");
  EXPECT_EQ(NearestWord(std::string(100'000, 'p'), kFields), "");
}

TEST(DidYouMeanTest, IsASentenceOrNothing) {
  EXPECT_EQ(DidYouMean("prots", kFields), "; did you mean \"ports\"?");
  EXPECT_EQ(DidYouMean("banana", kFields), "");
}

TEST(QuotedTest, EscapesWhatSteersATerminal) {
  EXPECT_EQ(Quoted("a\033[2J\n\"\\"), "\"a\\x1b[2J\\n\\\"\\\\\"");
}

TEST(QuotedTest, KeepsUtf8) { EXPECT_EQ(Quoted("Büro"), "\"Büro\""); }

TEST(QuotedTest, CutsLongTextsBetweenCharacters) {
  EXPECT_EQ(Quoted(std::string(65, 'x')), "\"" + std::string(64, 'x') + "...\"");
  EXPECT_EQ(Quoted(std::string(63, 'x') + "ü"), "\"" + std::string(63, 'x') + "...\"");
}

}  // namespace
}  // namespace fairlead::model
