#include "pkg/source/manifest_reader.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/source/source_testing.h"

namespace fairlead::source {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> FilesOf(const Reading& reading) {
  std::vector<std::string> names;
  for (const auto& file : reading.files) {
    names.push_back(std::filesystem::path(file->file).filename());
  }
  return names;
}

Reading ReadPath(const std::string& path) {
  return ManifestReader(path).Read(absl::ZeroDuration());
}

TEST(ManifestReaderTest, ReadsTheManifestsOfADirectoryByName) {
  const TemporaryDirectory directory;
  for (const char* name : {"b.yml", "a.yaml", "c.json"}) directory.Write(name, "# nothing\n");
  for (const char* name : {".hidden.yaml", "a.yaml~", "a.yaml.swp", "README.md", "4913"}) {
    directory.Write(name, "nonsense");
  }
  std::filesystem::create_directory(directory.File("sub"));
  directory.Write("sub/d.yaml", "nonsense");
  const Reading reading = ReadPath(directory.path());
  EXPECT_TRUE(reading.complete);
  EXPECT_THAT(FilesOf(reading), ElementsAre("a.yaml", "b.yml", "c.json"));
}

TEST(ManifestReaderTest, FindingsHaveThePathAsItWasGiven) {
  const TemporaryDirectory directory;
  directory.Write("a.yaml", "words\n");
  for (const std::string& path : {directory.path(), directory.path() + "/"}) {
    const Reading reading = ReadPath(path);
    EXPECT_EQ(reading.files.at(0)->findings.at(0).location.file, directory.File("a.yaml"));
  }
}

TEST(ManifestReaderTest, ReadsASingleFileOfAnyName) {
  const TemporaryDirectory directory;
  directory.Write("config", GoodVipText("a", "10.0.0.1"));
  EXPECT_EQ(ReadPath(directory.File("config")).files.at(0)->vips.size(), 1u);
}

TEST(ManifestReaderTest, AMissingPathIsIncomplete) {
  const Reading reading = ReadPath("/nonexistent/fairlead");
  EXPECT_FALSE(reading.complete);
  EXPECT_THAT(LinesOf(reading.findings), ElementsAre(HasSubstr("ENOENT")));
}

TEST(ManifestReaderTest, AnUnreadableFileIsIncompleteAlone) {
  const TemporaryDirectory directory;
  directory.Write("a.yaml", GoodVipText("a", "10.0.0.1"));
  std::filesystem::create_symlink("loop.yaml", directory.File("loop.yaml"));
  std::filesystem::create_symlink("gone", directory.File("dangling.yaml"));
  std::filesystem::create_directory(directory.File("folder.yaml"));
  ASSERT_EQ(::mkfifo(directory.File("pipe.yaml").c_str(), 0600), 0);
  const Reading reading = ReadPath(directory.path());
  EXPECT_TRUE(reading.complete);
  std::vector<std::string> lines;
  for (const auto& file : reading.files) {
    for (const model::Finding& finding : file->findings) lines.push_back(finding.ToString());
  }
  EXPECT_THAT(lines, ElementsAre(HasSubstr("dangling.yaml: error: cannot be read: No such"),
                                 HasSubstr("folder.yaml: error: is not a regular file"),
                                 HasSubstr("a symbolic link leads back to itself"),
                                 HasSubstr("pipe.yaml: error: is not a regular file")));
  EXPECT_EQ(reading.files.at(0)->vips.size(), 1u);
}

TEST(ManifestReaderTest, ModeZeroIsAFindingUnlessWeAreRoot) {
  if (::geteuid() == 0)
    GTEST_SKIP() << "root may read every file whatever its mode (capabilities(7))";
  const TemporaryDirectory directory;
  directory.Write("a.yaml", GoodVipText("a", "10.0.0.1"));
  ASSERT_EQ(::chmod(directory.File("a.yaml").c_str(), 0), 0);
  EXPECT_THAT(LinesOf(ReadPath(directory.path()).files.at(0)->findings),
              ElementsAre(HasSubstr("EACCES")));
}

TEST(ManifestReaderTest, AHugeFileIsRefusedWithoutReadingItAll) {
  const TemporaryDirectory directory;
  directory.Write("a.yaml", "#");
  ASSERT_EQ(::truncate(directory.File("a.yaml").c_str(), int64_t{1} << 40), 0);
  EXPECT_THAT(LinesOf(ReadPath(directory.path()).files.at(0)->findings),
              ElementsAre(HasSubstr("> 10485760")));
}

TEST(ManifestReaderTest, UnchangedFilesAreNotDecodedAgain) {
  const TemporaryDirectory directory;
  directory.Write("a.yaml", GoodVipText("a", "10.0.0.1"));
  directory.Write("b.yaml", GoodVipText("b", "10.0.0.2"));
  ManifestReader reader(directory.path());
  const Reading first = reader.Read(absl::ZeroDuration());
  directory.Write("b.yaml", GoodVipText("b", "10.0.0.3"));
  const Reading second = reader.Read(absl::ZeroDuration());
  EXPECT_EQ(first.files[0], second.files[0]);
  EXPECT_NE(first.files[1], second.files[1]);
}

TEST(ManifestReaderTest, TheSameDirectoryEmptiedIsDeliberate) {
  const TemporaryDirectory directory;
  directory.Write("a.yaml", GoodVipText("a", "10.0.0.1"));
  ManifestReader reader(directory.path());
  EXPECT_TRUE(reader.Read(absl::ZeroDuration()).complete);
  directory.Remove("a.yaml");
  const Reading reading = reader.Read(absl::ZeroDuration());
  EXPECT_TRUE(reading.complete);
  EXPECT_THAT(reading.files, IsEmpty());
}

TEST(ManifestReaderTest, AnotherEmptyDirectoryIsNotDeliberate) {
  const TemporaryDirectory parent;
  const std::string path = parent.File("conf");
  std::filesystem::create_directory(path);
  parent.Write("conf/a.yaml", GoodVipText("a", "10.0.0.1"));
  ManifestReader reader(path);
  EXPECT_TRUE(reader.Read(absl::ZeroDuration()).complete);
  std::filesystem::rename(path, parent.File("old"));
  std::filesystem::create_directory(path);
  const Reading reading = reader.Read(absl::Hours(1));
  EXPECT_FALSE(reading.complete);
  EXPECT_THAT(LinesOf(reading.findings), ElementsAre(HasSubstr("another one than the manifests")));
}

TEST(ManifestReaderTest, AnotherDirectoryIsGivenTimeToBeFilled) {
  const TemporaryDirectory parent;
  const std::string path = parent.File("conf");
  std::filesystem::create_directory(path);
  parent.Write("conf/a.yaml", GoodVipText("a", "10.0.0.1"));
  ManifestReader reader(path);
  EXPECT_TRUE(reader.Read(absl::ZeroDuration()).complete);
  std::filesystem::rename(path, parent.File("old"));
  std::filesystem::create_directory(path);
  parent.Write("conf/b.yaml", GoodVipText("b", "10.0.0.2"));
  EXPECT_FALSE(reader.Read(absl::Seconds(10)).complete);
  EXPECT_FALSE(reader.Read(absl::Seconds(11)).complete);
  EXPECT_TRUE(reader.Read(absl::Seconds(12)).complete);
  EXPECT_TRUE(reader.Read(absl::Seconds(12)).complete);
}

}  // namespace
}  // namespace fairlead::source
