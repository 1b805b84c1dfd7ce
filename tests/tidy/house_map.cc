#include "tests/tidy/house_map.h"

#include <fstream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace fairlead::tidy {
namespace {

constexpr absl::string_view kTableHeader = "| room | may include | third-party headers |";

std::vector<std::string> Cells(const std::string& row) {
  std::vector<std::string> cells;
  for (absl::string_view cell :
       absl::StrSplit(absl::StripSuffix(absl::StripPrefix(row, "|"), "|"), '|')) {
    cells.emplace_back(absl::StripAsciiWhitespace(cell));
  }
  return cells;
}

std::vector<std::string> Items(const std::string& cell) {
  std::vector<std::string> items;
  for (absl::string_view item : absl::StrSplit(absl::StrReplaceAll(cell, {{"`", ""}}), ',')) {
    item = absl::StripAsciiWhitespace(item);
    if (!item.empty() && item != "-") items.emplace_back(item);
  }
  return items;
}

RoomRules DecodeRules(const std::vector<std::string>& cells) {
  RoomRules rules;
  for (const std::string& item : Items(cells[1])) {
    if (item == "everything") {
      rules.includes_everything = true;
    } else if (absl::EndsWith(item, ".h")) {
      rules.headers.insert(item);
    } else {
      rules.rooms.insert(item);
    }
  }
  for (const std::string& item : Items(cells[2])) rules.third_party.insert(item);
  return rules;
}

}  // namespace

std::set<std::string> HouseMap::AllThirdParty() const {
  std::set<std::string> all;
  for (const auto& [room, rules] : rooms) {
    all.insert(rules.third_party.begin(), rules.third_party.end());
  }
  return all;
}

absl::StatusOr<HouseMap> ReadHouseMap(const std::string& path) {
  std::ifstream stream(path);
  std::string line;
  while (std::getline(stream, line) && line != kTableHeader) {
  }
  std::getline(stream, line);  // |---|---|---|
  HouseMap map;
  while (std::getline(stream, line) && absl::StartsWith(line, "|")) {
    const std::vector<std::string> cells = Cells(line);
    if (cells.size() != 3) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": the row \"", line, "\" has ", cells.size(), " cells, not 3"));
    }
    map.rooms[absl::StrReplaceAll(cells[0], {{"`", ""}})] = DecodeRules(cells);
  }
  if (map.rooms.empty()) {
    return absl::NotFoundError(absl::StrCat(path, ": no table \"", kTableHeader, "\""));
  }
  return map;
}

}  // namespace fairlead::tidy
