// Who may include what, as pkg/README.md says.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tests/tidy/house_map.h"
#include "tests/tidy/source_tree.h"

namespace fairlead::tidy {
namespace {

namespace fs = std::filesystem;

const HouseMap& Map() {
  static const auto& map = *[] {
    auto read = ReadHouseMap(FAIRLEAD_SOURCE_DIR "/pkg/README.md");
    if (!read.ok()) ADD_FAILURE() << read.status().message();
    return new HouseMap(read.ok() ? *std::move(read) : HouseMap{});
  }();
  return map;
}

bool IsStandardOrSystem(absl::string_view header) {
  static constexpr absl::string_view kFolders[] = {"sys/", "netinet/", "arpa/", "linux/", "net/"};
  static const auto& kFiles = *new std::set<absl::string_view>{
      "dirent.h", "errno.h",   "fcntl.h",  "ifaddrs.h", "limits.h", "netdb.h",
      "poll.h",   "pthread.h", "sched.h",  "signal.h",  "stdio.h",  "stdlib.h",
      "string.h", "time.h",    "unistd.h", "pwd.h",     "grp.h",    "getopt.h",
      "stdint.h", "stddef.h",  "math.h",   "spawn.h"};
  if (!absl::StrContains(header, '.') && !absl::StrContains(header, '/')) return true;  // <vector>
  return kFiles.contains(header) ||
         std::any_of(std::begin(kFolders), std::end(kFolders),
                     [&](absl::string_view folder) { return absl::StartsWith(header, folder); });
}

// Libraries whose headers Google style writes in quotes.
bool IsLibrary(absl::string_view header) {
  return absl::StartsWith(header, "absl/") || absl::StartsWith(header, "gtest/") ||
         absl::StartsWith(header, "gmock/");
}

// The item of a third-party list that covers the header; "" when none does.
std::string Covering(const std::set<std::string>& items, absl::string_view header) {
  for (const std::string& item : items) {
    if (item == header || (absl::EndsWith(item, "/") && absl::StartsWith(header, item)))
      return item;
  }
  return "";
}

// "" when `room` may include the project's header `target`, else why not.
std::string RefusalOfOwn(const std::string& room, const RoomRules& rules,
                         absl::string_view target) {
  if (rules.includes_everything) return "";
  absl::string_view inner = target;
  if (!absl::ConsumePrefix(&inner, "pkg/")) {
    return absl::StrCat("room ", room, " may not include ", target);
  }
  const std::string other(inner.substr(0, inner.rfind('/')));
  if (other == room || other == "base" || rules.rooms.contains(other)) return "";
  if (rules.headers.contains(std::string(inner))) return "";
  return absl::StrCat("room ", room, " may not include room ", other, " (", target, ")");
}

TEST(IncludeTest, TheMapListsTheRoomsThatExist) {
  std::set<std::string> on_disk = {"cmd"};
  for (const SourceFile& file : CppFiles()) {
    if (const std::string room = RoomOf(file); !room.empty()) on_disk.insert(room);
  }
  std::set<std::string> on_map;
  for (const auto& [room, rules] : Map().rooms) on_map.insert(room);
  EXPECT_EQ(on_map, on_disk);
}

TEST(IncludeTest, TheMapHasNoCycle) {
  std::set<std::string> settled;
  for (bool grew = true; grew;) {
    const size_t before = settled.size();
    for (const auto& [room, rules] : Map().rooms) {
      std::set<std::string> needed = rules.rooms;
      for (const std::string& header : rules.headers) {
        needed.insert(header.substr(0, header.rfind('/')));
      }
      if (std::includes(settled.begin(), settled.end(), needed.begin(), needed.end())) {
        settled.insert(room);
      }
    }
    grew = settled.size() > before;
  }
  for (const auto& [room, rules] : Map().rooms) {
    EXPECT_TRUE(settled.contains(room)) << room << " is on a cycle or includes an unknown room";
  }
}

TEST(IncludeTest, RoomsIncludeOnlyWhatTheMapAllows) {
  for (const SourceFile& file : CppFiles()) {
    const auto rules = Map().rooms.find(RoomOf(file));
    if (rules == Map().rooms.end()) continue;
    for (const Include& include : IncludesOf(file)) {
      if (!absl::StartsWith(include.target, "pkg/") && !absl::StartsWith(include.target, "cmd/")) {
        continue;
      }
      EXPECT_EQ(RefusalOfOwn(rules->first, rules->second, include.target), "")
          << Place(file, include.line);
    }
  }
}

TEST(IncludeTest, ThirdPartyHeadersStayInTheRoomsThatOwnThem) {
  const std::set<std::string> all = Map().AllThirdParty();
  for (const SourceFile& file : CppFiles()) {
    const auto rules = Map().rooms.find(RoomOf(file));
    if (rules == Map().rooms.end()) continue;
    for (const Include& include : IncludesOf(file)) {
      if (include.quoted || IsStandardOrSystem(include.target)) continue;
      const std::string item = Covering(all, include.target);
      EXPECT_NE(item, "") << Place(file, include.line) << ": no room of pkg/README.md owns <"
                          << include.target << ">";
      EXPECT_TRUE(item.empty() || rules->second.third_party.contains(item))
          << Place(file, include.line) << ": <" << include.target << "> belongs to another room";
    }
  }
}

TEST(IncludeTest, LocksAreThoseOfTheBase) {
  for (const SourceFile& file : CppFiles()) {
    for (const Include& include : IncludesOf(file)) {
      EXPECT_FALSE(absl::StartsWith(include.target, "absl/synchronization/"))
          << Place(file, include.line) << ": use pkg/base/mutex.h, which ThreadSanitizer sees";
    }
  }
}

TEST(IncludeTest, IncludesAreWrittenFromTheRoot) {
  for (const SourceFile& file : CppFiles()) {
    for (const Include& include : IncludesOf(file)) {
      if (!include.quoted || IsLibrary(include.target)) continue;
      EXPECT_TRUE(fs::exists(fs::path(FAIRLEAD_SOURCE_DIR) / include.target))
          << Place(file, include.line) << ": \"" << include.target << "\" is no path from the root";
    }
  }
}

}  // namespace
}  // namespace fairlead::tidy
