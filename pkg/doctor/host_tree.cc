#include "pkg/doctor/host_tree.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace fairlead::doctor {

namespace fs = std::filesystem;

std::string HostTree::Read(absl::string_view path) const {
  constexpr size_t kBytesMax = 1 << 20;
  std::ifstream file(absl::StrCat(root_, path), std::ios::binary);
  std::string text(kBytesMax, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

std::optional<int64_t> HostTree::ReadNumber(absl::string_view path) const {
  const std::vector<std::string> words =
      absl::StrSplit(Read(path), absl::ByAnyChar(" \t\n"), absl::SkipEmpty());
  int64_t number = 0;
  if (words.empty() || !absl::SimpleAtoi(words.front(), &number)) return std::nullopt;
  return number;
}

bool HostTree::Exists(absl::string_view path) const {
  std::error_code error;
  return fs::exists(absl::StrCat(root_, path), error);
}

std::vector<std::string> HostTree::List(absl::string_view path) const {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(absl::StrCat(root_, path), error), end; !error && at != end;
       at.increment(error)) {
    names.push_back(at->path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string HostTree::LinkTarget(absl::string_view path) const {
  std::error_code error;
  return fs::read_symlink(absl::StrCat(root_, path), error);
}

int64_t HostTree::InForce(absl::string_view interface, absl::string_view key) const {
  const std::string conf = "/proc/sys/net/ipv4/conf/";
  return std::max(ReadNumber(absl::StrCat(conf, "all/", key)).value_or(0),
                  ReadNumber(absl::StrCat(conf, interface, "/", key)).value_or(0));
}

std::vector<std::string> HostTree::Interfaces() const {
  std::vector<std::string> interfaces;
  for (const std::string& name : List("/sys/class/net")) {
    if (name != "lo" && Exists(absl::StrCat("/sys/class/net/", name, "/mtu"))) {
      interfaces.push_back(name);
    }
  }
  return interfaces;
}

}  // namespace fairlead::doctor
