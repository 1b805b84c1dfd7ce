#include "pkg/controller/override_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace fairlead::controller {
namespace {

using testing::HasSubstr;

Overrides Sample() {
  Overrides overrides;
  overrides[{"default/web", "srv-1"}] = {.address = "fd00::1",
                                         .state = model::AdminState::kHalt,
                                         .manifest_state = model::AdminState::kOnline,
                                         .since = absl::FromUnixMillis(1'800'000'000'123)};
  overrides[{"default/web", "srv \"2\"\n"}] = {.address = "print.example.com",
                                               .state = model::AdminState::kOnline,
                                               .manifest_state = model::AdminState::kDrain,
                                               .since = absl::UnixEpoch()};
  return overrides;
}

class OverrideStoreTest : public testing::Test {
 protected:
  OverrideStoreTest()
      : directory_(testing::TempDir() + "/store-" +
                   testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(directory_);
  }
  void Write(const std::string& text) {
    std::filesystem::create_directories(directory_);
    std::ofstream(directory_ + "/overrides.json") << text;
  }
  const std::string directory_;
};

TEST_F(OverrideStoreTest, SavedOverridesAreLoaded) {
  const OverrideStore store(directory_);
  ASSERT_TRUE(store.Save(Sample()).ok());
  const auto loaded = store.Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(*loaded, Sample());
  // The file was replaced as a whole: nothing of the writing is left.
  EXPECT_FALSE(std::filesystem::exists(store.path() + ".new"));
}

TEST_F(OverrideStoreTest, NoFileMeansNoOverrides) {
  const auto loaded = OverrideStore(directory_).Load();
  ASSERT_TRUE(loaded.ok());
  EXPECT_TRUE(loaded->empty());
}

TEST_F(OverrideStoreTest, BrokenFileIsAnErrorThatNamesItAndTheRemedy) {
  for (const char* text :
       {"", "{", "[]", "{\"version\": 2}", "{\"version\": 1}",
        "{\"version\": 1, \"overrides\": [1]}",
        "{\"version\": 1, \"overrides\": [{\"vip\": 1, \"server\": null}]}",
        "{\"version\": 1, \"overrides\": [{\"vip\": \"a/b\", \"server\": \"s\", \"address\": "
        "\"\", \"state\": \"Drain\", \"manifestState\": \"Online\", \"since\": "
        "\"2026-01-01T00:00:00Z\"}]}"}) {
    Write(text);
    const auto loaded = OverrideStore(directory_).Load();
    ASSERT_FALSE(loaded.ok()) << text;
    EXPECT_THAT(std::string(loaded.status().message()), HasSubstr("overrides.json")) << text;
    EXPECT_THAT(std::string(loaded.status().message()), HasSubstr("fairlead drain")) << text;
  }
}

TEST_F(OverrideStoreTest, UnusableDirectoryIsToldByNameAndCause) {
  EXPECT_THAT(std::string(OverrideStore("/proc/nowhere").CheckWritable().message()),
              HasSubstr("/proc/nowhere"));
  EXPECT_FALSE(OverrideStore("/proc/nowhere").Save(Sample()).ok());
  EXPECT_THAT(std::string(OverrideStore("").CheckWritable().message()),
              HasSubstr("--state-directory"));
}

}  // namespace
}  // namespace fairlead::controller
