#include "pkg/kube/line_splitter.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairlead::kube {
namespace {

using ::testing::ElementsAre;

TEST(LineSplitterTest, LinesDoNotDependOnHowTheBytesArrive) {
  const std::string text = "first\nsecond\r\n\nthird\nrest";
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    LineSplitter splitter(100);
    std::vector<std::string> lines;
    const auto collect = [&](absl::string_view line) {
      lines.emplace_back(line);
      return true;
    };
    for (size_t at = 0; at < text.size(); at += piece) {
      ASSERT_TRUE(splitter.Add(absl::string_view(text).substr(at, piece), collect));
    }
    EXPECT_THAT(lines, ElementsAre("first", "second", "third")) << piece;
    splitter.End(collect);
    EXPECT_THAT(lines, ElementsAre("first", "second", "third", "rest")) << piece;
  }
}

TEST(LineSplitterTest, EndsWhenTheReaderHasEnough) {
  LineSplitter splitter(100);
  int lines_count = 0;
  EXPECT_FALSE(splitter.Add("a\nb\nc\n", [&](absl::string_view) { return ++lines_count < 2; }));
  EXPECT_EQ(lines_count, 2);
  EXPECT_FALSE(splitter.overflowed());
}

TEST(LineSplitterTest, ALineIsBounded) {
  const auto take = [](absl::string_view) { return true; };
  LineSplitter exact(4);
  EXPECT_TRUE(exact.Add("1234\n12", take));
  EXPECT_FALSE(exact.overflowed());
  EXPECT_FALSE(exact.Add("345", take));
  EXPECT_TRUE(exact.overflowed());
}

}  // namespace
}  // namespace fairlead::kube
