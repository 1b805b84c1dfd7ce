#include "tests/tidy/source_tree.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace fairlead::tidy {
namespace {

namespace fs = std::filesystem;

constexpr std::array kCppRoots = {"pkg", "cmd", "tests"};
constexpr std::array kTextRoots = {"pkg", "cmd", "tests", "deploy", "docker", ".ci", "crds"};

bool IsText(const fs::path& path) {
  static constexpr std::array kSuffixes = {".h",  ".cc",   ".c",   ".py",  ".md",   ".txt",
                                           ".sh", ".yaml", ".yml", ".cfg", ".conf", ".json"};
  const std::string name = path.filename().string();
  if (name == "Dockerfile" || path.extension().empty()) return true;  // scripts have no suffix
  return std::any_of(kSuffixes.begin(), kSuffixes.end(),
                     [&](const char* suffix) { return absl::EndsWith(name, suffix); });
}

SourceFile Read(const fs::path& root, const fs::path& path) {
  SourceFile file;
  file.path = path.lexically_relative(root).string();
  std::ifstream stream(path);
  for (std::string line; std::getline(stream, line);) file.lines.push_back(line);
  if (file.is_cpp()) file.code = BlankCommentsAndLiterals(file.lines);
  return file;
}

std::vector<SourceFile> ReadAll(bool cpp_only) {
  const fs::path root = FAIRLEAD_SOURCE_DIR;
  std::vector<SourceFile> files;
  const auto add = [&](const fs::path& path) {
    if (!fs::is_regular_file(path) || !IsText(path)) return;
    SourceFile file = Read(root, path);
    if (!cpp_only || file.is_cpp()) files.push_back(std::move(file));
  };
  for (const char* folder : kTextRoots) {
    if (!fs::is_directory(root / folder)) continue;
    if (cpp_only && std::count(kCppRoots.begin(), kCppRoots.end(), std::string(folder)) == 0) {
      continue;
    }
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / folder)) {
      add(entry.path());
    }
  }
  if (!cpp_only) {
    for (const fs::directory_entry& entry : fs::directory_iterator(root)) add(entry.path());
  }
  std::sort(files.begin(), files.end(),
            [](const SourceFile& left, const SourceFile& right) { return left.path < right.path; });
  return files;
}

// What the blanking of a line carries over to the next one.
enum class Inside { kCode, kBlockComment, kRawString };

class Blanker {
 public:
  std::string Blank(const std::string& line) {
    std::string out = line;
    size_t at = 0;
    while (at < line.size()) at = Step(line, at, &out);
    return out;
  }

 private:
  // Consumes what starts at `at`; returns the position behind it.
  size_t Step(const std::string& line, size_t at, std::string* out) {
    switch (inside_) {
      case Inside::kBlockComment:
        return SkipTo(line, at, "*/", out);
      case Inside::kRawString:
        return SkipTo(line, at, raw_end_, out);
      case Inside::kCode:
        break;
    }
    const absl::string_view rest = absl::string_view(line).substr(at);
    if (absl::StartsWith(rest, "//")) return Erase(at, line.size(), out);
    if (absl::StartsWith(rest, "/*")) {
      inside_ = Inside::kBlockComment;
      return Erase(at, at + 2, out);
    }
    if (absl::StartsWith(rest, "R\"")) {
      const size_t open = line.find('(', at);
      if (open == std::string::npos) return line.size();
      raw_end_ = absl::StrCat(")", line.substr(at + 2, open - at - 2), "\"");
      inside_ = Inside::kRawString;
      return Erase(at, open + 1, out);
    }
    // A quote between digits separates thousands: 1'000.
    const bool separator = at > 0 && std::isalnum(static_cast<unsigned char>(line[at - 1])) != 0;
    if (line[at] == '"' || (line[at] == '\'' && !separator)) return SkipLiteral(line, at, out);
    return at + 1;
  }

  size_t SkipTo(const std::string& line, size_t at, const std::string& end, std::string* out) {
    const size_t found = line.find(end, at);
    if (found == std::string::npos) return Erase(at, line.size(), out);
    inside_ = Inside::kCode;
    return Erase(at, found + end.size(), out);
  }

  static size_t SkipLiteral(const std::string& line, size_t at, std::string* out) {
    const char quote = line[at];
    size_t end = at + 1;
    while (end < line.size() && line[end] != quote) end += line[end] == '\\' ? 2 : 1;
    return Erase(at, std::min(end + 1, line.size()), out);
  }

  static size_t Erase(size_t from, size_t to, std::string* out) {
    std::fill(out->begin() + static_cast<std::ptrdiff_t>(from),
              out->begin() + static_cast<std::ptrdiff_t>(std::min(to, out->size())), ' ');
    return to;
  }

  Inside inside_ = Inside::kCode;
  std::string raw_end_;
};

}  // namespace

bool SourceFile::is_header() const { return absl::EndsWith(path, ".h"); }

bool SourceFile::is_cpp() const { return is_header() || is_bpf() || absl::EndsWith(path, ".cc"); }

bool SourceFile::is_bpf() const {
  return absl::EndsWith(path, ".bpf.c") || absl::EndsWith(path, ".bpf.h");
}

const std::vector<SourceFile>& CppFiles() {
  static const auto& files = *new std::vector<SourceFile>(ReadAll(/*cpp_only=*/true));
  return files;
}

const std::vector<SourceFile>& TextFiles() {
  static const auto& files = *new std::vector<SourceFile>(ReadAll(/*cpp_only=*/false));
  return files;
}

std::string RoomOf(const SourceFile& file) {
  if (absl::StartsWith(file.path, "cmd/")) return "cmd";
  absl::string_view path = file.path;
  if (!absl::ConsumePrefix(&path, "pkg/")) return "";
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? "" : std::string(path.substr(0, slash));
}

std::vector<Include> IncludesOf(const SourceFile& file) {
  std::vector<Include> includes;
  for (size_t index = 0; index < file.lines.size(); ++index) {
    absl::string_view line = file.lines[index];
    if (!absl::ConsumePrefix(&line, "#include ")) continue;
    const bool quoted = absl::StartsWith(line, "\"");
    const std::vector<std::string> parts = absl::StrSplit(line, absl::ByAnyChar("\"<>"));
    if (parts.size() >= 2) includes.push_back({parts[1], quoted, index + 1});
  }
  return includes;
}

std::vector<std::string> BlankCommentsAndLiterals(const std::vector<std::string>& lines) {
  Blanker blanker;
  std::vector<std::string> blanked;
  blanked.reserve(lines.size());
  for (const std::string& line : lines) blanked.push_back(blanker.Blank(line));
  return blanked;
}

std::string Place(const SourceFile& file, size_t line) {
  return absl::StrCat(file.path, ":", line);
}

}  // namespace fairlead::tidy
