#include "pkg/source/text_check.h"

#include <gtest/gtest.h>

namespace fairlead::source {
namespace {

TEST(TextCheckTest, GoodTextsHaveNoProblem) {
  for (const char* text :
       {"", "a: b\n", "tab\there\r\n", "B\xc3\xbcro \xe2\x82\xac \xf0\x9f\x96\xa8"}) {
    EXPECT_FALSE(FindTextProblem(text).has_value()) << text;
  }
}

TEST(TextCheckTest, SaysWhereANulByteIs) {
  const auto problem = FindTextProblem(absl::string_view("a: b\nc\0d", 8));
  ASSERT_TRUE(problem.has_value());
  EXPECT_EQ(problem->offset, 6u);
  EXPECT_EQ(problem->line, 2);
  EXPECT_EQ(problem->column, 2);
  EXPECT_NE(problem->message.find("NUL byte at offset 6"), std::string::npos);
}

TEST(TextCheckTest, SaysWhichByteIsNoUtf8) {
  const auto problem = FindTextProblem("name: B\xfcro");  // Latin-1
  ASSERT_TRUE(problem.has_value());
  EXPECT_EQ(problem->offset, 7u);
  EXPECT_NE(problem->message.find("byte 0xfc at offset 7 is not UTF-8"), std::string::npos);
}

TEST(TextCheckTest, RejectsEveryIllFormedSequence) {
  for (const char* text :
       {"\x80", "\xbf", "\xc0\xaf", "\xc1\x80", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80",
        "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xfe", "\xc3",
        "\xe2\x82", "\xf0\x9f\x96", "\xc3("}) {
    EXPECT_TRUE(FindTextProblem(text).has_value());
  }
}

TEST(TextCheckTest, RejectsControlCharacters) {
  for (const char* text : {"\x01", "\x1b[2J", "\x7f", "\x08"}) {
    EXPECT_TRUE(FindTextProblem(text).has_value());
  }
}

}  // namespace
}  // namespace fairlead::source
