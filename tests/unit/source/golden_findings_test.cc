// Each testdata/NAME.yaml has its findings, word for word, in testdata/NAME.findings.
// To write them anew: FAIRLEAD_UPDATE_GOLDEN=1 source_test --gtest_filter='Golden*'
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/unit/source/source_testing.h"

namespace fairlead::source {
namespace {

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(GoldenFindingsTest, AreWordForWord) {
  const std::filesystem::path folder =
      std::filesystem::path(FAIRLEAD_SOURCE_DIR) / "tests/unit/source/testdata";
  int files_count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    ++files_count;
    const DecodeResult result =
        DecodeManifests(ReadAll(entry.path()), entry.path().filename().string());
    std::string actual;
    for (const std::string& line : LinesOf(result.findings)) actual += line + "\n";
    std::filesystem::path golden = entry.path();
    golden.replace_extension(".findings");
    if (std::getenv("FAIRLEAD_UPDATE_GOLDEN") != nullptr) std::ofstream(golden) << actual;
    EXPECT_EQ(actual, ReadAll(golden)) << entry.path();
  }
  EXPECT_GE(files_count, 1);
}

}  // namespace
}  // namespace fairlead::source
